package intake

import (
	"bytes"
	"encoding/json"

	"github.com/tidwall/gjson"
)

// IsKeepAlive reports whether a body is a sign of life, by its beginning: OWT's
// programs and Muster's write the method first.
func IsKeepAlive(body []byte) bool {
	rest, ok := bytes.CutPrefix(body, []byte(`{"method":"`))
	return ok && len(body) < Large && (bytes.HasPrefix(rest, []byte(`keepAlive"`)) || bytes.HasPrefix(rest, []byte(`reportLoad"`)))
}

// Subject is the beginning of the first argument: what a cast says of who sent
// it. It is empty where a body has another form.
func Subject(body []byte) string {
	head := body[:min(len(body), 1<<11)]
	_, args, ok := bytes.Cut(head, []byte(`"args":["`))
	if !ok {
		return ""
	}
	name, _, _ := bytes.Cut(args, []byte{'"'})
	return string(name)
}

// tail is how much of a body's end is looked at.
const tail = 1 << 10

// Address is to whom a body that is not read would be answered: the members
// that stand at its end in the requests of OWT's programs and of Muster's. They
// are empty where they stand elsewhere.
func Address(body []byte) (corrID json.RawMessage, replyTo string) {
	end := body[max(0, len(body)-tail):]
	i := bytes.LastIndex(end, []byte(`,"corrID":`))
	if i < 0 {
		return nil, ""
	}
	members := append([]byte{'{'}, end[i+1:]...)
	if !gjson.ValidBytes(members) {
		return nil, ""
	}
	root := gjson.ParseBytes(members)
	return json.RawMessage(root.Get("corrID").Raw), root.Get("replyTo").String()
}
