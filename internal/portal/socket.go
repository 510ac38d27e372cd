package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/muster-fleet/muster/internal/conference"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/sfu"
)

const (
	// maxMessage is the largest message of a client, in bytes.
	maxMessage = 300 << 10
	// joinTime is how long a client has to say who it is.
	joinTime = 10 * time.Second
	// writeTime is how long a message to a client may take.
	writeTime = 10 * time.Second
	// pingEvery is how often a silent client is asked whether it is there.
	pingEvery = 10 * time.Second
	// returnTime is how long a participant whose connection broke may take to
	// come back, here or at another portal.
	returnTime = 8 * time.Second
	// A client may say messageBurst messages at once, and messageRate a second.
	messageBurst = 100
	messageRate  = 20
	// ticketLife is how long a ticket is good for.
	ticketLife = 24 * time.Hour
)

// socket is the connection of a client.
type socket struct {
	portal *Portal
	conn   *websocket.Conn
	member *member
	claims roomtoken.Claims
	limit  *rate.Limiter
}

// serveSocket is a client from its connection to its end.
func (p *Portal) serveSocket(w http.ResponseWriter, r *http.Request) {
	// Any page may connect: who has a token may enter, and cookies mean nothing.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	conn.SetReadLimit(maxMessage)
	s := &socket{portal: p, conn: conn, limit: rate.NewLimiter(messageRate, messageBurst)}
	defer func() { _ = conn.CloseNow() }()
	if err := s.join(r.Context()); err != nil {
		_ = conn.Close(websocket.StatusPolicyViolation, short(err.Error()))
		return
	}
	left := s.serve(r.Context())
	if left || p.ctx.Err() != nil {
		if left {
			s.member.leave()
		}
		return
	}
	p.running.Go(s.awaitReturn)
}

// short is a reason as a WebSocket can carry it.
func short(reason string) string {
	const most = 120
	if len(reason) > most {
		reason = strings.ToValidUTF8(reason[:most], "")
	}
	return reason
}

// awaitReturn takes the participant out of the room if it does not come back.
func (s *socket) awaitReturn() {
	late := time.NewTimer(returnTime)
	defer late.Stop()
	select {
	case <-late.C:
		s.member.leave()
	case <-s.member.gone:
		s.portal.leave(s.member.hall)
	case <-s.portal.ctx.Done():
	}
}

// join reads who the client is.
func (s *socket) join(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	var q request
	if err := s.read(ctx, &q); err != nil {
		return err
	}
	if q.Type != "join" {
		return errors.New("the first message must be join")
	}
	err := s.enter(q)
	if err != nil {
		_ = s.write(ctx, event{Type: "answer", Re: q.N, Error: err.Error()})
	}
	return err
}

func (s *socket) enter(q request) error {
	p, now := s.portal, time.Now()
	claims, err := p.opts.Key.Open(q.Token, now)
	if err != nil {
		return err
	}
	if claims.Participant != "" {
		return errors.New("this is a ticket, not a token")
	}
	id := newID()
	if q.Ticket != "" { // a participant comes back
		ticket, err := p.opts.Key.Open(q.Ticket, now)
		if err != nil || ticket.Room != claims.Room || ticket.User != claims.User || ticket.Participant == "" {
			return errors.New("the ticket is not the one of this token: join without it")
		}
		id = ticket.Participant
	}
	until := now.Add(ticketLife)
	with := claims
	with.Participant = id
	ticket, err := p.opts.Key.Sign(with, until)
	if err != nil {
		return err
	}
	h, err := p.hall(claims.Room)
	if err != nil {
		return err
	}
	m := newMember(h, claims, id, q.Attach)
	m.events = make(chan event, eventBacklog)
	m.part = q.Part
	err = m.publish(q.Tracks)
	if err == nil {
		err = h.enter(m)
	}
	if err != nil {
		p.leave(h)
		return err
	}
	s.member, s.claims = m, claims
	answer := event{Type: "answer", Re: q.N, You: id, Ticket: ticket, Portals: p.others()}
	h.mu.Lock()
	if state := m.sees(h.state); state.Version > 0 { // else a client that comes back would take the room for empty
		answer.State, answer.ICE = &state, m.iceServers(state.Part)
	}
	h.mu.Unlock()
	m.say(answer)
	return nil
}

// serve reads and writes until the connection ends. left reports that the
// participant said goodbye.
func (s *socket) serve(ctx context.Context) (left bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer cancel()
		s.writeEvents(ctx)
	}()
	defer func() { cancel(); <-written }()
	for {
		var q request
		if err := s.read(ctx, &q); err != nil {
			return false
		}
		if q.Type == "leave" {
			return true
		}
		if !s.limit.Allow() {
			s.member.say(event{Type: "answer", Re: q.N, Error: fmt.Sprintf("too many messages: %d a second is the limit", messageRate)})
			continue
		}
		e, err := s.handle(ctx, q)
		e.Type, e.Re = "answer", q.N
		if err != nil {
			e.Error = err.Error()
		}
		s.member.say(e)
	}
}

// handle carries a message out.
func (s *socket) handle(ctx context.Context, q request) (event, error) {
	m := s.member
	switch q.Type {
	case "tracks":
		return event{}, m.publish(q.Tracks)
	case "text":
		return event{}, s.member.text(ctx, "", q.Text)
	case "record":
		return event{}, s.member.order(ctx, conference.Order{Outlet: room.Recording, On: q.On})
	case "stream":
		return event{}, s.member.order(ctx, conference.Order{Outlet: room.Streaming, On: q.On, Target: q.Target})
	case "offer", "change", "end":
		if !m.hall.knows(q.Node) {
			return event{}, errors.New("this SFU does not serve the room: see the state")
		}
		return s.media(ctx, q)
	}
	return event{}, fmt.Errorf("no message is of type %q", q.Type)
}

func (s *socket) media(ctx context.Context, q request) (event, error) {
	m := s.member
	if q.Type == "offer" {
		sdp, err := m.offer(ctx, q.Node, q.mediaSaid)
		return event{SDP: sdp}, err
	}
	session, err := m.session(q.Session)
	if err != nil {
		return event{}, err
	}
	if q.Type == "end" {
		return event{}, m.hall.media(ctx, q.Node, "end", sfu.End{Room: m.hall.name, Session: session}, nil)
	}
	change, err := m.change(q.mediaSaid)
	if err != nil {
		return event{}, err
	}
	return event{}, m.hall.media(ctx, q.Node, "change", sfu.ChangeOf{Session: session, Change: change}, nil)
}

// writeEvents writes what the client is to hear, and asks a silent one whether
// it is there.
func (s *socket) writeEvents(ctx context.Context) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-s.member.gone:
			_ = s.conn.Close(websocket.StatusPolicyViolation, "another connection has taken this place")
			return
		case e := <-s.member.events:
			err = s.write(ctx, e)
		case <-ping.C:
			wait, cancel := context.WithTimeout(ctx, writeTime)
			err = s.conn.Ping(wait)
			cancel()
		}
		if err != nil {
			return
		}
	}
}

func (s *socket) write(ctx context.Context, e event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, body)
}

// read reads a message. One that is no message ends the connection.
func (s *socket) read(ctx context.Context, q *request) error {
	_, body, err := s.conn.Read(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, q); err != nil {
		_ = s.conn.Close(websocket.StatusInvalidFramePayloadData, "the message is not JSON as described")
		return err
	}
	return nil
}
