package rtc

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
	if len(p) < 1 {
		return d, false
	}
	first, at := p[0], 1
	d.start = first&0x10 != 0 && first&0x07 == 0
	if first&0x80 != 0 {
		if len(p) < 2 {
			return d, false
		}
		flags := p[1]
		at = 2
		if flags&0x80 != 0 {
			if len(p) <= at {
				return d, false
			}
			d.pictureAt = at
			if d.long = p[at]&0x80 != 0; d.long {
				if len(p) <= at+1 {
					return d, false
				}
				d.picture = uint16(p[at]&0x7f)<<8 | uint16(p[at+1])
				at += 2
			} else {
				d.picture = uint16(p[at])
				at++
			}
		}
		if flags&0x40 != 0 {
			if len(p) <= at {
				return d, false
			}
			d.tl0At, d.tl0 = at, p[at]
			at++
		}
		if flags&0x30 != 0 {
			if len(p) <= at {
				return d, false
			}
			if flags&0x20 != 0 {
				d.temporal, d.sync = p[at]>>6, p[at]&0x20 != 0
			}
			at++
		}
	}
	if len(p) <= at {
		return d, false
	}
	d.size = at
	d.key = d.start && p[at]&0x01 == 0
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
