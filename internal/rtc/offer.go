package rtc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// description is what the SFU reads of an offer.
type description struct {
	sdp   string
	media []media
}

type media struct {
	mid      string
	kind     webrtc.RTPCodecType
	sends    bool
	receives bool
	rids     []string
}

var errNoMedia = errors.New("rtc: the offer has no audio and no video section")

// parseOffer reads an offer, and drops what must not be used.
func parseOffer(text string, limits Limits) (*description, error) {
	if len(text) > limits.SDP {
		return nil, fmt.Errorf("rtc: the offer has %d bytes; %d is the limit", len(text), limits.SDP)
	}
	var parsed sdp.SessionDescription
	if err := parsed.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("rtc: the offer is no SDP: %w", err)
	}
	if n := len(parsed.MediaDescriptions); n > limits.Sections {
		return nil, fmt.Errorf("rtc: the offer has %d sections; %d is the limit", n, limits.Sections)
	}
	d := &description{}
	for _, m := range parsed.MediaDescriptions {
		m.Attributes = withoutCandidates(m.Attributes)
		section, err := parseMedia(&parsed, m)
		if err != nil {
			return nil, err
		}
		if section.kind != 0 {
			d.media = append(d.media, section)
		}
	}
	if len(d.media) == 0 {
		return nil, errNoMedia
	}
	parsed.Attributes = withoutCandidates(parsed.Attributes)
	clean, err := parsed.Marshal()
	if err != nil {
		return nil, fmt.Errorf("rtc: the offer is no SDP: %w", err)
	}
	d.sdp = string(clean)
	return d, nil
}

// withoutCandidates drops the client's addresses: with them, a client could
// have us send packets to anyone.
func withoutCandidates(attributes []sdp.Attribute) []sdp.Attribute {
	return slices.DeleteFunc(attributes, func(a sdp.Attribute) bool {
		return a.Key == "candidate" || a.Key == "end-of-candidates" || a.Key == "remote-candidates"
	})
}

func parseMedia(all *sdp.SessionDescription, m *sdp.MediaDescription) (media, error) {
	out := media{kind: webrtc.NewRTPCodecType(m.MediaName.Media)}
	mid, ok := m.Attribute("mid")
	if !ok || mid == "" {
		return out, errors.New("rtc: a section of the offer has no mid")
	}
	out.mid = mid
	direction := "sendrecv"
	for _, d := range []string{"sendonly", "recvonly", "inactive", "sendrecv"} {
		_, inMedia := m.Attribute(d)
		_, inAll := all.Attribute(d)
		if inMedia || inAll {
			direction = d
			if inMedia {
				break
			}
		}
	}
	out.sends = direction == "sendonly" || direction == "sendrecv"
	out.receives = direction == "recvonly"
	if simulcast, ok := m.Attribute("simulcast"); ok {
		out.rids = parseSimulcast(simulcast)
	}
	if len(out.rids) > mostLayers {
		return out, fmt.Errorf("rtc: section %s of the offer has %d encodings; %d is the limit", mid, len(out.rids), mostLayers)
	}
	return out, nil
}

// parseSimulcast reads the encodings that the client sends (RFC 8853):
// "send q;h;f", where ~ marks one that is paused and a comma alternatives.
func parseSimulcast(text string) []string {
	words := strings.Fields(text)
	for i := 0; i+1 < len(words); i += 2 {
		if words[i] != "send" {
			continue
		}
		var rids []string
		for rid := range strings.SplitSeq(words[i+1], ";") {
			rid, _, _ = strings.Cut(rid, ",")
			if rid = strings.TrimPrefix(rid, "~"); rid != "" {
				rids = append(rids, rid)
			}
		}
		return rids
	}
	return nil
}

// publishes reports whether the client sends.
func (d *description) publishes() bool {
	return slices.ContainsFunc(d.media, func(m media) bool { return m.sends })
}

// oneWay refuses an offer that sends and receives: sessions do one of them, so
// that what one does not disturb the other.
func (d *description) oneWay() error {
	for _, m := range d.media {
		if m.receives && d.publishes() {
			return fmt.Errorf("rtc: section %s of the offer receives, and others send: a session does one of them, so make two", m.mid)
		}
	}
	return nil
}

// withBitrate tells the client in the answer what its pictures may take together
// (RFC 3890). Browsers keep to it.
func withBitrate(answer string, bitrate int) (string, error) {
	if bitrate <= 0 {
		return answer, nil
	}
	var parsed sdp.SessionDescription
	if err := parsed.UnmarshalString(answer); err != nil {
		return "", fmt.Errorf("rtc: our answer: %w", err)
	}
	var taken []*sdp.MediaDescription
	for _, m := range parsed.MediaDescriptions {
		_, sends := m.Attribute("sendonly")
		_, off := m.Attribute("inactive")
		if m.MediaName.Media == "video" && !sends && !off {
			taken = append(taken, m)
		}
	}
	for _, m := range taken {
		m.Bandwidth = append(m.Bandwidth, sdp.Bandwidth{Type: "TIAS", Bandwidth: uint64(bitrate / len(taken))})
	}
	out, err := parsed.Marshal()
	return string(out), err
}
