package portal

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/sfu"
)

// Handle serves another path, for clients that speak another protocol. They
// enter rooms with Enter.
func (p *Portal) Handle(pattern string, h http.Handler) { p.mux.Handle(pattern, h) }

// Key is what tokens are checked with.
func (p *Portal) Key() roomtoken.Key { return p.opts.Key }

// Seat is a participant whose client speaks another protocol.
type Seat struct{ m *member }

// News is something that the client of a Seat may want to hear: one of its
// members is set.
type News struct {
	// State is the room, after a change.
	State *room.State
	// Text is a message.
	Text *Text
	// Ended is a session of the participant that the SFU has ended.
	Ended string
}

// Text is a message between people. To is the participant who gets it; "" is
// all participants.
type Text struct{ From, User, To, Text string }

// Enter makes the holder of a token a participant. hear is called for what
// happens in the room, in order, until Leave. News that come while it lasts
// wait; where they are too many they are lost, and the next state says what they
// said.
func (p *Portal) Enter(c roomtoken.Claims, hear func(News)) (*Seat, error) {
	h, err := p.hall(c.Room)
	if err != nil {
		return nil, err
	}
	m := newMember(h, c, newID(), 1)
	m.events = make(chan event, eventBacklog)
	m.only = apart
	if err := h.enter(m); err != nil {
		p.leave(h)
		return nil, err
	}
	p.running.Go(func() {
		for {
			select {
			case <-m.gone:
				return
			case <-p.ctx.Done():
				return
			case e := <-m.events:
				if n, ok := e.news(); ok {
					hear(n)
				}
			}
		}
	})
	return &Seat{m}, nil
}

// apart is in place of the only session of a member that is a Seat.
const apart = "seat"

// news are what an event is for a Seat.
func (e event) news() (News, bool) {
	switch e.Type {
	case "state":
		return News{State: e.State}, true
	case "text":
		return News{Text: &Text{e.From, e.User, e.To, e.Text}}, true
	case "ended":
		return News{Ended: e.Session}, true
	}
	return News{}, false
}

// ID is the participant.
func (s *Seat) ID() string { return s.m.id }

// State is the room as it is known now.
func (s *Seat) State() room.State {
	s.m.hall.mu.Lock()
	defer s.m.hall.mu.Unlock()
	return s.m.sees(s.m.hall.state)
}

// Leave takes the participant out of the room.
func (s *Seat) Leave() {
	s.m.displaced()
	s.m.leave()
}

// Publish sets the tracks of the participant, whose ids must begin with its own
// and a dot.
func (s *Seat) Publish(tracks []room.PublishedTrack) error {
	if s.m.role != room.Presenter && len(tracks) > 0 {
		return errViewer
	}
	if len(tracks) > room.MaxTracks {
		return fmt.Errorf("%d tracks are too many: %d is the limit", len(tracks), room.MaxTracks)
	}
	for _, t := range tracks {
		if !strings.HasPrefix(t.ID, s.m.id+".") {
			return fmt.Errorf("track %s is not one of participant %s", t.ID, s.m.id)
		}
	}
	s.m.mu.Lock()
	s.m.tracks = tracks
	s.m.mu.Unlock()
	s.m.hall.wake.Raise()
	return nil
}

// Node waits for the SFU that serves the participant.
func (s *Seat) Node(ctx context.Context) (string, error) { return s.m.hall.node(ctx, s.m) }

// Session names a session of the participant as News do.
func (s *Seat) Session(label string) string { return s.m.id + "." + label }

// Offer has an SFU answer an offer for a session that sends and receives.
func (s *Seat) Offer(ctx context.Context, node, label, sdp string, c room.Change) (string, error) {
	return s.m.ask(ctx, node, room.Offer{Session: s.Session(label), SDP: sdp, Both: true, Change: c})
}

// Change changes what a session sends and receives.
func (s *Seat) Change(ctx context.Context, node, label string, c room.Change) error {
	return s.m.hall.media(ctx, node, "change", sfu.ChangeOf{Session: s.Session(label), Change: c}, nil)
}

// End ends a session.
func (s *Seat) End(ctx context.Context, node, label string) error {
	return s.m.hall.media(ctx, node, "end", sfu.End{Room: s.m.hall.name, Session: s.Session(label)}, nil)
}

// Text sends a message to a participant, or to all if to is "".
func (s *Seat) Text(ctx context.Context, to, text string) error {
	return s.m.text(ctx, to, text)
}

// Ticket proves for a while that its holder is the participant.
func (s *Seat) Ticket(until time.Time) (string, error) {
	return s.m.hall.portal.opts.Key.Sign(roomtoken.Claims{Room: s.m.hall.name, User: s.m.user, Role: s.m.role, Participant: s.m.id}, until)
}
