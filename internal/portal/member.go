package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/conference"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/sfu"
)

// member is a participant that is here.
type member struct {
	hall   *hall
	id     string
	user   string
	role   room.Role
	attach int
	// part is the ID of the part in which the client says that it was.
	part int
	// only is the session that is all of it (WHIP and WHEP), apart for a Seat,
	// and "" for a client with a WebSocket.
	only string
	// events go to the client; nil for one that hears nothing.
	events chan event
	// gone is closed when another connection has taken its place.
	gone     chan struct{}
	goneOnce sync.Once

	mu     sync.Mutex
	tracks []room.PublishedTrack
}

// sources are the names that tracks may have.
var sources = []string{"camera", "mic", "screen", "sound"}

// eventBacklog is how many events wait for a slow client. More are dropped: the
// next state says what they said.
const eventBacklog = 64

func newMember(h *hall, c roomtoken.Claims, id string, attach int) *member {
	return &member{hall: h, id: id, user: c.User, role: c.Role, attach: attach, gone: make(chan struct{})}
}

func (m *member) participant() room.Participant {
	m.mu.Lock()
	defer m.mu.Unlock()
	return room.Participant{ID: m.id, User: m.user, Role: m.role, Region: m.hall.portal.opts.Region, Part: m.part, Attach: m.attach, Tracks: append([]room.PublishedTrack{}, m.tracks...)}
}

// sees is the state as the participant gets it.
func (m *member) sees(s room.State) room.State { return s.For(m.id, m.hall.portal.opts.Region) }

// task is the participant as a task of the portal: a name of its own for each
// time that the client attached, since the task of a portal that died stays its
// own until the manager gives it up.
func (m *member) task() string { return fmt.Sprintf("%s.%d", m.id, m.attach) }

func (m *member) say(e event) {
	if m.events == nil {
		return
	}
	select {
	case m.events <- e:
	default:
	}
}

// iceServers are those by which the participant reaches the SFUs of parts where
// no other way leads there.
func (m *member) iceServers(parts ...room.Part) []iceServer {
	var urls []string
	for _, p := range parts {
		urls = append(urls, strings.Fields(p.TURN)...)
	}
	if len(urls) == 0 {
		return nil
	}
	username, password := m.hall.portal.opts.Key.TURN(m.id, time.Now().Add(ticketLife))
	return []iceServer{{urls, username, password}}
}

// displaced ends a connection whose place another has taken.
func (m *member) displaced() { m.goneOnce.Do(func() { close(m.gone) }) }

// leave takes the participant out of the room.
func (m *member) leave() {
	m.hall.exit(m)
	m.hall.portal.leave(m.hall)
}

var errViewer = errors.New("a viewer does not publish: ask for a token of a presenter")

// trackID names a track of the participant. No participant can name another's.
func (m *member) trackID(source string) (string, error) {
	if m.role != room.Presenter {
		return "", errViewer
	}
	if !slices.Contains(sources, source) {
		return "", fmt.Errorf("a track's source is one of %q, not %q", sources, source)
	}
	return m.id + "." + source, nil
}

// publish sets the tracks that the participant publishes.
func (m *member) publish(tracks []trackSaid) error {
	if len(tracks) > room.MaxTracks {
		return fmt.Errorf("%d tracks are too many: %d is the limit", len(tracks), room.MaxTracks)
	}
	var out []room.PublishedTrack
	for _, t := range tracks {
		id, err := m.trackID(t.Source)
		if err != nil {
			return err
		}
		out = append(out, room.PublishedTrack{Track: room.Track{ID: id, Source: t.Source}, Muted: t.Muted})
	}
	m.mu.Lock()
	m.tracks = out
	m.mu.Unlock()
	m.hall.wake.Raise()
	return nil
}

// session names a PeerConnection of the participant on an SFU.
func (m *member) session(label string) (string, error) {
	if label == "" || len(label) > 32 || strings.ContainsFunc(label, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	}) {
		return "", fmt.Errorf("a session's name is of a-z, 0-9 and -, up to 32 of them, not %q", label)
	}
	return m.id + "." + label, nil
}

// change is what a client says of a session, with the names that tracks have in
// the room.
func (m *member) change(c mediaSaid) (room.Change, error) {
	out := room.Change{Want: c.Want, View: c.View}
	for mid, source := range c.Publish {
		if out.Publish == nil {
			out.Publish = map[string]room.Track{}
		}
		if source == "" {
			out.Publish[mid] = room.Track{}
			continue
		}
		id, err := m.trackID(source)
		if err != nil {
			return out, err
		}
		out.Publish[mid] = room.Track{ID: id, Source: source}
	}
	return out, nil
}

// offer has the SFU answer.
func (m *member) offer(ctx context.Context, node string, c mediaSaid) (string, error) {
	session, err := m.session(c.Session)
	if err != nil {
		return "", err
	}
	change, err := m.change(c)
	if err != nil {
		return "", err
	}
	if m.role != room.Presenter && strings.Contains(c.SDP, "a=send") {
		return "", errViewer
	}
	return m.ask(ctx, node, room.Offer{Session: session, SDP: c.SDP, Change: change})
}

// ask has an SFU answer an offer of the participant.
func (m *member) ask(ctx context.Context, node string, o room.Offer) (string, error) {
	o.Room, o.Owner = m.hall.name, m.id
	o.ReceiveOnly, o.Bitrate = m.role != room.Presenter, m.hall.portal.opts.Bitrates[m.role]
	var answer sfu.Answer
	err := m.hall.media(ctx, node, "offer", o, &answer)
	return answer.SDP, err
}

// order has the room recorded or streamed, or not any more. Only who may be seen in
// it decides on that.
func (m *member) order(ctx context.Context, o conference.Order) error {
	if err := m.hall.portal.mayOrder(m.role, o); err != nil {
		return err
	}
	o.By = m.user
	return m.hall.order(ctx, o)
}

// text sends a message to a participant, or to all if to is "".
func (m *member) text(ctx context.Context, to, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("the text is empty")
	case len(text) > room.MaxText:
		return fmt.Errorf("the text has %d bytes; %d is the limit", len(text), room.MaxText)
	}
	return m.hall.portal.opts.Conn.Publish(ctx, room.Topic, room.KeyText(m.hall.name), room.Notice{
		Room: m.hall.name, From: m.id, User: m.user, To: to, Text: text,
	})
}
