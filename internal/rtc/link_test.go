package rtc_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// mesh are SFUs that reach each other.
type mesh struct {
	mu    sync.Mutex
	nodes map[string]*rtc.Server
}

func (m *mesh) find(node string) (*rtc.Server, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.nodes[node]; s != nil {
		return s, nil
	}
	return nil, errors.New("no such node")
}

func (m *mesh) Offer(ctx context.Context, node string, o rtc.Offer) (string, error) {
	s, err := m.find(node)
	if err != nil {
		return "", err
	}
	return s.Offer(ctx, o)
}

func (m *mesh) Change(_ context.Context, node, session string, c rtc.Change) error {
	s, err := m.find(node)
	if err != nil {
		return err
	}
	return s.Change(session, c)
}

func (m *mesh) End(_ context.Context, node, _, session string) {
	if s, err := m.find(node); err == nil {
		s.End(session)
	}
}

func (m *mesh) Published(_ context.Context, node, name string, tracks []string) ([]rtc.Published, error) {
	s, err := m.find(node)
	if err != nil {
		return nil, err
	}
	return s.Published(name, tracks), nil
}

// add starts an SFU that others know as node.
func (m *mesh) add(t *testing.T, node string) *rtc.Server {
	t.Helper()
	s := start(t, rtc.Options{Upstream: m})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes[node] = s
	return s
}

// kill ends an SFU without a notice to the others.
func (m *mesh) kill(t *testing.T, node string) {
	t.Helper()
	m.mu.Lock()
	s := m.nodes[node]
	delete(m.nodes, node)
	m.mu.Unlock()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// route says to every SFU where alice publishes, the best first.
func (m *mesh) route(nodes ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for node, s := range m.nodes {
		s.Route(node, room.Routes{Room: "room", Parts: []room.Route{{Nodes: nodes, People: []string{"alice"}}}})
	}
}

// links waits until what an SFU has by links is as it should be.
func links(t *testing.T, s *rtc.Server, what string, ok func([]rtc.LinkStats) bool) {
	t.Helper()
	var got []rtc.LinkStats
	for late := time.Now().Add(patience); time.Now().Before(late); {
		if got = s.Stats().Links; ok(got) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: %+v", what, got)
}

// comes reports whether exactly these layers of alice's camera come by one link.
func comes(layers ...int) func([]rtc.LinkStats) bool {
	return func(l []rtc.LinkStats) bool { return len(l) == 1 && slices.Equal(l[0].Layers[camera.ID], layers) }
}

// What is published at one SFU reaches the people of another, in the layers that
// somebody there needs and no others; and when it is no longer wanted, the link ends.
func TestLink(t *testing.T) {
	m := &mesh{nodes: map[string]*rtc.Server{}}
	a, b := m.add(t, "a"), m.add(t, "b")
	m.route("a")
	p := publish(t, a, "up", []string{"q", "h", "f"}, camera, mic)
	send(t, p, camera)
	send(t, p, mic)
	small := subscribe(t, b, rtcload.Client{}, "small", camera, mic)
	small.next(t, camera)
	small.next(t, mic)
	links(t, b, "a screen of unknown size gets the best layer", comes(2))

	look := func(in string, height int) {
		t.Helper()
		if err := b.Change(in, rtc.Change{View: map[string]int{camera.ID: height}}); err != nil {
			t.Fatal(err)
		}
	}
	look("small", 100)
	links(t, b, "a small picture", comes(0))
	large := subscribe(t, b, rtcload.Client{}, "large", camera)
	large.next(t, camera)
	links(t, b, "a small and a large picture", comes(0, 2))
	look("small", 0)
	links(t, b, "a large picture", comes(2))
	look("large", 0)
	links(t, b, "no picture", func(l []rtc.LinkStats) bool { return len(l) == 1 && len(l[0].Layers[camera.ID]) == 0 })
	look("large", 700)
	links(t, b, "a large picture again", comes(2))
	for n := large.next(t, camera); ; n = large.next(t, camera) {
		if rtcload.BeginsKeyFrame(n.Payload) {
			break
		}
	}
	if got := a.Receivers("room"); got != 1 {
		t.Errorf("%d sessions receive at the SFU of the publisher; want the link", got)
	}
	_, _ = small.Close(), large.Close()
	b.EndOwner("room", "small")
	b.EndOwner("room", "large")
	links(t, b, "nothing is wanted", func(l []rtc.LinkStats) bool { return len(l) == 0 })
	for late := time.Now().Add(patience); len(a.Stats().Sessions) > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("left at the SFU of the publisher: %+v", a.Stats().Sessions)
		}
	}
}

// Nothing goes in a circle: SFUs whose routes are wrong do not give each other what
// they have from each other.
func TestLinksAreOneHop(t *testing.T) {
	m := &mesh{nodes: map[string]*rtc.Server{}}
	a, b, c := m.add(t, "a"), m.add(t, "b"), m.add(t, "c")
	m.route("a")
	send(t, publish(t, a, "up", nil, camera), camera)
	subscribe(t, b, rtcload.Client{}, "b", camera).next(t, camera)
	c.Route("c", room.Routes{Room: "room", Parts: []room.Route{{Nodes: []string{"b"}, People: []string{"alice"}}}})
	wrong := subscribe(t, c, rtcload.Client{}, "c", camera)
	links(t, c, "a link to b", func(l []rtc.LinkStats) bool { return len(l) == 1 && l[0].Node == "b" })
	if got := b.Published("room", []string{camera.ID}); len(got) != 0 {
		t.Errorf("b says that it publishes %+v", got)
	}
	m.route("a")
	wrong.next(t, camera)
}

// A publisher who moves from one SFU to another, or to that of the subscriber, is
// seen without a gap; one whose SFU dies is seen again.
func TestLinkMoves(t *testing.T) {
	m := &mesh{nodes: map[string]*rtc.Server{}}
	a, b := m.add(t, "a"), m.add(t, "b")
	m.route("a")
	first := publish(t, a, "up-1", nil, camera)
	in := subscribe(t, b, rtcload.Client{Feedback: true}, "down", camera)
	both := &both{t: t, in: in}
	both.to(first)
	both.goesOn()

	c := m.add(t, "c")
	m.route("c", "a")
	second := publish(t, c, "up-2", nil, camera)
	both.to(first, second)
	links(t, b, "it comes from c only", func(l []rtc.LinkStats) bool { return len(l) == 1 && l[0].Node == "c" })
	both.to(second)
	m.kill(t, "a")
	both.goesOn()

	m.route("b", "c")
	third := publish(t, b, "up-3", nil, camera)
	both.to(second, third)
	links(t, b, "it comes from nowhere else", func(l []rtc.LinkStats) bool { return len(l) == 0 })
	both.to(third)
	both.goesOn()
	if both.missing > 2 {
		t.Errorf("%d frames in a row were lost", both.missing)
	}

	m.add(t, "d")
	m.route("d")
	_ = third.Close()
	b.End("up-3")
	fourth, err := rtcload.Client{}.Publish(within(t), func(ctx context.Context, o rtc.Offer) (string, error) { return m.Offer(ctx, "d", o) }, "room", "up-4", nil, camera)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fourth.Close() })
	both.to(fourth)
	both.goesOn()
	m.kill(t, "d")
	m.add(t, "e")
	m.route("e")
	fifth, err := rtcload.Client{}.Publish(within(t), func(ctx context.Context, o rtc.Offer) (string, error) { return m.Offer(ctx, "e", o) }, "room", "up-5", nil, camera)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fifth.Close() })
	both.to(fifth)
	both.goesOn()
}

// both sends the same frames to some publishers, and counts what arrives.
type both struct {
	t       *testing.T
	in      *inbox
	mu      sync.Mutex
	ups     []*rtcload.Publisher
	once    sync.Once
	number  uint32
	last    uint32
	missing int
}

// to sends to these from now on.
func (b *both) to(ups ...*rtcload.Publisher) {
	b.mu.Lock()
	b.ups = ups
	b.mu.Unlock()
	b.once.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				<-tick.C
				b.mu.Lock()
				b.number++
				for _, up := range b.ups { // one that has ended does not send
					_ = up.Send(camera.ID, rtcload.Frame{Packets: 1, Size: 400, Key: b.number%10 == 0, Height: 360, Number: b.number, Rate: 50})
				}
				b.mu.Unlock()
			}
		})
		b.t.Cleanup(func() { cancel(); running.Wait() })
	})
}

// goesOn waits until half a second of frames has come that were not sent yet now.
func (b *both) goesOn() {
	b.t.Helper()
	b.mu.Lock()
	goal := b.number + 25
	b.mu.Unlock()
	for b.last < goal {
		n := rtcload.NumberOf(b.in.next(b.t, camera).Payload)
		if b.last > 0 && n > b.last+1 {
			b.missing = max(b.missing, int(n-b.last-1))
		}
		b.last = max(b.last, n)
	}
}

// What a link adds to the delay is logged, not judged: the same frames arrive at a
// subscriber of the publisher's SFU and at one of another.
func TestLinkDelay(t *testing.T) {
	m := &mesh{nodes: map[string]*rtc.Server{}}
	a, b := m.add(t, "a"), m.add(t, "b")
	m.route("a")
	p := publish(t, a, "up", nil, mic)
	var mu sync.Mutex
	at := map[string]map[uint32]time.Time{"near": {}, "far": {}}
	for session, sfu := range map[string]*rtc.Server{"near": a, "far": b} {
		in, err := rtcload.Client{}.Subscribe(within(t), sfu.Offer, "room", session, func(_ string, p *rtp.Packet, _ interceptor.Attributes) {
			mu.Lock()
			defer mu.Unlock()
			at[session][rtcload.NumberOf(p.Payload)] = time.Now()
		}, mic)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = in.Close() })
	}
	send(t, p, mic)
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		n := len(at["far"])
		mu.Unlock()
		if n >= 100 {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("%d frames", n)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	var more []time.Duration
	for n, far := range at["far"] {
		if near, ok := at["near"][n]; ok {
			more = append(more, far.Sub(near))
		}
	}
	slices.Sort(more)
	if len(more) > 0 {
		t.Logf("%d frames: median %v, largest %v", len(more), more[len(more)/2], more[len(more)-1])
	}
}
