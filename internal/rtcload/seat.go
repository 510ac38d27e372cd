package rtcload

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"

	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/room"
)

const (
	// connectTime is how long a connection to an SFU may take to stand.
	connectTime = 15 * time.Second
	// lookTime is how often a connection is looked at that is to be replaced.
	lookTime = 20 * time.Millisecond
	// pictureSize is how many bytes a frame has.
	pictureSize = 600
)

// seat is where a person sends or receives: a connection to an SFU, and those
// that it is to replace.
type seat struct {
	node   string
	count  int
	now    io.Closer
	former []io.Closer
	// of one that receives: the tracks, and how far they have come
	wanted   []string
	progress *progress
}

// take puts a connection in the place of the one before it, which stays until
// forget.
func (s *seat) take(c io.Closer, node string) {
	if s.now != nil {
		s.former = append(s.former, s.now)
	}
	s.now, s.node = c, node
}

// forget ends the connections that were replaced.
func (s *seat) forget() {
	for _, c := range s.former {
		_ = c.Close()
	}
	s.former = nil
}

func (s *seat) leave() {
	s.forget()
	if s.now != nil {
		_ = s.now.Close()
	}
	s.now, s.node = nil, ""
}

// follow does what the state of the room asks for, whenever that changes.
func (p *Person) follow(ctx context.Context, there func(ctx context.Context, s room.State) error) {
	for ctx.Err() == nil {
		p.mu.Lock()
		state, changed, known := p.state, p.changed, p.you != ""
		p.mu.Unlock()
		if known && state.Part.Node != "" {
			if err := p.whileServed(ctx, state, there); err != nil {
				pause.For(ctx, againTime)
				continue
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// whileServed gives up when another SFU serves the room.
func (p *Person) whileServed(ctx context.Context, state room.State, there func(context.Context, room.State) error) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	p.running.Go(func() {
		for {
			p.mu.Lock()
			node, changed := p.state.Part.Node, p.changed
			p.mu.Unlock()
			if node != state.Part.Node {
				cancel()
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	})
	return there(ctx, state)
}

// signal has the SFU of the state answer through the portal.
func (p *Person) signal(node string) Signal {
	return func(ctx context.Context, o room.Offer) (string, error) {
		publish := map[string]string{}
		for mid, t := range o.Publish {
			publish[mid] = t.Source
		}
		h, err := p.ask(ctx, said{"type": "offer", "node": node, "session": o.Session, "sdp": o.SDP, "publish": publish, "want": o.Want})
		return h.SDP, err
	}
}

// sendThere sends to the SFU of the state; to the one before it as well, while
// that is drained.
func (p *Person) sendThere(ctx context.Context, s room.State) error {
	p.mu.Lock()
	if !s.Part.Drained {
		p.up.forget()
	}
	if p.up.node == s.Part.Node {
		p.mu.Unlock()
		return nil
	}
	p.up.count++
	session, you := fmt.Sprintf("up-%d", p.up.count), p.you
	p.mu.Unlock()
	var tracks []room.Track
	for _, source := range p.opts.Publish {
		tracks = append(tracks, room.Track{ID: you + "." + source, Source: source})
	}
	up, err := p.client.Publish(ctx, p.signal(s.Part.Node), s.Name, session, nil, tracks...)
	if err != nil {
		return err
	}
	wanted := &asked{Publisher: up}
	for _, t := range tracks {
		p.running.Go(func() {
			for up.AwaitKeyRequest(t.ID) == nil {
				wanted.key.Store(true)
			}
		})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.up.node != "" {
		p.moves++
	}
	p.up.take(wanted, s.Part.Node)
	if !s.Part.Drained {
		p.up.forget()
	}
	return nil
}

// asked is a publisher that may have to send a key frame.
type asked struct {
	*Publisher
	key atomic.Bool
}

// perform sends the frames of all tracks: the same over each connection.
func (p *Person) perform(ctx context.Context) {
	tick := time.NewTicker(time.Second / time.Duration(p.opts.Rate))
	defer tick.Stop()
	for number := uint32(1); ; number++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.mu.Lock()
		ups := append(slices.Clone(p.up.former), p.up.now)
		p.mu.Unlock()
		for _, c := range ups {
			up, ok := c.(*asked)
			if !ok {
				continue // not connected yet
			}
			key := up.key.Swap(false)
			for track := range up.tracks {
				// A connection that ends is replaced.
				_ = up.Send(track, Frame{Packets: 1, Size: pictureSize, Key: key, Height: 360, Number: number, Rate: p.opts.Rate, Data: p.shown(track, number)})
			}
		}
	}
}

// shown is the real frame of a track, nil where it is made up.
func (p *Person) shown(track string, number uint32) []byte {
	_, source, _ := strings.Cut(track, ".")
	frames := p.opts.Shows[source]
	if len(frames) == 0 {
		return nil
	}
	return frames[int(number)%len(frames)]
}

// receiveThere gets everything that others publish from the SFU of the state.
func (p *Person) receiveThere(ctx context.Context, s room.State) error {
	p.mu.Lock()
	if !s.Part.Drained {
		p.down.forget()
	}
	var tracks []room.Track
	var names []string
	for _, other := range s.Participants {
		for _, t := range other.Tracks {
			if other.ID != p.you {
				tracks, names = append(tracks, t.Track), append(names, t.ID)
			}
		}
	}
	if len(tracks) == 0 || p.down.node == s.Part.Node && slices.Equal(p.down.wanted, names) {
		p.mu.Unlock()
		return nil
	}
	old, oldNode := p.down.now, p.down.node
	p.down.count++
	session := fmt.Sprintf("down-%d", p.down.count)
	p.mu.Unlock()
	if old != nil && oldNode != s.Part.Node && !s.Part.Drained {
		_ = old.Close() // it is dead
	}
	came := newProgress(names)
	var connected atomic.Pointer[Subscriber]
	down, err := p.client.Subscribe(ctx, p.signal(s.Part.Node), s.Name, session, func(track string, packet *rtp.Packet, _ interceptor.Attributes) {
		if down := connected.Load(); !p.receive(came, track, packet) && down != nil {
			down.AskKeyFrame(packet.SSRC)
		}
	}, tracks...)
	if err != nil {
		return err
	}
	connected.Store(down)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down.node != "" && p.down.node != s.Part.Node && len(p.opts.Publish) == 0 {
		p.moves++
	}
	before := p.down.progress
	p.down.take(down, s.Part.Node)
	p.down.wanted, p.down.progress = names, came
	if oldNode != s.Part.Node && !s.Part.Drained {
		p.down.forget()
		return nil
	}
	if former := slices.Clone(p.down.former); len(former) > 0 {
		p.running.Go(func() { p.retire(former, before, came) })
	}
	return nil
}

// receive takes a packet, and reports whether it could be shown: a connection
// counts from the first key frame of a picture.
func (p *Person) receive(came *progress, track string, packet *rtp.Packet) bool {
	number := NumberOf(packet.Payload)
	if number == 0 {
		return came.saw(track, 1, true) // a browser's
	}
	if !came.saw(track, number, packet.PayloadType == opusType || BeginsKeyFrame(packet.Payload)) {
		return false
	}
	if p.arrived.arrive(track, number, time.Now()) {
		p.opts.OnFirst(track)
	}
	return true
}

// opusType is the payload type of Opus in pion's offers.
const opusType = 111

// retire ends connections when another has taken their place.
func (p *Person) retire(former []io.Closer, before, now *progress) {
	late := time.NewTimer(connectTime)
	defer late.Stop()
	again := time.NewTicker(lookTime)
	defer again.Stop()
	for waiting := true; waiting && !now.replaces(before); {
		select {
		case <-again.C:
		case <-late.C:
			waiting = false
		case <-p.ended:
			waiting = false
		}
	}
	for _, c := range former {
		_ = c.Close()
	}
}
