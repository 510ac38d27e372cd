package rtc

import "github.com/muster-fleet/muster/internal/h264"

// size is that of a picture, in pixels; 0 is not known.
type size struct{ width, height int }

// vp8Size reads the beginning of a key frame of VP8 (RFC 6386, section 9.1).
func vp8Size(frame []byte) size {
	if len(frame) < 10 || frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a {
		return size{}
	}
	return size{(int(frame[6]) | int(frame[7])<<8) & 0x3fff, (int(frame[8]) | int(frame[9])<<8) & 0x3fff}
}

// h264Size reads the parameter set that a packet of H.264 has: it is the packet,
// or the first of several units in it (RFC 6184, section 5.7.1).
func h264Size(p []byte) size {
	unit := p
	if p[0]&0x1f == h264StapA && len(p) > 3 {
		n := int(p[1])<<8 | int(p[2])
		unit = p[3:min(3+n, len(p))]
	}
	shown, err := h264.ReadSPS(unit)
	if err != nil {
		return size{}
	}
	return size{shown.Width, shown.Height}
}
