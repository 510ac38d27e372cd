package rtc

// ringSize is how many packets of a source are kept for those who lost some:
// at 300 packets a second, which is 2.5 Mbit/s, 1.7 s. It is a power of two.
const ringSize = 512

// packet is what is kept of an RTP packet of a source. Its payload must not be
// changed.
type packet struct {
	number    uint16
	timestamp uint32
	marker    bool
	// temporal is the temporal layer, start and key what parseVP8 and
	// beginsKeyFrame say.
	temporal   uint8
	start, key bool
	vp8        vp8Descriptor
	payload    []byte
}

// ring holds the last packets of one source, once for all subscribers. It also
// detects duplicates: browsers probe with copies of old packets, which pion
// delivers like any other packet.
type ring struct {
	slots   [ringSize]packet
	used    [ringSize]bool
	highest uint16
	begun   bool
}

// verdict is what a ring says of a packet that arrives.
type verdict int

const (
	fresh     verdict = iota // newer than all before
	late                     // older, and not seen before
	duplicate                // seen before, or too old to know
)

// judge says what a packet of that number is, without storing it.
func (r *ring) judge(number uint16) verdict {
	if !r.begun {
		return fresh
	}
	ahead := int16(number - r.highest)
	switch {
	case ahead > 0:
		return fresh
	case ahead == 0 || ahead <= -ringSize:
		return duplicate
	}
	if i := number % ringSize; r.used[i] && r.slots[i].number == number {
		return duplicate
	}
	return late
}

// put stores a packet that is no duplicate, and returns where it is. The buffer
// of the packet that was there before is used again for the payload.
func (r *ring) put(p packet, payload []byte) *packet {
	i := p.number % ringSize
	p.payload = append(r.slots[i].payload[:0], payload...)
	if !r.begun || int16(p.number-r.highest) > 0 {
		r.highest, r.begun = p.number, true
	}
	r.slots[i], r.used[i] = p, true
	return &r.slots[i]
}

// get returns the packet of that number, if it is still there.
func (r *ring) get(number uint16) (*packet, bool) {
	i := number % ringSize
	if !r.used[i] || r.slots[i].number != number {
		return nil, false
	}
	return &r.slots[i], true
}
