package socketio

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// outBacklog is how many packets wait for a slow client, and inBacklog how
	// many events for who serves it, before its connection is read no more.
	outBacklog = 1024
	inBacklog  = 16
	// connectTime is how long a client has to enter the default namespace.
	connectTime = 10 * time.Second
	// writeTime is how long a packet to a client may take.
	writeTime = 10 * time.Second
)

// Event is an event that a client sent.
type Event struct {
	Name string
	Args []json.RawMessage

	socket *Socket
	id     int
}

// Reply acknowledges the event, where the client asked for that.
func (e Event) Reply(values ...any) {
	if e.id >= 0 {
		e.socket.send(encode(socketAck, e.id, values))
	}
}

// Socket is the connection of a client.
type Socket struct {
	server *Server
	id     string
	events chan Event
	over   chan struct{} // closed with the connection
	once   sync.Once

	mu sync.Mutex
	// out is what waits for the client; wake has room for one wake-up of who
	// writes it.
	out       []string
	wake      chan struct{}
	connected bool
	// polling: a request waits for packets. probing: a WebSocket is being tried.
	// upgraded: it carries everything.
	polling, probing, upgraded bool
	// unconfirmed are events of which it is not known whether they have arrived.
	// The answer to a ping confirms the first of them, those sent before it.
	unconfirmed []Emission
	confirms    int
	// pinged is when the ping was sent that is not answered yet, if there is one,
	// and last when any was.
	pinged, last time.Time
}

// Emission is an event for a client.
type Emission struct {
	Name string
	Args []any
}

// Events are what the client sends. A receiver has to look at Done too.
func (s *Socket) Events() <-chan Event { return s.events }

// Done is closed when the connection has ended.
func (s *Socket) Done() <-chan struct{} { return s.over }

// Emit sends an event, and asks whether it has arrived.
func (s *Socket) Emit(name string, args ...any) {
	s.mu.Lock()
	s.unconfirmed = append(s.unconfirmed, Emission{name, args})
	tooMany := len(s.unconfirmed) > outBacklog
	s.mu.Unlock()
	if tooMany {
		s.end()
	}
	s.send(encode(socketEvent, -1, append([]any{name}, args...)))
	s.ping(time.Now(), false)
}

// Unconfirmed are the events that may not have arrived, in their order.
func (s *Socket) Unconfirmed() []Emission {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unconfirmed)
}

// ping asks whether the client is there, and so whether it has what was sent: it
// answers in order. There is one ping at a time, and none without a reason,
// which is an event that is not confirmed, or that it is time.
func (s *Socket) ping(now time.Time, due bool) {
	s.mu.Lock()
	idle := s.pinged.IsZero() && (due || len(s.unconfirmed) > 0)
	if idle {
		s.pinged, s.last, s.confirms = now, now, len(s.unconfirmed)
	}
	s.mu.Unlock()
	if idle {
		s.push(string(enginePing))
	}
}

// pong takes the answer to a ping.
func (s *Socket) pong() {
	s.mu.Lock()
	s.unconfirmed = s.unconfirmed[s.confirms:]
	s.confirms, s.pinged = 0, time.Time{}
	s.mu.Unlock()
	s.ping(time.Now(), false)
}

// Close sends what waits, as far as the client takes it at once, and ends the
// connection. The client may connect again.
func (s *Socket) Close() {
	s.push(string([]byte{engineMessage, socketDisconnect}))
	s.push(string(engineClose))
}

func (s *Socket) send(text string, err error) {
	if err != nil {
		s.end() // values that cannot be written are a mistake of the caller's
		return
	}
	s.push(text)
}

// push queues a packet.
func (s *Socket) push(text string) {
	s.mu.Lock()
	tooSlow := len(s.out) >= outBacklog
	if !tooSlow {
		s.out = append(s.out, text)
	}
	s.mu.Unlock()
	if tooSlow {
		s.end()
		return
	}
	s.stir()
}

// stir wakes who writes.
func (s *Socket) stir() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take takes a packet that waits; "" is none.
func (s *Socket) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.out) == 0 {
		return ""
	}
	text := s.out[0]
	s.out = s.out[1:]
	if len(s.out) > 0 {
		s.stir()
	}
	return text
}

// end ends the connection at once.
func (s *Socket) end() { s.once.Do(func() { close(s.over) }) }

// receive takes a packet of Engine.IO. ctx is of the request that brought it.
func (s *Socket) receive(ctx context.Context, text string) error {
	switch {
	case text == "":
		return errPacket
	case text[0] == enginePong:
		s.pong()
		return nil
	case text[0] == engineClose:
		s.end()
		return nil
	case text[0] != engineMessage:
		return errPacket
	}
	p, err := parsePacket(text[1:])
	if err != nil {
		return err
	}
	if p.kind == socketConnect {
		s.connect(p)
		return nil
	}
	s.mu.Lock()
	connected := s.connected
	s.mu.Unlock()
	switch {
	case p.namespace != "":
		return nil // refused when the client entered it
	case !connected:
		return errPacket
	case p.kind == socketDisconnect:
		s.end()
		return nil
	case p.kind != socketEvent:
		return nil // nothing that we send asks for an acknowledgement
	}
	name, args, err := p.event()
	if err != nil {
		return err
	}
	select {
	case s.events <- Event{Name: name, Args: args, socket: s, id: p.id}:
	case <-s.over:
	case <-ctx.Done():
	}
	return nil
}

// connect lets the client into the default namespace, the only one.
func (s *Socket) connect(p packet) {
	if p.namespace != "" {
		s.push(string([]byte{engineMessage, socketRefused}) + p.namespace + `,{"message":"Invalid namespace"}`)
		return
	}
	s.mu.Lock()
	again := s.connected
	s.connected = true
	s.mu.Unlock()
	if again {
		return
	}
	s.push(string([]byte{engineMessage, socketConnect}) + `{"sid":"` + rand.Text() + `"}`)
	s.server.running.Go(func() {
		s.server.serve(s)
		s.Close()
	})
}

// run pings the client until the connection ends, also for want of an answer.
func (s *Socket) run() {
	defer s.server.forget(s)
	opts, began := s.server.opts, time.Now()
	tick := time.NewTicker(max(time.Millisecond, min(opts.PingInterval, opts.PingTimeout, connectTime)/4))
	defer tick.Stop()
	for {
		select {
		case <-s.over:
			return
		case <-s.server.ctx.Done():
			s.end()
			return
		case now := <-tick.C:
			s.mu.Lock()
			silent := !s.pinged.IsZero() && now.Sub(s.pinged) > opts.PingTimeout
			late := !s.connected && now.Sub(began) > connectTime
			due := now.Sub(s.last) >= opts.PingInterval
			s.mu.Unlock()
			switch {
			case silent || late:
				s.end()
			case due:
				s.ping(now, true)
			}
		}
	}
}

// write sends what waits over the WebSocket, until the connection ends.
func (s *Socket) write(ctx context.Context, conn *websocket.Conn) {
	for {
		select {
		case <-s.wake:
		case <-s.over:
			return
		}
		for text := s.take(); text != ""; text = s.take() {
			if text == string(engineClose) {
				s.end()
				_ = conn.Close(websocket.StatusNormalClosure, "")
				return
			}
			if send(ctx, conn, text) != nil {
				s.end()
				return
			}
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, text string) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, []byte(text))
}

// read takes what comes over the WebSocket, until the connection ends.
func (s *Socket) read(ctx context.Context, conn *websocket.Conn) {
	for {
		_, body, err := conn.Read(ctx)
		if err == nil {
			err = s.receive(ctx, string(body))
		}
		if err != nil {
			s.end()
			return
		}
	}
}
