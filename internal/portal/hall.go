package portal

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/conference"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/sfu"
)

const (
	// syncTime is how long a conference may take to answer.
	syncTime = 800 * time.Millisecond
	// findTime is how long one try to find a conference may take, and
	// findAgain the pause after one that failed.
	findTime  = 4 * time.Second
	findAgain = 200 * time.Millisecond
	// orderTime is how long a conference may take to hear that a room is to be
	// recorded or streamed.
	orderTime = 4 * time.Second
	// formerNodes is how many SFUs of the past a client may still speak to.
	formerNodes = 2 * room.MaxParts
)

// hall is a room, as far as this portal has to do with it.
type hall struct {
	portal *Portal
	name   string
	users  int            // guarded by the portal
	over   chan struct{}  // closed with the last user
	wake   mailbox.Signal // raised to speak with the conference at once

	mu      sync.Mutex
	members map[string]*member
	state   room.State
	target  room.Target // of the stream, which clients do not see
	nodes   []string    // the SFUs, and those before them
	// speakers are the tracks that speak at each SFU.
	speakers map[string][]string
	// conference is the node that has the room; "" while it is looked for.
	conference string
	changed    chan struct{} // closed, and replaced, when state or conference change
}

func newHall(p *Portal, name string) *hall {
	return &hall{
		portal: p, name: name, over: make(chan struct{}), wake: mailbox.NewSignal(),
		members: map[string]*member{}, speakers: map[string][]string{}, state: room.State{Name: name, Participants: []room.Participant{}}, changed: make(chan struct{}),
	}
}

// run syncs with the conference until the hall is closed.
func (h *hall) run() {
	ctx := h.portal.ctx
	listening, err := h.portal.opts.Conn.Subscribe(ctx, room.Topic, room.KeyAll(h.name), h.notice)
	if err != nil {
		h.portal.log.Warn("no notices of the room", "room", h.name, "err", err)
	} else {
		defer func() { _ = listening.Close() }()
	}
	tick := time.NewTicker(conference.SyncEvery)
	defer tick.Stop()
	node := ""
	for over := false; !over; {
		if node == "" {
			node = h.find(ctx)
			h.located(node)
		}
		if node != "" {
			if err := h.sync(ctx, node); err != nil && ctx.Err() == nil {
				h.portal.log.Warn("conference lost: asking for it again", "room", h.name, "node", node, "err", err)
				node = ""
				h.located(node)
				continue
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-h.over:
			over = true
		case <-h.wake:
		case <-tick.C:
		}
	}
	if node != "" {
		_ = h.sync(ctx, node) // reports that no participant is left; otherwise the conference times out
	}
}

// located notes which node has the room.
func (h *hall) located(conference string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conference = conference
	close(h.changed)
	h.changed = make(chan struct{})
}

// order has the room recorded or streamed, or not any more.
func (h *hall) order(ctx context.Context, o conference.Order) error {
	o.Room = h.name
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	node := h.await(ctx, func() string { return h.conference })
	if node == "" {
		return errNoConference
	}
	_, err := h.portal.opts.Conn.Call(ctx, node, "order", o)
	return err
}

// await waits until there is a node of a kind, which find looks for with h locked;
// "" if ctx ends before.
func (h *hall) await(ctx context.Context, find func() string) string {
	for {
		h.mu.Lock()
		node, changed := find(), h.changed
		h.mu.Unlock()
		if node != "" {
			return node
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ""
		}
	}
}

var errNoConference = errors.New("no conference has the room yet: try again")

// find asks for the conference of the room; "" if there is none now.
func (h *hall) find(ctx context.Context) string {
	c := h.portal.opts.Client
	try, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	p, err := c.Schedule(try, client.Request{Purpose: room.PurposeConference, Task: h.name, Reserve: findTime * 2})
	node := ""
	if err == nil {
		order := p.Order(h.name, nil)
		if node, err = c.GetNode(try, p.Worker, order); err == nil {
			err = c.StartTask(try, node, order)
		}
	}
	if err == nil {
		return node
	}
	if ctx.Err() == nil {
		h.portal.log.Warn("no conference for the room yet", "room", h.name, "err", err)
	}
	pause.For(ctx, findAgain)
	return ""
}

// sync says who is here, and takes the state.
func (h *hall) sync(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	raw, err := h.portal.opts.Conn.Call(ctx, node, "sync", h.says())
	if err != nil {
		if errors.Is(err, bus.ErrDisconnected) {
			return nil // our own connection is down
		}
		return err
	}
	var answer conference.SyncAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	if answer.State != nil {
		h.take(*answer.State, answer.Target)
	}
	return nil
}

func (h *hall) says() room.Sync {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := room.Sync{Room: h.name, Portal: h.portal.opts.ID, Participants: []room.Participant{}, Parts: h.state.Parts,
		Recording: h.state.Recording, Streaming: h.state.Streaming, Target: h.target, Version: h.state.Version}
	for _, m := range h.members {
		p := m.participant()
		if part, ok := h.state.PartOf(m.id); ok {
			p.Part = part.ID
		}
		s.Participants = append(s.Participants, p)
	}
	return s
}

// take puts a newer state in force.
func (h *hall) take(s room.State, target room.Target) {
	h.mu.Lock()
	if s.Version <= h.state.Version {
		h.mu.Unlock()
		return
	}
	s.Participants = h.keepUnsettled(s)
	stranded := h.stranded(s)
	h.state, h.target = s, target
	elsewhere := h.elsewhere()
	for _, node := range s.Nodes() {
		if !slices.Contains(h.nodes, node) {
			h.nodes = append([]string{node}, h.nodes...)
		}
	}
	h.nodes = h.nodes[:min(len(h.nodes), formerNodes)]
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	for _, m := range elsewhere {
		m.displaced()
		h.portal.opts.OnLeave(m.task())
	}
	h.sayState()
	for _, m := range stranded {
		if h.portal.resources.CompareAndDelete(m.id, m) {
			h.portal.running.Go(m.leave)
		}
	}
}

// stranded are the members who cannot be moved, and whose SFU is not theirs any
// more: they have to come again. The caller has locked h.
func (h *hall) stranded(next room.State) (gone []*member) {
	for _, m := range h.members {
		before, now := m.sees(h.state).Part.Node, m.sees(next).Part
		if m.only != "" && before != "" && now.Node != before && now.Former.Node != before {
			gone = append(gone, m)
		}
	}
	return gone
}

// elsewhere drops the members who have come to another portal since they came
// here: their media is not ended when their connection to this one breaks. The
// caller has locked h.
func (h *hall) elsewhere() (gone []*member) {
	for _, p := range h.state.Participants {
		if m := h.members[p.ID]; m != nil && p.Portal != h.portal.opts.ID && p.Attach > m.attach {
			delete(h.members, p.ID)
			gone = append(gone, m)
		}
	}
	return gone
}

// keepUnsettled keeps the people of whom a conference that has just begun may
// not have heard yet.
func (h *hall) keepUnsettled(s room.State) []room.Participant {
	if s.Settled {
		return s.Participants
	}
	out := s.Participants
	for _, known := range h.state.Participants {
		if !slices.ContainsFunc(out, func(p room.Participant) bool { return p.ID == known.ID }) && known.Portal != h.portal.opts.ID {
			out = append(out, known)
		}
	}
	return out
}

// sayState sends the state to every member, to each with its own part.
func (h *hall) sayState() {
	portals := h.portal.others()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.members {
		state := m.sees(h.state)
		m.say(event{Type: "state", State: &state, Portals: portals, ICE: m.iceServers(state.Part)})
	}
}

// tell sends an event to every member.
func (h *hall) tell(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.members {
		m.say(e)
	}
}

// notice takes what is published on the room.
func (h *hall) notice(_ string, body json.RawMessage) {
	var n room.Notice
	if json.Unmarshal(body, &n) != nil || n.Room != h.name {
		return
	}
	switch {
	case n.Version > 0:
		h.wake.Raise()
	case n.Text != "":
		h.text(n)
	case n.Session != "":
		h.ended(n.Session)
	default:
		h.tell(event{Type: "speakers", Tracks: h.speaking(n.Node, n.Tracks)})
	}
}

// speaking takes who speaks at an SFU, and returns who speaks at any.
func (h *hall) speaking(node string, tracks []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.speakers[node] = tracks
	live := h.state.Nodes()
	maps.DeleteFunc(h.speakers, func(other string, _ []string) bool { return other != node && !slices.Contains(live, other) })
	out := []string{}
	for _, at := range slices.Sorted(maps.Keys(h.speakers)) {
		for _, track := range h.speakers[at] {
			if !slices.Contains(out, track) { // one who moves is at two
				out = append(out, track)
			}
		}
	}
	return out
}

// text passes a message on to whom it is for.
func (h *hall) text(n room.Notice) {
	e := event{Type: "text", From: n.From, User: n.User, To: n.To, Text: n.Text}
	if n.To == "" {
		h.tell(e)
		return
	}
	h.mu.Lock()
	m := h.members[n.To]
	h.mu.Unlock()
	if m != nil {
		m.say(e)
	}
}

// enter adds a member. One of the same participant that was here before goes.
func (h *hall) enter(m *member) error {
	h.mu.Lock()
	others := 0
	for _, p := range h.state.Participants {
		if p.ID != m.id {
			others++
		}
	}
	if others >= room.MaxParticipants {
		h.mu.Unlock()
		return room.ErrFull
	}
	before := h.members[m.id]
	h.members[m.id] = m
	h.mu.Unlock()
	if before != nil {
		before.displaced()
		h.portal.opts.OnLeave(before.task())
	}
	h.portal.opts.OnEnter(m.task())
	h.wake.Raise()
	return nil
}

// exit removes a member, and what is left of it on the SFUs.
func (h *hall) exit(m *member) {
	h.mu.Lock()
	if h.members[m.id] != m {
		h.mu.Unlock()
		return
	}
	delete(h.members, m.id)
	nodes := slices.Clone(h.nodes)
	h.mu.Unlock()
	h.portal.opts.OnLeave(m.task())
	h.wake.Raise()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.portal.ctx), syncTime)
	defer cancel()
	for _, node := range nodes {
		_ = h.portal.opts.Conn.Cast(ctx, node, "end", sfu.End{Room: h.name, Owner: m.id}) // silence ends it too
	}
}

// ended handles the end of a session: a participant that consists of it leaves.
func (h *hall) ended(session string) {
	h.mu.Lock()
	var gone *member
	for _, m := range h.members {
		switch {
		case m.only == session:
			gone = m
		case m.only == apart && strings.HasPrefix(session, m.id+"."):
			m.say(event{Type: "ended", Session: session})
		}
	}
	h.mu.Unlock()
	if gone == nil || !h.portal.resources.CompareAndDelete(gone.id, gone) {
		return
	}
	h.portal.running.Go(gone.leave)
}

// node waits for the SFU of a member.
func (h *hall) node(ctx context.Context, m *member) (string, error) {
	node := h.await(ctx, func() string { return m.sees(h.state).Part.Node })
	if node == "" {
		return "", errNoSFU
	}
	return node, nil
}

var errNoSFU = errors.New("no SFU serves the room yet: try again")

// knows reports whether the node is or was an SFU of the room.
func (h *hall) knows(node string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.nodes, node)
}

// media calls an SFU.
func (h *hall) media(ctx context.Context, node, method string, arg, into any) error {
	ctx, cancel := context.WithTimeout(ctx, mediaTime)
	defer cancel()
	raw, err := h.portal.opts.Conn.Call(ctx, node, method, arg)
	if err != nil {
		var refused *bus.RemoteError
		if errors.As(err, &refused) {
			return refused
		}
		return errNoAnswer
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

var errNoAnswer = errors.New("the SFU does not answer: wait for the next state")
