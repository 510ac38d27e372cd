package rtc

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// mostResent is how many packets a slot sends again in a second: a subscriber
// that asks for more has a line that more packets do not help.
const mostResent = 300

var errPadding = errors.New("rtc: RTP padding is longer than the packet")

// slot is a media section of a subscriber. It is pion's TrackLocal for that
// section, whichever track it carries.
type slot struct {
	session *session
	mid     string
	kind    webrtc.RTPCodecType

	mu sync.Mutex
	// source is the track that it carries; nil: none.
	source *track
	// current is the layer that is sent, -1 before the first key frame; target
	// and temporal are what the allocator chose.
	current, target int
	temporal        uint8
	paused          bool
	// rid is the encoding that it keeps to; "" is any.
	rid string
	// only: the layer is target, whatever the allocator says.
	only bool
	// held is why it does not get the best layer that there is.
	held   string
	number numbering

	// what was negotiated
	writer     webrtc.TrackLocalWriter
	codecs     []webrtc.RTPCodecParameters
	ssrc, rtx  webrtc.SSRC
	sequenceID uint8 // of transport-cc; 0: not negotiated

	// of the codec of the source
	payloadType, rtxType uint8
	clockRate            uint32
	supported            bool

	header    rtp.Header
	attribute interceptor.Attributes
	sequence  [2]byte
	scratch   []byte
	rtxNext   uint16
	resent    int
	packets   uint32
	octets    uint32
	lastSent  time.Time
}

func newSlot(s *session, mid string, kind webrtc.RTPCodecType) *slot {
	return &slot{session: s, mid: mid, kind: kind, current: -1, attribute: interceptor.Attributes{}}
}

// ID, RID, StreamID and Kind are webrtc.TrackLocal's.
func (s *slot) ID() string                { return "slot" + s.mid }
func (s *slot) RID() string               { return "" }
func (s *slot) StreamID() string          { return "room" }
func (s *slot) Kind() webrtc.RTPCodecType { return s.kind }

// Bind takes what was negotiated, which pion knows only now.
func (s *slot) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := c.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	var sequenceID uint8
	for _, e := range c.HeaderExtensions() {
		if e.URI == transportCC {
			sequenceID = uint8(e.ID)
		}
	}
	writer := s.session.writer(c, sequenceID) // locks the session, which goes before slots
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codecs, s.sequenceID, s.writer = codecs, sequenceID, writer
	s.ssrc, s.rtx = c.SSRC(), c.SSRCRetransmission()
	s.header = rtp.Header{Version: 2, SSRC: uint32(s.ssrc)}
	if s.source != nil {
		s.choose(s.source.mime)
	}
	return s.codecs[0], nil
}

// Unbind is webrtc.TrackLocal's.
func (s *slot) Unbind(webrtc.TrackLocalContext) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer = nil
	return nil
}

// choose finds the payload types of a codec among those negotiated.
func (s *slot) choose(mime string) {
	s.supported, s.rtxType = false, 0
	for _, c := range s.codecs {
		if strings.EqualFold(c.MimeType, mime) {
			s.payloadType, s.clockRate, s.supported = uint8(c.PayloadType), c.ClockRate, true
			break
		}
	}
	for _, c := range s.codecs {
		if strings.EqualFold(c.MimeType, webrtc.MimeTypeRTX) && s.supported &&
			strings.Contains(c.SDPFmtpLine, "apt="+strconv.Itoa(int(s.payloadType))) {
			s.rtxType = uint8(c.PayloadType)
		}
	}
}

// begin carries another track from now on. The caller has locked the track.
func (s *slot) begin(t *track) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source, s.current = t, -1
	s.choose(t.mime)
}

// leave carries nothing from now on, and returns what it carried.
func (s *slot) leave() *track {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.source
	s.source = nil
	return t
}

// aim sets the layer that the allocator chose.
func (s *slot) aim(l Layer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused && ok {
		s.current = -1 // what was missed needs a key frame
	}
	s.paused, s.target, s.temporal = !ok, l.Encoding, uint8(l.Temporal)
}

// keepTo has the slot get one encoding only, or any again.
func (s *slot) keepTo(rid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rid = rid
}

// encoding is the one that the slot keeps to, if the track has it.
func (s *slot) encoding(t *track) (rank int, only bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rank, only = t.ranks[s.rid]
	return rank, only
}

// fix has it send one layer and no other.
func (s *slot) fix(layer int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.only, s.target, s.temporal = true, min(max(layer, 0), mostLayers-1), mostTemporal-1
}

// fixed reports whether it sends one layer only, and pauses it while that does not
// arrive.
func (s *slot) fixed(layers []Layer) bool {
	s.mu.Lock()
	only, target := s.only, s.target
	s.mu.Unlock()
	if only {
		arrives := slices.ContainsFunc(layers, func(l Layer) bool { return l.Encoding == target })
		s.aim(Layer{Encoding: target, Temporal: mostTemporal - 1}, arrives)
	}
	return only
}

// needs are the layers that it sends, or will, a bit each.
func (s *slot) needs() (layers uint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.kind == webrtc.RTPCodecTypeAudio:
		return 1
	case s.paused:
		return 0
	case s.current >= 0 && s.source != nil:
		layers = 1 << s.current
	}
	return layers | 1<<s.target
}

// hold notes why the slot does not get the best layer that there is.
func (s *slot) hold(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = why
}

// waiting reports whether the slot needs a key frame to go on.
func (s *slot) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source != nil && s.kind == webrtc.RTPCodecTypeVideo && !s.paused && s.writer != nil &&
		(s.current < 0 || s.current != s.target)
}

// forward sends a packet on, if it is of the layer that is wanted. It reports
// whether a key frame is needed. The caller has locked the track.
func (s *slot) forward(t *track, l *layer, p *packet, now time.Time) (needsKey bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer == nil || s.paused || s.source != t {
		return false
	}
	if !s.supported {
		if s.choose(t.mime); !s.supported {
			return false
		}
	}
	if s.current < 0 && l.isFresh(now) {
		if l.index == s.target || !s.only && !t.layers[s.target].isFresh(now) {
			s.catchUp(l, now)
		}
		return false
	}
	if s.current != l.index {
		if !s.mayBegin(t, l, p) {
			return s.current < 0 && (!s.only || l.index == s.target)
		}
		s.switchTo(l, p, now)
		if !s.pass(p, now) {
			s.current = -1
		}
		return false
	}
	s.pass(p, now)
	return false
}

// catchUp begins with the layer's last key frame, and sends what has come since:
// often it came while the subscriber was still connecting. The caller has locked
// the track and s.
func (s *slot) catchUp(l *layer, now time.Time) {
	for n := l.key; int16(l.ring.highest-n) >= 0; n++ {
		p, ok := l.ring.get(n)
		switch {
		case !ok: // lost, or not here yet
			continue
		case s.current < 0:
			s.switchTo(l, p, l.keyed)
		}
		if !s.pass(p, now) {
			s.current = -1
			return
		}
	}
}

// switchTo begins the layer with a packet that arrived then.
func (s *slot) switchTo(l *layer, p *packet, arrived time.Time) {
	// Two layers may arrive at once, each with a time of its own.
	elapsed := uint32(max(0, arrived.Sub(s.lastSent).Seconds()) * float64(s.clockRate))
	s.number.switchTo(int8(l.index), p, elapsed)
	s.current = l.index
}

// pass sends a packet of the current layer, unless it is to be left out. It is
// false where the connection takes none yet: then the layer has not begun.
func (s *slot) pass(p *packet, now time.Time) (ready bool) {
	numbers, ok := s.number.pass(p, s.temporal)
	if !ok || len(p.payload) == 0 {
		return true
	}
	s.lastSent = now
	s.packets++
	s.octets += uint32(len(p.payload))
	return s.send(p, numbers, false)
}

// mayBegin says whether the slot may begin to carry the layer with this packet:
// with a key frame, of the layer that is wanted or, before the first picture,
// of any. What has only one layer begins with any packet; its subscriber asks
// for a key frame itself.
func (s *slot) mayBegin(t *track, l *layer, p *packet) bool {
	if !t.simulcast() {
		return true
	}
	if rank, only := t.ranks[s.rid]; only {
		return p.key && l.index == rank
	}
	return p.key && (l.index == s.target || s.current < 0 && !s.only)
}

// send writes a packet with the subscriber's numbers.
func (s *slot) send(p *packet, n sent, again bool) (ready bool) {
	h := &s.header
	h.Marker, h.SequenceNumber, h.Timestamp = p.marker, n.out, p.timestamp+n.timestamp
	h.PayloadType, h.SSRC = s.payloadType, uint32(s.ssrc)
	payload := p.payload
	shifted := p.vp8.pictureAt > 0 && (n.picture != 0 || n.tl0 != 0)
	switch repair := again && s.rtxType != 0 && s.rtx != 0; {
	case repair: // RFC 4588: the number of the packet goes before its payload
		s.scratch = append(append(s.scratch[:0], byte(n.out>>8), byte(n.out)), payload...)
		payload = s.scratch
		if shifted {
			p.vp8.shift(payload[2:], n.picture, n.tl0)
		}
		h.SequenceNumber, h.PayloadType, h.SSRC = s.rtxNext, s.rtxType, uint32(s.rtx)
		s.rtxNext++
	case shifted:
		s.scratch = append(s.scratch[:0], payload...)
		payload = s.scratch
		p.vp8.shift(payload, n.picture, n.tl0)
	}
	s.session.server.count.sent.Add(1)
	return s.session.send(s, h, payload)
}

// control answers what the subscriber says of the stream, until it ends.
func (s *slot) control(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		s.session.feedback(packets)
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				s.askKeyFrame()
			case *rtcp.TransportLayerNack:
				s.resend(p)
			}
		}
	}
}

func (s *slot) carried() *track {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source
}

func (s *slot) askKeyFrame() {
	if t := s.carried(); t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.askKeyFrame(time.Now())
	}
}

// resend sends again what the subscriber misses, from the source's ring.
func (s *slot) resend(n *rtcp.TransportLayerNack) {
	t := s.carried()
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source != t || s.writer == nil {
		return
	}
	for _, pair := range n.Nacks {
		pair.Range(func(out uint16) bool {
			numbers, ok := s.number.find(out)
			if !ok || numbers.layer < 0 || t.layers[numbers.layer] == nil || s.resent >= mostResent {
				return s.resent < mostResent
			}
			if p, ok := t.layers[numbers.layer].ring.get(numbers.in); ok && len(p.payload) > 0 {
				s.resent++
				s.session.server.count.resent.Add(1)
				s.send(p, numbers, true)
			}
			return true
		})
	}
}

// report is what a subscriber needs to play sound and picture together.
func (s *slot) report(now time.Time) *rtcp.SenderReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resent = 0
	if s.packets == 0 || s.clockRate == 0 || s.writer == nil {
		return nil
	}
	since := uint32(max(0, now.Sub(s.lastSent).Seconds()) * float64(s.clockRate))
	return &rtcp.SenderReport{
		SSRC: uint32(s.ssrc), NTPTime: ntp(now), RTPTime: s.number.lastTimestamp + since,
		PacketCount: s.packets, OctetCount: s.octets,
	}
}

// ntp is a time as RTCP has it: seconds since 1900, and a fraction.
func ntp(t time.Time) uint64 {
	const from1900 = 2208988800
	seconds := uint64(t.Unix()) + from1900
	return seconds<<32 | uint64(t.Nanosecond())<<32/1e9
}
