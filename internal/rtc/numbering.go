package rtc

// historySize is how many packets a slot knows of those it sent. It is a power
// of two, and no smaller than ringSize.
const historySize = 512

// sent is how a packet of a source was numbered for a subscriber.
type sent struct {
	in, out uint16
	// picture and tl0 are what was added to the numbers of VP8.
	picture uint16
	tl0     uint8
	layer   int8
	// timestamp is what was added to the packet's.
	timestamp uint32
}

// numbering gives a subscriber one stream without gaps, whatever is left out
// and whichever layer it comes from: RTP sequence numbers and timestamps, and
// VP8's picture numbers. It remembers what it gave, so that a packet that is
// asked for again, or that comes late, gets the same numbers.
type numbering struct {
	layer int8
	begun bool

	highestIn, nextOut uint16
	// the differences that are added at present
	picture   uint16
	tl0       uint8
	timestamp uint32
	// the last numbers that went out
	lastPicture   uint16
	lastTL0       uint8
	lastTimestamp uint32
	// temporal is the highest temporal layer that passes at present.
	temporal uint8
	// dropping: the frame that the source is sending is left out.
	dropping bool

	history [historySize]sent
	known   [historySize]bool
	byIn    [historySize]uint16
}

// switchTo begins another source at its packet p, which begins a key frame.
// elapsed is the time since the last packet, in units of the timestamp.
func (n *numbering) switchTo(layer int8, p *packet, elapsed uint32) {
	n.layer, n.dropping = layer, false
	n.highestIn = p.number - 1
	if !n.begun {
		n.begun, n.nextOut = true, p.number
		return
	}
	n.timestamp = n.lastTimestamp + max(elapsed, 1) - p.timestamp
	n.picture = n.lastPicture + 1 - p.vp8.picture
	n.tl0 = n.lastTL0 + 1 - p.vp8.tl0
}

// pass numbers a packet of the layer. temporal is the highest temporal layer
// that is wanted. ok is false where the packet is left out.
func (n *numbering) pass(p *packet, temporal uint8) (s sent, ok bool) {
	ahead := int16(p.number - n.highestIn)
	if ahead <= 0 {
		return n.lateNumber(p)
	}
	if ahead > historySize { // so much was lost that nothing of it is to be sent
		n.highestIn = p.number - 1
		ahead = 1
	}
	for missing := n.highestIn + 1; missing != p.number; missing++ {
		n.give(missing) // it may come late
	}
	n.highestIn = p.number
	if p.start {
		n.limit(p, temporal)
		n.dropping = p.temporal > n.temporal
		if n.dropping && p.vp8.pictureAt > 0 {
			n.picture--
		}
	}
	if n.dropping {
		return sent{}, false
	}
	s = n.give(p.number)
	n.lastTimestamp = p.timestamp + s.timestamp
	n.lastPicture, n.lastTL0 = p.vp8.picture+s.picture, p.vp8.tl0+s.tl0
	return s, true
}

// limit lowers the temporal layers that pass at once, and raises them where a
// decoder can follow.
func (n *numbering) limit(p *packet, wanted uint8) {
	switch {
	case wanted <= n.temporal || p.key:
		n.temporal = wanted
	case p.vp8.sync && p.temporal <= wanted:
		n.temporal = max(n.temporal, p.temporal)
	}
}

// give takes the next number for one of the source.
func (n *numbering) give(in uint16) sent {
	s := sent{in: in, out: n.nextOut, picture: n.picture, tl0: n.tl0, layer: n.layer, timestamp: n.timestamp}
	n.nextOut++
	i := s.out % historySize
	n.history[i], n.known[i] = s, true
	n.byIn[in%historySize] = s.out
	return s
}

// lateNumber finds the number that was kept for a packet that comes late.
func (n *numbering) lateNumber(p *packet) (sent, bool) {
	s, ok := n.find(n.byIn[p.number%historySize])
	if !ok || s.in != p.number || s.layer != n.layer {
		return sent{}, false
	}
	return s, true
}

// find returns what was sent under a number.
func (n *numbering) find(out uint16) (sent, bool) {
	i := out % historySize
	if !n.known[i] || n.history[i].out != out {
		return sent{}, false
	}
	return n.history[i], true
}
