package rtcload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/room"
)

const (
	// openTime is how long a portal may take to let a person in, askTime how
	// long to answer.
	openTime = 3 * time.Second
	askTime  = 6 * time.Second
	// againTime is the pause after something that failed.
	againTime = 100 * time.Millisecond
	// maxEvent is the largest message of a portal, in bytes.
	maxEvent = 4 << 20
)

// PersonOptions are what a person is. Portals and Token are required.
type PersonOptions struct {
	// Portals are the URLs of portals; the room names more.
	Portals []string
	Token   string
	// Publish are the sources of its tracks: "camera", "mic".
	Publish []string
	// Shows are real frames of a source, of VP8 or Opus, which are sent in turn, a
	// key frame each. A source that is not there is made up.
	Shows map[string][][]byte
	// Rate is how many frames of each it sends in a second; 0 means 50.
	Rate int
	// OnFirst hears of the first frame of each track. It must not block.
	OnFirst func(track string)
}

// Person is a participant without a browser. It keeps a connection to a portal,
// and has its media where the state of the room says, as the page does.
type Person struct {
	opts    PersonOptions
	client  Client
	ended   <-chan struct{}
	stop    context.CancelFunc
	running sync.WaitGroup
	arrived arrivals

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, when what follows changes
	portals []string
	portal  string
	conn    *websocket.Conn
	number  int
	waiting map[int]chan heard
	attach  int
	you     string
	ticket  string
	state   room.State
	refused error

	up, down seat
	moves    int
}

// heard is a message of a portal.
type heard struct {
	Type    string      `json:"type"`
	Re      int         `json:"re"`
	Error   string      `json:"error"`
	You     string      `json:"you"`
	Ticket  string      `json:"ticket"`
	State   *room.State `json:"state"`
	Portals []string    `json:"portals"`
	SDP     string      `json:"sdp"`
}

// said is a message to it.
type said map[string]any

// Enter begins a person. It enters its room, and comes back where it lost its
// portal, until Close.
func Enter(opts PersonOptions) *Person {
	if opts.Rate == 0 {
		opts.Rate = 50
	}
	if opts.OnFirst == nil {
		opts.OnFirst = func(string) {}
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Person{
		opts: opts, client: Client{Feedback: true}, ended: ctx.Done(), stop: stop, portals: slices.Clone(opts.Portals),
		changed: make(chan struct{}), waiting: map[int]chan heard{}, arrived: arrivals{streams: map[string]*stream{}},
	}
	p.running.Go(func() { p.attend(ctx) })
	if len(opts.Publish) > 0 {
		p.running.Go(func() { p.follow(ctx, p.sendThere) })
		p.running.Go(func() { p.perform(ctx) })
	}
	p.running.Go(func() { p.follow(ctx, p.receiveThere) })
	return p
}

// Close leaves the room.
func (p *Person) Close() {
	if conn := p.current(); conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), openTime)
		defer cancel()
		_ = conn.Write(ctx, websocket.MessageText, []byte(`{"type":"leave"}`)) // a portal that is gone notices
	}
	p.stop()
	leave := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.up.leave()
		p.down.leave()
	}
	leave()
	p.running.Wait()
	leave() // what was on its way
}

func (p *Person) current() *websocket.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn
}

// View is what a person knows.
type View struct {
	You     string
	Portal  string
	State   room.State
	Refused error
	// Moves is how often it went to another SFU.
	Moves   int
	Streams map[string]Stream
}

// View returns what the person knows now.
func (p *Person) View() View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return View{p.you, p.portal, p.state, p.refused, p.moves, p.arrived.list(time.Now())}
}

// ResetGaps begins the measurement of gaps and of missing frames again.
func (p *Person) ResetGaps() { p.arrived.reset() }

// change announces a change. The caller has locked p.
func (p *Person) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// attend keeps a connection to a portal.
func (p *Person) attend(ctx context.Context) {
	for at := 0; ctx.Err() == nil; at++ {
		p.mu.Lock()
		url := p.portals[at%len(p.portals)]
		p.mu.Unlock()
		if err := p.visit(ctx, url); err != nil {
			p.mu.Lock()
			p.refused = err
			p.change()
			p.mu.Unlock()
			return
		}
		pause.For(ctx, againTime)
	}
}

// visit is a connection from its beginning to its end. It fails if the portal
// does not let the person in; another will not do so either.
func (p *Person) visit(ctx context.Context, url string) error {
	open, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	conn, _, err := websocket.Dial(open, url+"/socket", nil)
	if err != nil {
		return nil
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxEvent)
	p.mu.Lock()
	p.attach++
	p.number++
	join := said{"n": p.number, "type": "join", "token": p.opts.Token, "ticket": p.ticket, "attach": p.attach, "tracks": p.tracks(), "part": p.state.Part.ID}
	n := p.number
	p.mu.Unlock()
	if write(open, conn, join) != nil {
		return nil
	}
	defer p.lost()
	for {
		_, body, err := conn.Read(ctx)
		if err != nil {
			return nil
		}
		var h heard
		if json.Unmarshal(body, &h) != nil {
			return nil
		}
		if h.Re == n && h.Error != "" {
			return errors.New(h.Error)
		}
		p.hear(h, h.Re == n, conn, url)
	}
}

func (p *Person) tracks() []said {
	out := []said{}
	for _, source := range p.opts.Publish {
		out = append(out, said{"source": source})
	}
	return out
}

func write(ctx context.Context, conn *websocket.Conn, message said) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, body)
}

// hear takes a message; joined is the answer to join.
func (p *Person) hear(h heard, joined bool, conn *websocket.Conn, url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if joined {
		p.conn, p.portal, p.you, p.ticket = conn, url, h.You, h.Ticket
	}
	for _, other := range h.Portals {
		if !slices.Contains(p.portals, other) {
			p.portals = append(p.portals, other)
		}
	}
	if h.State != nil {
		p.state = *h.State
	}
	if joined || h.State != nil {
		p.change()
	}
	if answer := p.waiting[h.Re]; answer != nil && h.Type == "answer" {
		delete(p.waiting, h.Re)
		answer <- h
	}
}

// lost is the end of a connection.
func (p *Person) lost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn, p.portal = nil, ""
	for n, answer := range p.waiting {
		delete(p.waiting, n)
		answer <- heard{Error: "the portal is gone"}
	}
	p.change()
}

// ask sends a message and waits for its answer.
func (p *Person) ask(ctx context.Context, message said) (heard, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer := make(chan heard, 1)
	p.mu.Lock()
	conn := p.conn
	p.number++
	n := p.number
	if conn != nil {
		p.waiting[n] = answer
	}
	p.mu.Unlock()
	if conn == nil {
		return heard{}, errors.New("rtcload: there is no portal")
	}
	message["n"] = n
	if err := write(ctx, conn, message); err != nil {
		return heard{}, err
	}
	select {
	case h := <-answer:
		if h.Error != "" {
			return h, errors.New(h.Error)
		}
		return h, nil
	case <-ctx.Done():
		return heard{}, fmt.Errorf("rtcload: the portal does not answer: %w", context.Cause(ctx))
	}
}
