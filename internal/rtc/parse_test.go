package rtc

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pion/rtp/codecs"
)

// pion's parser is the oracle of ours.
func FuzzVP8(f *testing.F) {
	f.Add([]byte{0x90, 0xe0, 0x81, 0x02, 0x05, 0x20, 0x00, 0x9d, 0x01, 0x2a})
	f.Add([]byte{0x10, 0x00})
	f.Add([]byte{0x90, 0x80, 0x11, 0x00})
	f.Fuzz(func(t *testing.T, p []byte) {
		d, ok := parseVP8(p)
		vp8Size(p)
		if len(p) > 0 {
			h264Size(p)
		}
		var theirs codecs.VP8Packet
		if _, err := theirs.Unmarshal(p); err == nil && ok {
			if theirs.PictureID != d.picture || theirs.TL0PICIDX != d.tl0 || theirs.TID != d.temporal || (theirs.S == 1 && theirs.PID == 0) != d.start {
				t.Errorf("% x: %+v, pion reads %+v", p, d, theirs)
			}
		}
		if !ok {
			return
		}
		moved := bytes.Clone(p)
		d.shift(moved, 5, 7)
		again, ok := parseVP8(moved)
		mask := uint16(0x7f)
		if d.long {
			mask = 0x7fff
		}
		if !ok || d.pictureAt > 0 && again.picture != (d.picture+5)&mask || d.tl0At > 0 && again.tl0 != d.tl0+7 {
			t.Errorf("% x moved is % x", p, moved)
		}
		again.shift(moved, ^uint16(4), ^uint8(6))
		if !bytes.Equal(moved, p) {
			t.Errorf("% x moved on and back is % x", p, moved)
		}
	})
}

func FuzzKeyFrame(f *testing.F) {
	f.Add([]byte{0x78, 0x00, 0x02, 0x67, 0x42}, 3)
	f.Add([]byte{0x8c, 0x80, 0x01}, 2)
	f.Fuzz(func(_ *testing.T, p []byte, c int) { beginsKeyFrame(codec(c), p) })
}

func FuzzOffer(f *testing.F) {
	f.Add("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=sendonly\r\na=rid:q send\r\na=simulcast:send q;~h,x;f\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseOffer(text, DefaultLimits())
		if err == nil && bytes.Contains([]byte(d.sdp), []byte("\na=candidate:")) {
			t.Errorf("the offer still has candidates: %q", d.sdp)
		}
	})
}

func TestKeyFrames(t *testing.T) {
	for name, c := range map[string]struct {
		codec codec
		p     []byte
		want  bool
	}{
		"VP8 key":              {vp8Codec, []byte{0x10, 0x00, 0, 0}, true},
		"VP8 delta":            {vp8Codec, []byte{0x10, 0x01}, false},
		"VP8 rest of a key":    {vp8Codec, []byte{0x00, 0x00}, false},
		"VP9 key":              {vp9Codec, []byte{0x88, 0x01, 0x00}, true},
		"VP9 delta":            {vp9Codec, []byte{0xc8, 0x01, 0x00}, false},
		"VP9 upper layer":      {vp9Codec, []byte{0xa8, 0x01, 0x02}, false},
		"H264 parameters":      {h264Codec, []byte{0x67, 0x42}, true},
		"H264 several in one":  {h264Codec, []byte{0x78, 0, 1, 0x09, 0, 2, 0x67, 0x42}, true},
		"H264 fragment of IDR": {h264Codec, []byte{0x7c, 0x85}, true},
		"H264 delta":           {h264Codec, []byte{0x61, 0x42}, false},
		"AV1 key":              {av1Codec, []byte{0x18, 0x0a}, true},
		"AV1 delta":            {av1Codec, []byte{0x10, 0x32}, false},
		"empty":                {vp8Codec, nil, false},
	} {
		if got := beginsKeyFrame(c.codec, c.p); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSimulcastOfAnOffer(t *testing.T) {
	for text, want := range map[string][]string{
		"send q;h;f": {"q", "h", "f"}, "recv x send ~q,z;h": {"q", "h"}, "recv a": nil, "": nil, "send": nil,
	} {
		if got := parseSimulcast(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
