package rtc

import "github.com/pion/rtp/codecs"

// vp8Descriptor is the payload descriptor of a VP8 packet (RFC 7741, section
// 4.2).
type vp8Descriptor struct {
	// size is the length of the descriptor.
	size int
	// start: the packet begins a frame.
	start bool
	// key: it begins a key frame.
	key bool
	// pictureAt, tl0At are where these numbers are in the payload; 0 if absent.
	pictureAt, tl0At int
	// long: the picture number has 15 bits, else 7.
	long bool
	// picture and tl0 are the numbers.
	picture uint16
	tl0     uint8
	// temporal is the temporal layer, 0 where the packet does not say.
	temporal uint8
	// sync: the frame needs only frames of lower temporal layers, so that a
	// decoder can begin with its layer here.
	sync bool
}

// parseVP8 reads the descriptor. ok is false where the payload is too short
// for what it announces.
func parseVP8(p []byte) (d vp8Descriptor, ok bool) {
	var v codecs.VP8Packet
	frame, err := v.Unmarshal(p)
	if err != nil || len(frame) == 0 {
		return d, false
	}
	d = vp8Descriptor{
		size: len(p) - len(frame), start: v.S == 1 && v.PID == 0,
		picture: v.PictureID, tl0: v.TL0PICIDX, temporal: v.TID, sync: v.Y == 1,
	}
	d.key = d.start && frame[0]&0x01 == 0
	at := 2 // the optional numbers begin after two bytes of flags
	if v.I == 1 {
		d.pictureAt, d.long = at, p[at]&0x80 != 0
		at++
		if d.long {
			at++
		}
	}
	if v.L == 1 {
		d.tl0At = at
	}
	return d, true
}

// shift writes the descriptor's numbers, moved on, into a copy of the payload.
func (d vp8Descriptor) shift(p []byte, picture uint16, tl0 uint8) {
	if d.pictureAt > 0 {
		n := d.picture + picture
		if d.long {
			p[d.pictureAt] = 0x80 | byte(n>>8)&0x7f
			p[d.pictureAt+1] = byte(n)
		} else {
			p[d.pictureAt] = byte(n) & 0x7f
		}
	}
	if d.tl0At > 0 {
		p[d.tl0At] = d.tl0 + tl0
	}
}
