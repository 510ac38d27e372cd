package rtc

import "strings"

// codec is the format of a track's payload, as far as the SFU looks into it.
type codec int

const (
	otherCodec codec = iota
	vp8Codec
	vp9Codec
	h264Codec
	av1Codec
)

var codecNames = map[string]codec{"video/vp8": vp8Codec, "video/vp9": vp9Codec, "video/h264": h264Codec, "video/av1": av1Codec}

// codecOf finds a codec by its MIME type.
func codecOf(mime string) codec { return codecNames[strings.ToLower(mime)] }

// beginsKeyFrame reports whether the payload is the first packet of a key
// frame: a decoder can begin there. Of a payload that cannot be read, such as
// an encrypted one whose codec keeps no clear header, it is false.
func beginsKeyFrame(c codec, p []byte) bool {
	switch c {
	case vp8Codec:
		d, ok := parseVP8(p)
		return ok && d.key
	case vp9Codec:
		return vp9Key(p)
	case h264Codec:
		return h264Key(p)
	case av1Codec:
		// The aggregation header says that a coded video sequence begins.
		return len(p) > 1 && p[0]&0x08 != 0
	}
	return false
}

// vp9Key reads the descriptor of draft-ietf-payload-vp9 (RFC 9628).
func vp9Key(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	first, at := p[0], 1
	predicted, layers, begins := first&0x40 != 0, first&0x20 != 0, first&0x08 != 0
	if first&0x80 != 0 { // a picture number
		if p[at]&0x80 != 0 {
			at++
		}
		at++
	}
	if predicted || !begins {
		return false
	}
	if !layers {
		return true
	}
	return len(p) > at && p[at]>>1&0x07 == 0 // the lowest spatial layer
}

// The types of H.264's units (RFC 6184).
const (
	h264IDR   = 5
	h264SPS   = 7
	h264StapA = 24
	h264FuA   = 28
)

// h264Key finds a parameter set, which browsers send before each key frame, or
// the beginning of an instantaneous refresh.
func h264Key(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	switch p[0] & 0x1f {
	case h264SPS, h264IDR:
		return true
	case h264FuA:
		return p[1]&0x80 != 0 && p[1]&0x1f == h264IDR
	case h264StapA:
		for at := 1; at+2 < len(p); {
			size := int(p[at])<<8 | int(p[at+1])
			if unit := p[at+2] & 0x1f; unit == h264SPS || unit == h264IDR {
				return true
			}
			at += 2 + size
		}
	}
	return false
}
