package owtportal

import (
	"regexp"
	"strings"
	"sync"
)

// An SDP is changed as text: what is not understood stays as it is.

// blocks cuts an SDP into what is before its sections, and those.
func blocks(sdp string) []string {
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

// attribute is the value of the first attribute of that name in a section.
func attribute(block, name string) string {
	_, rest, found := strings.Cut(block, "\na="+name+":")
	if !found {
		return ""
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

func kindOfSection(block string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(block, "m="), " ")
	return kind
}

var directions = map[string]bool{"a=sendonly": true, "a=recvonly": true, "a=sendrecv": true, "a=inactive": true}

// direct sets the direction of a section.
func direct(block, direction string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimRight(block, "\r\n") + "\r\n") {
		if !directions[strings.TrimSpace(line)] {
			out.WriteString(line)
		}
	}
	out.WriteString("a=" + direction + "\r\n")
	return out.String()
}

// directionOf is the direction of a section, by default to send and receive. One
// that has several has none of them.
func directionOf(block string) string {
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

// permit makes every section of an offer inactive that nobody has announced.
func permit(offer string, sections map[string]*section) string {
	out := blocks(offer)
	for i, block := range out[1:] {
		s, want := sections[attribute(block, "mid")], "recvonly"
		if s != nil && s.sends {
			want = "sendonly"
		}
		if kind := kindOfSection(block); kind != audio && kind != video {
			continue
		} else if d := directionOf(block); d != "inactive" && (s == nil || s.kind != kind || d != want) {
			out[i+1] = direct(block, "inactive")
		}
	}
	return strings.Join(out, "")
}

// midsOf are the sections of an offer that are in use.
func midsOf(offer string) map[string]bool {
	out := map[string]bool{}
	for _, block := range blocks(offer)[1:] {
		out[attribute(block, "mid")] = directionOf(block) != "inactive"
	}
	return out
}

// msid is made with its first use: programs that have this package pay for what
// they use.
var msid = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`msid:\S+ \S+`) })

// label gives the sections of an answer the streams of their subscriptions: the
// SDK takes the tracks of one stream for one subscription.
func label(answer string, sections map[string]*section) string {
	out := blocks(answer)
	for i, block := range out[1:] {
		mid := attribute(block, "mid")
		if s := sections[mid]; s != nil && !s.sends {
			out[i+1] = msid().ReplaceAllLiteralString(block, "msid:"+s.session+" "+s.session+"-"+mid)
		}
	}
	return strings.Join(out, "")
}

var codecs = map[string]string{
	"opus": "opus", "pcmu": "pcmu", "pcma": "pcma", "g722": "g722", "vp8": "vp8", "vp9": "vp9", "h264": "h264", "h265": "h265", "av1": "av1",
}

// profiles are OWT's names of H.264's, by the first byte of profile-level-id.
var profiles = map[string]string{"42": "B", "4d": "M", "64": "H"}

// formatOf is the codec that an answer chose for a section; nil if OWT has no
// name for it.
func formatOf(answer, mid string) *format {
	for _, block := range blocks(answer)[1:] {
		if attribute(block, "mid") != mid {
			continue
		}
		line, _, _ := strings.Cut(block, "\n")
		if words := strings.Fields(line); len(words) > 3 {
			return formatNamed(block, words[3])
		}
	}
	return nil
}

func formatNamed(block, payloadType string) *format {
	name := strings.ToLower(after(block, "\na=rtpmap:"+payloadType+" "))
	name, _, _ = strings.Cut(name, "/")
	f := format{Codec: codecs[name]}
	switch f.Codec {
	case "":
		return nil
	case "opus":
		return &opus
	case "h264":
		_, id, _ := strings.Cut(strings.ToLower(after(block, "\na=fmtp:"+payloadType+" ")), "profile-level-id=")
		if len(id) >= 4 {
			f.Profile = profiles[id[:2]]
			if f.Profile == "B" && strings.ContainsRune("4567cdef", rune(id[2])) { // constraint_set1_flag
				f.Profile = "CB"
			}
		}
	}
	return &f
}

// after is the rest of the line that begins so.
func after(block, begin string) string {
	_, rest, found := strings.Cut(block, begin)
	if !found {
		return ""
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
