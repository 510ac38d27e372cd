package owtportal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"golang.org/x/time/rate"

	"github.com/muster-fleet/muster/internal/portal"
	"github.com/muster-fleet/muster/internal/socketio"
)

const (
	// newsBacklog is how much of what happens in the room waits for a client.
	newsBacklog = 64
	// queueBacklog is how much waits for a client whose socket broke. One that
	// misses more has to join again.
	queueBacklog = 1000
	// ticketLife is how long a reconnection ticket is good for. The SDK asks for
	// another a minute before.
	ticketLife = 10 * time.Minute
	// A client may ask requestBurst times at once, and requestRate times a
	// second. Each candidate is a request.
	requestBurst = 300
	requestRate  = 50
)

// client runs a person, over one socket after another.
type client struct {
	server *Server
	seat   seat
	person *person

	calls   chan incoming
	sockets chan attachment
	news    chan portal.News
	over    chan struct{} // closed when the participant has left

	// of the goroutine that runs it
	socket *socketio.Socket
	queue  []emission
	limit  *rate.Limiter
}

// incoming is a request that came over a socket.
type incoming struct {
	socket *socketio.Socket
	call
}

// attachment is a socket that the client has from now on. Without a reply it is
// one that broke.
type attachment struct {
	socket *socketio.Socket
	broken bool
	reply  func(status string, data ...any)
}

// out sends a notification, or keeps it for the next socket.
func (c *client) out(event string, data any) {
	if c.socket != nil {
		c.socket.Emit(event, data) // with one value: keepUnconfirmed relies on that
		return
	}
	c.queue = append(c.queue, emission{event, data})
}

// run carries out what comes, until the participant has left.
func (c *client) run(ctx context.Context) {
	defer c.leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan func(), 1)
	var calls <-chan incoming
	returning := time.NewTimer(c.server.opts.ReturnTime)
	defer returning.Stop()
	returning.Stop()
	busy := false
	start := func(w work) {
		busy = true
		c.server.running.Go(func() { done <- w(ctx) })
	}
	for {
		if !busy && len(c.person.later) > 0 {
			w := c.person.later[0]
			c.person.later = c.person.later[1:]
			start(w)
		}
		if calls = c.calls; busy {
			calls = nil
		}
		select {
		case <-ctx.Done():
			c.out("drop", nil)
			return
		case <-returning.C:
			return
		case f := <-done:
			busy = false
			f()
		case n := <-c.news:
			c.person.hear(n)
		case a := <-c.sockets:
			if a.broken && a.socket != c.socket {
				continue // it has another one already
			}
			if a.broken {
				c.keepUnconfirmed()
				returning.Reset(c.server.opts.ReturnTime)
				break
			}
			returning.Stop()
			c.attach(a)
		case in := <-calls:
			if in.socket != c.socket {
				continue
			}
			w, left := c.handle(in.call)
			if left {
				return
			}
			if w != nil {
				start(w)
			}
		}
		if c.socket == nil && (c.person.gone() || len(c.queue) > queueBacklog) {
			return
		}
	}
}

// gone reports that the client had a connection with an SFU, and it has ended:
// with the socket broken too, the page was closed.
func (p *person) gone() bool { return p.transport == nil && p.labels > 0 }

// leave ends the participant.
func (c *client) leave() {
	close(c.over)
	c.server.people.Delete(c.seat.ID())
	if c.socket != nil {
		c.socket.Close()
	}
	c.seat.Leave()
}

// keepUnconfirmed keeps what the socket that broke may not have brought. Something may
// come twice then, if the answer to a ping was lost.
func (c *client) keepUnconfirmed() {
	for _, e := range c.socket.Unconfirmed() {
		c.queue = append(c.queue, emission{e.Name, e.Args[0]})
	}
	c.socket = nil
}

// attach gives the client a socket, over which it gets what it has missed.
func (c *client) attach(a attachment) {
	ticket, err := newTicket(c.seat, time.Now())
	if err != nil {
		a.reply("error", err.Error())
		a.socket.Close()
		return
	}
	if old := c.socket; old != nil {
		c.keepUnconfirmed()
		old.Close()
	}
	c.socket = a.socket
	a.reply("ok", ticket)
	queue := c.queue
	c.queue = nil
	for _, e := range queue {
		c.out(e.event, e.data)
	}
}

// handle carries out a request. left reports that it was the last one.
func (c *client) handle(q call) (w work, left bool) {
	if !c.limit.Allow() {
		q.refuse("too many requests")
		return nil, false
	}
	switch q.name {
	case "logout":
		q.ok()
		return nil, true
	case "refreshReconnectionTicket":
		ticket, err := newTicket(c.seat, time.Now())
		if err != nil {
			q.refuse(err.Error())
			return nil, false
		}
		q.ok(ticket)
		return nil, false
	case "login", "relogin":
		q.refuse("Connection is in service")
		return nil, false
	}
	return c.person.handle(q), false
}

// newTicket makes a reconnection ticket.
func newTicket(s seat, now time.Time) (string, error) {
	until := now.Add(ticketLife)
	signature, err := s.Ticket(until)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(ticket{s.ID(), newID(), now.UnixMilli(), until.UnixMilli(), signature})
	return base64.StdEncoding.EncodeToString(body), err
}

// openTicket reads a reconnection ticket. Its signature is not verified yet.
func openTicket(text string) (ticket, error) {
	var t ticket
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(body, &t) != nil {
		return t, errTicket
	}
	return t, nil
}
