package owtportal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/owtsdp"
	"github.com/muster-fleet/muster/internal/portal"
	"github.com/muster-fleet/muster/internal/room"
)

// seat is what a person needs of a portal.Seat.
type seat interface {
	ID() string
	State() room.State
	Publish([]room.PublishedTrack) error
	Node(ctx context.Context) (string, error)
	Session(label string) string
	Offer(ctx context.Context, node, label, sdp string, c room.Change) (string, error)
	Change(ctx context.Context, node, label string, c room.Change) error
	End(ctx context.Context, node, label string) error
	Text(ctx context.Context, to, text string) error
	Ticket(until time.Time) (string, error)
	Leave()
}

const (
	// mediaTime is how long an offer may wait for the room's SFU and its answer.
	// The SDK waits 10 s.
	mediaTime = 9 * time.Second
	// askAgain is the pause after an SFU that did not answer.
	askAgain = 100 * time.Millisecond
	// maxAttributes is the most bytes that an application may say of a stream.
	maxAttributes = 2048
	// maxSubscriptions is the most subscriptions of a client at once.
	maxSubscriptions = 100
)

// person is a participant: what the client asks comes in, answers and
// notifications go out. It has no goroutines; what takes time is returned as
// work, which the caller does before the next request.
type person struct {
	seat seat
	role room.Role
	// out sends a notification to the client.
	out func(event string, data any)

	view      *view
	transport *transport
	// labels counts transports: each session on an SFU has a name of its own.
	labels int
	// later is work that no request waits for.
	later []work
}

// transport is the client's PeerConnection.
type transport struct {
	id, label string
	// node is the SFU that has it, "" before its first answer.
	node     string
	sections map[string]*section // by mid
	sessions map[string]*session // by id
	// up: the client was notified that it is ready.
	up bool
}

// announced is what the client may offer.
func (t *transport) announced() map[string]owtsdp.Section {
	out := map[string]owtsdp.Section{}
	for mid, s := range t.sections {
		out[mid] = owtsdp.Section{Kind: s.kind, Sends: s.sends, Session: s.session}
	}
	return out
}

// session is a publication or a subscription.
type session struct {
	id         string
	sends      bool
	sections   []*section
	attributes json.RawMessage
	// live: an answer has it.
	live bool
}

// section is a media section of the client's PeerConnection.
type section struct {
	mid, kind, session string
	sends              bool
	// of one that sends: the track in the room, and what OWT calls its source
	track  room.Track
	source string
	format *owtsdp.Format
	// from is the track that one receives.
	from string
	// paused: the client does not want to send or receive there.
	paused bool
}

// call is a request of a client.
type call struct {
	name  string
	arg   json.RawMessage
	reply func(status string, data ...any)
}

func (c call) ok(data ...any)        { c.reply("ok", data...) }
func (c call) refuse(reason string)  { c.reply("error", reason) }
func (c call) decode(into any) error { return json.Unmarshal(c.arg, into) }

// work takes time. The function that it returns goes on with the person.
type work func(ctx context.Context) (done func())

const (
	malformed    = "the request is not as the protocol has it"
	unauthorized = "unauthorized"
)

// handle carries out a request that is about the room.
func (p *person) handle(c call) work {
	switch c.name {
	case "publish":
		p.publish(c)
	case "subscribe":
		p.subscribe(c)
	case "soac":
		return p.signal(c)
	case "unpublish", "unsubscribe":
		return p.finish(c)
	case "stream-control":
		return p.control(c, true)
	case "subscription-control":
		return p.control(c, false)
	case "text":
		return p.text(c)
	default:
		c.refuse("Illegal request")
	}
	return nil
}

// newID makes the id of a session: as OWT's, a UUID without dashes.
func newID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// begin adds a session. Without a transport it begins with the first one, and
// has its id: the SDK finds its PeerConnection by that.
func (p *person) begin(c call, asked string, s *session) {
	t := p.transport
	if asked != "" && (t == nil || t.id != asked) {
		c.refuse(noTransport(asked))
		return
	}
	if t != nil {
		for _, section := range s.sections {
			if t.sections[section.mid] != nil {
				c.refuse(fmt.Sprintf("section %s is in use", section.mid))
				return
			}
		}
	} else {
		p.labels++
		t = &transport{id: s.id, label: fmt.Sprintf("owt%d", p.labels), sections: map[string]*section{}, sessions: map[string]*session{}}
		p.transport = t
	}
	t.sessions[s.id] = s
	for _, section := range s.sections {
		section.session, section.sends = s.id, s.sends
		t.sections[section.mid] = section
	}
	c.ok(sessionAnswer{s.id, t.id})
}

func noTransport(id string) string { return fmt.Sprintf("Transport %s does NOT exist", id) }

// sourcesOf are our names of OWT's sources.
var sourcesOf = map[string]map[string]string{
	audio: {"mic": "mic", "screen-cast": "sound", "raw-file": "mic", "encoded-file": "mic"},
	video: {"camera": "camera", "screen-cast": "screen", "raw-file": "camera", "encoded-file": "camera"},
}

func (p *person) publish(c call) {
	var q publishRequest
	if c.decode(&q) != nil || len(q.Media.Tracks) == 0 {
		c.refuse(malformed)
		return
	}
	taken := map[string]bool{}
	for _, s := range p.all() {
		taken[s.track.ID] = s.sends
	}
	delete(taken, "")
	switch {
	case p.role != room.Presenter:
		c.refuse(unauthorized)
		return
	case len(taken)+len(q.Media.Tracks) > room.MaxTracks:
		c.refuse("Too many inputs")
		return
	case len(q.Attributes) > maxAttributes:
		c.refuse(fmt.Sprintf("the attributes have %d bytes; %d is the limit", len(q.Attributes), maxAttributes))
		return
	}
	s := &session{id: newID(), sends: true, attributes: q.Attributes}
	for _, t := range q.Media.Tracks {
		source := sourcesOf[t.Type][t.Source]
		if source == "" || !p.add(s, t.MID, t.Type) {
			c.refuse(malformed)
			return
		}
		id := p.seat.ID() + "." + source
		for n := 2; taken[id]; n++ {
			id = fmt.Sprintf("%s.%s-%d", p.seat.ID(), source, n)
		}
		taken[id] = true
		section := s.sections[len(s.sections)-1]
		section.track, section.source = room.Track{ID: id, Source: source}, t.Source
	}
	p.begin(c, q.Transport.ID, s)
}

// add adds a section to a session that begins, one of each kind at most.
func (p *person) add(s *session, mid, kind string) bool {
	if mid == "" || kind != audio && kind != video || slices.ContainsFunc(s.sections, func(o *section) bool { return o.mid == mid || o.kind == kind }) {
		return false
	}
	s.sections = append(s.sections, &section{mid: mid, kind: kind})
	return true
}

// all are the sections of all sessions.
func (p *person) all() (out []*section) {
	if p.transport == nil {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(p.transport.sessions)) {
		out = append(out, p.transport.sessions[id].sections...)
	}
	return out
}

func (p *person) subscribe(c call) {
	var q subscribeRequest
	if c.decode(&q) != nil || len(q.Media.Tracks) == 0 {
		c.refuse(malformed)
		return
	}
	if p.transport != nil && len(p.transport.sessions) >= maxSubscriptions {
		c.refuse("Too many subscriptions")
		return
	}
	s := &session{id: newID()}
	for _, t := range q.Media.Tracks {
		if !p.add(s, t.MID, t.Type) {
			c.refuse(malformed)
			return
		}
		from, reason := p.source(t.From, t.Type, t.Parameters)
		if reason != "" {
			c.refuse(reason)
			return
		}
		s.sections[len(s.sections)-1].from = from
	}
	p.begin(c, q.Transport.ID, s)
}

// source finds what a client wants to get.
func (p *person) source(from, kind string, like *parameters) (track, reason string) {
	track, found := p.view.find(from, kind)
	switch {
	case !found:
		return "", fmt.Sprintf("Target %s stream early released", kind)
	case track == "":
		return "", fmt.Sprintf("Target %s stream does NOT satisfy:Requested %s stream", kind, kind)
	case like != nil && like.asks() != "":
		return "", fmt.Sprintf("Target video stream does NOT satisfy:%s is not acceptable", like.asks())
	}
	return track, ""
}

// asks is what a client wants to have transcoded, which is not done here.
func (q *parameters) asks() string {
	for _, f := range []struct {
		value json.RawMessage
		name  string
	}{{q.Resolution, "Resolution"}, {q.Framerate, "Framerate"}, {q.Bitrate, "Bitrate"}, {q.KeyFrameInterval, "KeyFrameInterval"}} {
		if len(f.value) > 0 && string(f.value) != "null" {
			return f.name
		}
	}
	return ""
}

// signal takes an offer. The client's candidates are not used: it reaches the
// SFU, which learns its address from that.
func (p *person) signal(c call) work {
	var q soacRequest
	if c.decode(&q) != nil {
		c.refuse(malformed)
		return nil
	}
	t := p.transport
	if t == nil || t.id != q.ID {
		c.refuse(noTransport(q.ID))
		return nil
	}
	switch q.Signaling.Type {
	case "offer":
	case "candidate", "removed-candidates":
		c.ok()
		return nil
	default:
		c.refuse(malformed)
		return nil
	}
	c.ok()
	offer := owtsdp.Permit(q.Signaling.SDP, t.announced())
	mids := owtsdp.InUse(offer)
	change := room.Change{Publish: map[string]room.Track{}, Want: map[string]string{}}
	var answered []*session
	for _, s := range t.sessions {
		if slices.ContainsFunc(s.sections, func(s *section) bool { return !mids[s.mid] }) {
			continue // a later offer has it
		}
		answered = append(answered, s)
		for _, section := range s.sections {
			section.into(&change)
		}
	}
	slices.SortFunc(answered, func(a, b *session) int {
		return slices.Compare([]string{a.sections[0].mid}, []string{b.sections[0].mid})
	})
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, mediaTime)
		defer cancel()
		node, answer, err := p.negotiate(ctx, t, offer, change)
		return func() { p.answered(t, node, answer, err, answered) }
	}
}

// negotiate has the SFU answer. The first offer is not tied to an SFU: where one
// does not answer, the next is asked as soon as the room has it.
func (p *person) negotiate(ctx context.Context, t *transport, offer string, change room.Change) (node, answer string, err error) {
	if t.node != "" {
		answer, err = p.seat.Offer(ctx, t.node, t.label, offer, change)
		return t.node, answer, err
	}
	for {
		if node, err = p.seat.Node(ctx); err != nil {
			return "", "", err
		}
		answer, err = p.seat.Offer(ctx, node, t.label, offer, change)
		var refused *bus.RemoteError
		if err == nil || errors.As(err, &refused) {
			return node, answer, err
		}
		select {
		case <-ctx.Done():
			return "", "", err
		case <-time.After(askAgain):
		}
	}
}

// into adds what a section sends or receives to a change.
func (s *section) into(c *room.Change) {
	switch {
	case s.sends && s.paused:
		c.Publish[s.mid] = room.Track{}
	case s.sends:
		c.Publish[s.mid] = s.track
	case s.paused:
		c.Want[s.mid] = ""
	default:
		c.Want[s.mid] = s.from
	}
}

// answered passes an answer of the SFU on.
func (p *person) answered(t *transport, node, answer string, err error, sessions []*session) {
	if p.transport != t {
		return // it has ended meanwhile
	}
	t.node = node
	if err != nil {
		p.fail(err.Error())
		return
	}
	p.out("progress", progressNotice{ID: t.id, Status: "soac", Data: sdpData{"answer", owtsdp.Label(answer, t.announced())}})
	if !t.up {
		t.up = true
		p.out("progress", progressNotice{ID: t.id, Status: "ready"})
	}
	published := false
	for _, s := range sessions {
		if s.live || t.sessions[s.id] != s {
			continue
		}
		s.live = true
		if s.sends {
			published = true
			for _, section := range s.sections {
				section.format = owtsdp.FormatOf(answer, section.mid)
			}
		}
		p.out("progress", progressNotice{ID: t.id, Session: s.id, Status: "ready"})
	}
	if published {
		p.announce()
	}
	p.check(p.seat.State())
}

// announce says in the room what the client publishes.
func (p *person) announce() {
	var tracks []room.PublishedTrack
	if p.transport != nil {
		for _, id := range slices.Sorted(maps.Keys(p.transport.sessions)) {
			tracks = append(tracks, p.transport.sessions[id].published()...)
		}
	}
	if err := p.seat.Publish(tracks); err != nil {
		p.fail(err.Error()) // the limits are checked before
	}
}

func (s *session) published() (out []room.PublishedTrack) {
	if !s.live || !s.sends {
		return nil
	}
	for i, section := range s.sections {
		a := about{Stream: s.id, Source: section.source, Format: section.format, MID: section.mid}
		if i == 0 {
			a.Attributes = s.attributes
		}
		text, err := json.Marshal(a)
		if err != nil {
			panic(err) // the attributes were decoded as JSON
		}
		out = append(out, room.PublishedTrack{Track: section.track, Muted: section.paused, About: string(text)})
	}
	return out
}

// fail ends the transport. The SDK then ends everything that is on it, and makes
// another one only after it has joined again.
func (p *person) fail(reason string) {
	t := p.transport
	if t == nil {
		return
	}
	p.transport = nil
	p.announce()
	p.out("progress", progressNotice{ID: t.id, Status: "error", Data: reason})
	if t.node != "" {
		p.later = append(p.later, func(ctx context.Context) func() {
			_ = p.seat.End(ctx, t.node, t.label) // an SFU that is gone has ended it too
			return func() {}
		})
	}
}

// hear takes what happens in the room.
func (p *person) hear(n portal.News) {
	switch {
	case n.State != nil:
		for _, e := range p.view.update(*n.State) {
			p.out(e.event, e.data)
		}
		p.check(*n.State)
	case n.Text != nil:
		to := "all"
		if n.Text.To != "" {
			to = "me"
		}
		p.out("text", textNotice{n.Text.From, to, n.Text.Text})
	case p.transport != nil && n.Ended == p.seat.Session(p.transport.label):
		p.fail("the connection has ended")
	}
}

// check ends what a state of the room no longer has.
func (p *person) check(s room.State) {
	t := p.transport
	if t == nil {
		return
	}
	if t.node != "" && s.Part.Node != t.node {
		p.fail("Node lost")
		return
	}
	for _, id := range slices.Sorted(maps.Keys(t.sessions)) {
		s := t.sessions[id]
		if !s.sends && !slices.ContainsFunc(s.sections, func(s *section) bool { return p.view.has(s.from) }) {
			p.out("progress", progressNotice{ID: t.id, Session: id, Status: "error", Data: "Source stream loss"})
			if w := p.drop(s, func(error) {}); w != nil {
				p.later = append(p.later, w)
			}
		}
	}
}

// own is the session that a request names, or why it cannot have it.
func (p *person) own(id string, sends bool) (s *session, reason string) {
	if p.transport != nil {
		if s = p.transport.sessions[id]; s != nil && s.sends == sends {
			return s, ""
		}
	}
	switch {
	case !sends:
		return nil, "Subscription does NOT exist"
	case p.view.stream(id) != nil:
		return nil, unauthorized
	}
	return nil, "Stream does NOT exist"
}
