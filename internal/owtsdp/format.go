package owtsdp

import (
	"slices"
	"strings"
)

// Format is how a track is encoded, in OWT's words.
type Format struct {
	Codec      string `json:"codec"`
	Profile    string `json:"profile,omitempty"`
	SampleRate int    `json:"sampleRate,omitempty"`
	ChannelNum int    `json:"channelNum,omitempty"`
}

// Opus is the format of what browsers send of their microphones.
var Opus = Format{Codec: "opus", SampleRate: 48000, ChannelNum: 2}

var codecs = map[string]string{
	"opus": "opus", "pcmu": "pcmu", "pcma": "pcma", "g722": "g722", "vp8": "vp8", "vp9": "vp9", "h264": "h264", "h265": "h265", "av1": "av1",
}

// profiles are OWT's names of H.264's, by the first byte of profile-level-id.
var profiles = map[string]string{"42": "B", "4d": "M", "64": "H"}

// FormatOf is the codec that an answer chose for a section; nil if OWT has no
// name for it.
func FormatOf(answer, mid string) *Format {
	for _, block := range Blocks(answer)[1:] {
		if Attribute(block, "mid") != mid {
			continue
		}
		line, _, _ := strings.Cut(block, "\n")
		if words := strings.Fields(line); len(words) > 3 {
			return formatNamed(block, words[3])
		}
	}
	return nil
}

func formatNamed(block, payloadType string) *Format {
	name := strings.ToLower(after(block, "\na=rtpmap:"+payloadType+" "))
	name, _, _ = strings.Cut(name, "/")
	f := Format{Codec: codecs[name]}
	switch f.Codec {
	case "":
		return nil
	case "opus":
		return &Opus
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

// Preference is which formats a section may have, as OWT's conference says it.
type Preference struct {
	// Preferred is taken where the client offers it.
	Preferred *Format `json:"preferred,omitempty"`
	// Optional are taken otherwise: the first that the client offers.
	Optional []Format `json:"optional,omitempty"`
}

// has reports whether a codec is among those that may be taken.
func (p Preference) has(codec string) bool {
	return slices.ContainsFunc(p.Optional, func(f Format) bool { return f.Codec == codec })
}

// payload is a payload type of an offer that can be forwarded.
type payload struct {
	id string
	Format
}

// Choose leaves in a section of an offer what the preference allows: where the
// client sends, the format that it is to send, and where it receives that and the
// optional ones. The format is nil where the client offers none of them; the
// section is then as before.
func Choose(block string, p Preference) (string, *Format) {
	offered := oneH264(payloads(block), p)
	chosen := -1
	if p.Preferred != nil {
		chosen = slices.IndexFunc(offered, func(o payload) bool { return o.Codec == p.Preferred.Codec })
	}
	if chosen < 0 {
		chosen = slices.IndexFunc(offered, func(o payload) bool { return p.has(o.Codec) })
	}
	if chosen < 0 {
		return block, nil
	}
	kept := []string{offered[chosen].id}
	for i, o := range offered {
		if i != chosen && Direction(block) == "recvonly" && p.has(o.Codec) {
			kept = append(kept, o.id)
		}
	}
	return keep(block, kept), p.named(offered[chosen].Format)
}

// named is the format with what the preference says of it beside the codec: an
// offer does not say how often sound is sampled.
func (p Preference) named(f Format) *Format {
	all := p.Optional
	if p.Preferred != nil {
		all = append([]Format{*p.Preferred}, all...)
	}
	i := slices.IndexFunc(all, func(o Format) bool { return o.Codec == f.Codec })
	f.SampleRate, f.ChannelNum = all[i].SampleRate, all[i].ChannelNum
	return &f
}

// payloads are those of a section that can be forwarded, in its order.
func payloads(block string) (out []payload) {
	line, _, _ := strings.Cut(block, "\n")
	words := strings.Fields(line)
	for _, id := range words[min(3, len(words)):] {
		parameters := after(block, "\na=fmtp:"+id+" ")
		if strings.Contains(parameters, "packetization-mode=0") || strings.Contains(parameters, "profile-id=2") {
			continue // of H.264 and of VP9: browsers do not agree on them
		}
		if f := formatNamed(block, id); f != nil {
			out = append(out, payload{id, *f})
		}
	}
	return out
}

// oneH264 leaves one profile of H.264: that of the preferred format, of an
// optional one, or any.
func oneH264(all []payload, p Preference) []payload {
	is := func(o payload) bool { return o.Codec == "h264" }
	best := slices.IndexFunc(all, func(o payload) bool { return is(o) && p.Preferred != nil && o.Format == *p.Preferred })
	if best < 0 {
		best = slices.IndexFunc(all, func(o payload) bool { return is(o) && slices.Contains(p.Optional, o.Format) })
	}
	if best < 0 {
		best = slices.IndexFunc(all, is)
	}
	var out []payload
	for i, o := range all {
		if !is(o) || i == best {
			out = append(out, o)
		}
	}
	return out
}

// keep leaves some payload types in a section, in that order, and what
// retransmits them.
func keep(block string, ids []string) string {
	head, rest, _ := strings.Cut(block, "\n")
	words := strings.Fields(head)
	for _, id := range words[3:] {
		if apt, found := strings.CutPrefix(after(block, "\na=fmtp:"+id+" "), "apt="); found && slices.Contains(ids, apt) {
			ids = append(ids, id)
		}
	}
	var out strings.Builder
	out.WriteString(strings.Join(append(words[:3:3], ids...), " ") + "\r\n")
	for line := range strings.Lines(rest) {
		if id := payloadOf(line); id == "" || id == "*" || slices.Contains(ids, id) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// payloadOf is the payload type that a line is about, "" if it is about none.
func payloadOf(line string) string {
	for _, name := range []string{"a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"} {
		if rest, found := strings.CutPrefix(line, name); found {
			id, _, _ := strings.Cut(rest, " ")
			return strings.TrimSpace(id)
		}
	}
	return ""
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
