package portal

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/coder/websocket"

	"github.com/muster-fleet/muster/internal/room"
)

// guest is a client with a WebSocket.
type guest struct {
	t      *testing.T
	h      *house
	conn   *websocket.Conn
	n      int
	you    string
	ticket string
	state  room.State
	texts  []string
	ice    []iceServer
}

// dial connects without joining.
func (h *house) guest(p *Portal) *guest {
	h.t.Helper()
	conn, _, err := websocket.Dial(h.ctx, p.URL()+"/socket", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	h.t.Cleanup(func() { _ = conn.CloseNow() })
	return &guest{t: h.t, h: h, conn: conn}
}

// join enters the room of the token.
func (h *house) join(p *Portal, q request) *guest {
	h.t.Helper()
	g := h.guest(p)
	q.Type = "join"
	e := g.ask(q)
	if e.Error != "" {
		h.t.Fatal(e.Error)
	}
	g.you, g.ticket = e.You, e.Ticket
	if e.State != nil {
		g.state = *e.State
	}
	return g
}

func (g *guest) send(q request) {
	g.t.Helper()
	body, err := json.Marshal(q)
	if err == nil {
		err = g.conn.Write(g.h.ctx, websocket.MessageText, body)
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// read takes the next message.
func (g *guest) read() (e event, err error) {
	ctx, cancel := context.WithTimeout(g.h.ctx, patience)
	defer cancel()
	_, body, err := g.conn.Read(ctx)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(body, &e); err != nil {
		g.t.Fatal(err)
	}
	switch e.Type {
	case "state":
		g.state, g.ice = *e.State, e.ICE
	case "text":
		g.texts = append(g.texts, e.User+": "+e.Text)
	}
	return e, nil
}

// ask sends a message and waits for its answer.
func (g *guest) ask(q request) event {
	g.t.Helper()
	g.n++
	q.N = g.n
	g.send(q)
	for {
		e, err := g.read()
		if err != nil {
			g.t.Fatal(err)
		}
		if e.Type == "answer" && e.Re == q.N {
			return e
		}
	}
}

// until reads until something is true.
func (g *guest) until(what string, f func() bool) {
	g.t.Helper()
	for !f() {
		if _, err := g.read(); err != nil {
			g.t.Fatalf("%s: %v; the state is %+v", what, err, g.state)
		}
	}
}

// people are the users in the room.
func (g *guest) people() (users []string) {
	for _, p := range g.state.Participants {
		users = append(users, p.User)
	}
	return users
}
