package rtc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	// The estimate of what a subscriber's line carries, in bits per second.
	startEstimate = 1_000_000
	leastEstimate = 50_000
	mostEstimate  = 50_000_000
	// unknownHeight is the height of a picture of which the subscriber has not
	// said how high it shows it.
	unknownHeight = 720
	// screenPriority lets a shared screen come before faces.
	screenPriority = 1
)

// session is one PeerConnection.
type session struct {
	server *Server
	room   *room
	id     string
	owner  string
	pc     *webrtc.PeerConnection
	api    *webrtc.API
	// publishes: it sends to us, else it only receives.
	publishes bool
	// link: it is another SFU's.
	link bool
	// connected is closed with the first connection, gone with the last state.
	connected, gone chan struct{}
	ending          sync.Once
	reading         sync.WaitGroup

	// negotiating: one offer at a time, and none after the end.
	negotiating sync.Mutex

	mu sync.Mutex
	// sections are what it publishes, slots what it gets, by mid.
	sections map[string]*track
	slots    map[string]*slot
	view     map[string]int

	allocator Allocator
	estimator *gcc.SendSideBWE
	pacer     interceptor.RTPWriter
	reported  atomic.Bool // transport-cc feedback has come
	// choosing: there is a choice between layers, for which an estimate is
	// needed. It costs a fifth of the processor time, so others go without.
	choosing atomic.Bool
	sequence atomic.Uint32

	// bitrate is the most that it may send, and receive, in bits per second; 0 is
	// no limit.
	bitrate  atomic.Int64
	metering sync.Mutex
	meter    Meter
}

// passes reports whether a picture's packet that the client sends is within its
// limit and that of its room.
func (s *session) passes(bytes int, now time.Time) bool {
	s.metering.Lock()
	own := s.meter.Take(now, bytes, int(s.bitrate.Load()))
	s.metering.Unlock()
	return own && s.room.passes(bytes, now)
}

// negotiate answers an offer.
func (s *session) negotiate(ctx context.Context, d *description) (string, error) {
	s.negotiating.Lock()
	defer s.negotiating.Unlock()
	if s.ended() {
		return "", ErrNoSession
	}
	s.addSections(d)
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: d.sdp}); err != nil {
		return "", fmt.Errorf("rtc: the offer of %s cannot be used: %w", s.id, err)
	}
	if err := s.addSlots(); err != nil {
		return "", err
	}
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("rtc: answering %s: %w", s.id, err)
	}
	gathered := webrtc.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("rtc: answering %s: %w", s.id, err)
	}
	select {
	case <-gathered:
	case <-s.gone:
		return "", ErrNoSession
	case <-ctx.Done():
		return "", fmt.Errorf("rtc: answering %s: %w", s.id, context.Cause(ctx))
	}
	return withBitrate(s.pc.LocalDescription().SDP, int(s.bitrate.Load()))
}

func (s *session) ended() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// addSections makes a track of each section in which the client sends.
func (s *session) addSections(d *description) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range d.media {
		if m.sends && s.sections[m.mid] == nil {
			s.sections[m.mid] = &track{room: s.room, kind: m.kind, from: s, ranks: rankRIDs(m.rids)}
		}
	}
}

// addSlots gives each section in which the client receives a sender, by its
// mid: AddTrack might take another section of the same kind.
func (s *session) addSlots() error {
	for _, t := range s.pc.GetTransceivers() {
		if t.Direction() != webrtc.RTPTransceiverDirectionSendonly || t.Sender() != nil {
			continue
		}
		slot := newSlot(s, t.Mid(), t.Kind())
		sender, err := s.api.NewRTPSender(slot, s.pc.SCTP().Transport())
		if err == nil {
			err = t.SetSender(sender, slot)
		}
		if err != nil {
			return fmt.Errorf("rtc: section %s of %s: %w", t.Mid(), s.id, err)
		}
		s.mu.Lock()
		s.slots[t.Mid()] = slot
		s.mu.Unlock()
		s.reading.Go(func() { slot.control(sender) })
	}
	return nil
}

// apply takes a change of what is published and wanted.
func (s *session) apply(c Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended() {
		return ErrNoSession // what it published and wanted has been taken out of the room
	}
	for mid, t := range c.Publish {
		section := s.sections[mid]
		if section == nil {
			return fmt.Errorf("rtc: %s publishes %s in section %q, which its offer does not have", s.id, t.ID, mid)
		}
		if err := s.room.publish(section, t); err != nil {
			return err
		}
	}
	for mid, id := range c.Want {
		slot := s.slots[mid]
		if slot == nil {
			return fmt.Errorf("rtc: %s wants %s in section %q, which its offer does not have", s.id, id, mid)
		}
		if layer, ok := c.Layers[mid]; ok {
			slot.fix(layer)
		}
		s.room.want(slot, id)
	}
	for mid, rid := range c.Encoding {
		slot := s.slots[mid]
		if slot == nil {
			return fmt.Errorf("rtc: %s wants the encoding %s in section %q, which its offer does not have", s.id, rid, mid)
		}
		slot.keepTo(rid)
	}
	if c.View != nil {
		s.view = maps.Clone(c.View)
	}
	return nil
}

// onTrack reads what a publisher begins to send.
func (s *session) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	mid := receiver.RTPTransceiver().Mid()
	s.mu.Lock()
	t := s.sections[mid]
	s.mu.Unlock()
	if t == nil {
		return
	}
	var level uint8
	for _, e := range receiver.GetParameters().HeaderExtensions {
		if e.URI == audioLevel {
			level = uint8(e.ID)
		}
	}
	t.read(remote, level)
}

// askKeyFrame asks the client for a key frame. One that is gone does not hear it.
func (s *session) askKeyFrame(l *layer) {
	_ = s.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(l.ssrc)}})
}

// writer is where a slot writes: past the estimator, where there is
// transport-cc.
func (s *session) writer(c webrtc.TrackLocalContext, sequenceID uint8) webrtc.TrackLocalWriter {
	stream := c.WriteStream()
	if sequenceID == 0 {
		return stream
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.estimator == nil {
		s.estimator = newEstimator()
	}
	write := interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
		return stream.WriteRTP(h, payload)
	})
	extensions := []interceptor.RTPHeaderExtension{{URI: transportCC, ID: int(sequenceID)}}
	for _, n := range []webrtc.SSRC{c.SSRC(), c.SSRCRetransmission()} {
		pacer := s.estimator.AddStream(&interceptor.StreamInfo{SSRC: uint32(n), RTPHeaderExtensions: extensions}, write)
		if s.pacer == nil {
			s.pacer = pacer
		}
	}
	return stream
}

func newEstimator() *gcc.SendSideBWE {
	e, err := gcc.NewSendSideBWE(
		gcc.SendSideBWEInitialBitrate(startEstimate), gcc.SendSideBWEMinBitrate(leastEstimate),
		gcc.SendSideBWEMaxBitrate(mostEstimate), gcc.SendSideBWEPacer(gcc.NewNoOpPacer()))
	if err != nil {
		panic(err) // the options above do not fail
	}
	return e
}

// send writes a packet of a slot, numbered for transport-cc where the client
// wants that. The slot is locked. It reports whether the connection takes packets
// yet; one that is gone is noticed by its state.
func (s *session) send(slot *slot, h *rtp.Header, payload []byte) (ready bool) {
	if slot.sequenceID == 0 || !s.choosing.Load() {
		h.Extension, h.Extensions = false, h.Extensions[:0]
		n, _ := slot.writer.WriteRTP(h, payload)
		return n > 0
	}
	n := s.sequence.Add(1)
	slot.sequence = [2]byte{byte(n >> 8), byte(n)}
	_ = h.SetExtension(slot.sequenceID, slot.sequence[:])
	written, _ := s.pacer.Write(h, payload, slot.attribute)
	return written > 0
}

// feedback takes what the client reports of its line.
func (s *session) feedback(packets []rtcp.Packet) {
	s.mu.Lock()
	e := s.estimator
	s.mu.Unlock()
	if e == nil || !s.choosing.Load() {
		return
	}
	for _, p := range packets {
		if _, ok := p.(*rtcp.TransportLayerCC); ok {
			s.reported.Store(true)
		}
	}
	_ = e.WriteRTCP(packets, nil) // what it cannot read is not about our packets
}

// estimate is what the line carries, 0 where that is not known.
func (s *session) estimate() int {
	s.mu.Lock()
	e := s.estimator
	s.mu.Unlock()
	if e == nil || !s.reported.Load() || !s.choosing.Load() {
		return 0
	}
	return e.GetTargetBitrate()
}

// mostLost is the share of packets from whose loss on a line counts as congested, as
// GCC has it.
const mostLost = 0.1

// congested reports whether packets are late or lost on the client's line.
func (s *session) congested() bool {
	s.mu.Lock()
	e := s.estimator
	s.mu.Unlock()
	if e == nil {
		return false
	}
	stats := e.GetStats()
	lost, _ := stats["averageLoss"].(float64)
	return stats["usage"] == "overuse" || lost > mostLost
}

// line is what is known of the client's line, and what bounds it in words.
func (s *session) line() (l Line, words string) {
	l = Line{Estimate: s.estimate(), Limit: int(s.bitrate.Load())}
	l.Congested = l.Estimate > 0 && s.congested()
	if l.Limit > 0 && (l.Estimate == 0 || l.Limit < l.Estimate) {
		return l, fmt.Sprintf("its role may get %d kbit/s", l.Limit/1000)
	}
	return l, fmt.Sprintf("the line carries %d kbit/s", l.Estimate/1000)
}

// allocate chooses the layers of everything that the client gets.
func (s *session) allocate(now time.Time) {
	s.mu.Lock()
	slots := slices.Collect(maps.Values(s.slots))
	view := s.view
	s.mu.Unlock()
	var demands []Demand
	bySlot := map[*slot]Demand{}
	choice := false
	for _, slot := range slots {
		t := slot.carried()
		if t == nil || slot.kind != webrtc.RTPCodecTypeVideo {
			continue
		}
		d := t.demand(now, view)
		if rank, only := slot.encoding(t); only {
			d.Layers = slices.DeleteFunc(d.Layers, func(l Layer) bool { return l.Encoding != rank })
		}
		if slot.fixed(d.Layers) {
			continue
		}
		if len(d.Layers) == 0 && d.Height > 0 {
			slot.hold(s.allocator.Held(now, "", d))
			continue // nothing arrives yet
		}
		d.Track = slot.mid + " " + d.Track // one track may be wanted twice
		bySlot[slot] = d
		demands = append(demands, d)
		choice = choice || len(d.Layers) > 1
	}
	s.choosing.Store(choice)
	if len(bySlot) == 0 {
		return
	}
	line, words := s.line()
	chosen := s.allocator.Allocate(now, line, demands)
	for slot, d := range bySlot {
		l, ok := chosen[d.Track]
		slot.aim(l, ok)
		slot.hold(s.allocator.Held(now, words, d))
	}
}

// demand is what the allocator needs to know of a track.
func (t *track) demand(now time.Time, view map[string]int) Demand {
	layers := t.offers(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	d := Demand{Track: t.ID, Layers: layers, Height: unknownHeight}
	if t.Source == "screen" {
		d.Priority = screenPriority
	}
	if height, ok := view[t.ID]; ok {
		d.Height = height
	}
	return d
}

// reports are the sender reports of all slots.
func (s *session) reports(now time.Time) {
	s.mu.Lock()
	slots := slices.Collect(maps.Values(s.slots))
	s.mu.Unlock()
	var out []rtcp.Packet
	for _, slot := range slots {
		if r := slot.report(now); r != nil {
			out = append(out, r)
		}
	}
	if len(out) > 0 {
		_ = s.pc.WriteRTCP(out)
	}
}

// end closes the connection and takes what it published out of the room.
func (s *session) end() {
	s.ending.Do(func() {
		close(s.gone)
		s.server.forget(s)
		s.negotiating.Lock() // a section that is added later would not be closed
		defer s.negotiating.Unlock()
		s.mu.Lock()
		sections, slots, estimator := s.sections, s.slots, s.estimator
		s.mu.Unlock()
		for _, t := range sections {
			s.room.withdraw(t)
		}
		for _, slot := range slots {
			s.room.want(slot, "")
		}
		_ = s.pc.Close()
		s.reading.Wait()
		if estimator != nil {
			_ = estimator.Close()
		}
	})
}
