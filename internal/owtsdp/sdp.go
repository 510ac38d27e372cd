// Package owtsdp changes the offers and answers of OWT's clients, as OWT's
// webrtc nodes do. An SDP is changed as text: what is not understood stays as it
// is.
package owtsdp

import (
	"regexp"
	"strings"
	"sync"
)

// The kinds of media.
const (
	Audio = "audio"
	Video = "video"
)

// Section is what was announced of a media section before its offer.
type Section struct {
	// Kind is Audio or Video.
	Kind string
	// Sends: the client sends there, else it receives.
	Sends bool
	// Session is the publication or the subscription that it belongs to.
	Session string
}

// Blocks cuts an SDP into what is before its sections, and those.
func Blocks(sdp string) []string {
	var out []string
	for {
		i := strings.Index(sdp, "\nm=")
		if i < 0 {
			return append(out, sdp)
		}
		out = append(out, sdp[:i+1])
		sdp = sdp[i+1:]
	}
}

// Attribute is the value of the first attribute of that name in a section.
func Attribute(block, name string) string { return after(block, "\na="+name+":") }

// Kind is what a section is of, such as Audio.
func Kind(block string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(block, "m="), " ")
	return kind
}

var directions = map[string]bool{"a=sendonly": true, "a=recvonly": true, "a=sendrecv": true, "a=inactive": true}

// Direct sets the direction of a section.
func Direct(block, direction string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimRight(block, "\r\n") + "\r\n") {
		if !directions[strings.TrimSpace(line)] {
			out.WriteString(line)
		}
	}
	out.WriteString("a=" + direction + "\r\n")
	return out.String()
}

// Direction is the direction of a section, by default to send and receive. One
// that has several has none of them.
func Direction(block string) string {
	direction := ""
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); !directions[line] {
			continue
		}
		if direction != "" {
			return ""
		}
		direction = strings.TrimPrefix(line, "a=")
	}
	if direction == "" {
		return "sendrecv"
	}
	return direction
}

// Permit makes every section of an offer inactive that was not announced, by its
// mid, or has another kind or direction.
func Permit(offer string, announced map[string]Section) string {
	out := Blocks(offer)
	for i, block := range out[1:] {
		s, known := announced[Attribute(block, "mid")]
		want := "recvonly"
		if s.Sends {
			want = "sendonly"
		}
		if kind := Kind(block); kind != Audio && kind != Video {
			continue
		} else if d := Direction(block); d != "inactive" && (!known || s.Kind != kind || d != want) {
			out[i+1] = Direct(block, "inactive")
		}
	}
	return strings.Join(out, "")
}

// InUse says by mid which sections of an offer are not inactive.
func InUse(offer string) map[string]bool {
	out := map[string]bool{}
	for _, block := range Blocks(offer)[1:] {
		out[Attribute(block, "mid")] = Direction(block) != "inactive"
	}
	return out
}

// msid is made with its first use: programs that have this package pay for what
// they use.
var msid = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`msid:\S+ \S+`) })

// Label gives the sections of an answer the streams of their subscriptions: the
// SDK takes the tracks of one stream for one subscription.
func Label(answer string, announced map[string]Section) string {
	out := Blocks(answer)
	for i, block := range out[1:] {
		mid := Attribute(block, "mid")
		if s, known := announced[mid]; known && !s.Sends {
			out[i+1] = msid().ReplaceAllLiteralString(block, "msid:"+s.Session+" "+s.Session+"-"+mid)
		}
	}
	return strings.Join(out, "")
}
