package owtnode

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/muster-fleet/muster/internal/owtsdp"
	"github.com/muster-fleet/muster/internal/rtc"
)

// answerTime is how long an offer may take.
const answerTime = 5 * time.Second

// transport is a client's PeerConnection.
type transport struct {
	id, controller, owner string
	// session is its name at the server.
	session  string
	sections map[string]*section // by mid; those of ended sessions too
	// offers wait to be answered, one after another.
	offers    []string
	answering bool
	ended     bool
}

// session is a publication or a subscription.
type session struct {
	id       string
	sections []*section
	complete bool
}

// section is a media section of the PeerConnection.
type section struct {
	owtsdp.Section
	transport  *transport
	mid        string
	source     string
	preference owtsdp.Preference
	// tracks are what the conference knows; none before the answer.
	tracks []*track
	format *owtsdp.Format
	// from is what a subscription gets there.
	from *track
	// ended: its session has ended. The section stays, as the client offers
	// nothing then.
	ended bool
}

// track is an encoding of a section that sends, or a section that receives.
type track struct {
	id, rid string
	section *section
	off     bool
}

// id names the section at the server, and its only track.
func (s *section) id() string { return s.transport.id + "-" + s.mid }

// on reports whether the section is to carry media.
func (s *section) on() bool {
	return !s.ended && slices.ContainsFunc(s.tracks, func(t *track) bool { return !t.off })
}

// sources are the server's names of OWT's sources: it sends screens first.
var sources = map[string]map[string]string{
	owtsdp.Audio: {"screen-cast": "sound", "": "mic"},
	owtsdp.Video: {"screen-cast": "screen", "": "camera"},
}

// into adds what the server is to do with the section.
func (s *section) into(c *rtc.Change) {
	if s.Sends {
		t := rtc.Track{}
		if s.on() {
			t.ID = s.id()
			if t.Source = sources[s.Kind][s.source]; t.Source == "" {
				t.Source = sources[s.Kind][""]
			}
		}
		c.Publish[s.mid] = t
		return
	}
	c.Want[s.mid], c.Encoding[s.mid] = "", ""
	if s.from != nil && s.on() {
		c.Want[s.mid], c.Encoding[s.mid] = s.from.section.id(), s.from.rid
	}
}

func newChange() rtc.Change {
	return rtc.Change{Publish: map[string]rtc.Track{}, Want: map[string]string{}, Encoding: map[string]string{}}
}

// change has the server do what sections of one transport say.
func (n *Node) change(sections ...*section) error {
	c := newChange()
	var session string
	for _, s := range sections {
		session = s.transport.session
		if len(s.tracks) > 0 && s.format != nil { // else the client has nothing there
			s.into(&c)
		}
	}
	if len(c.Publish)+len(c.Want) == 0 {
		return nil
	}
	return n.server.Change(session, c)
}

// announced is what the client may offer.
func (t *transport) announced() map[string]owtsdp.Section {
	out := map[string]owtsdp.Section{}
	for mid, s := range t.sections {
		out[mid] = s.Section
	}
	return out
}

// transport finds a transport or begins it. The caller has locked n.
func (n *Node) transport(id, controller, owner string) (*transport, error) {
	switch t := n.transports[id]; {
	case id == "":
		return nil, fmt.Errorf("transportId is missing")
	case t == nil:
	case t.controller != controller:
		return nil, refuse("Transport %s is another conference's", id)
	case t.owner != owner && t.owner != "" && owner != "":
		return nil, refuse("Transport %s is another participant's", id)
	default:
		if t.owner == "" {
			t.owner = owner
		}
		return t, nil
	}
	n.names++
	t := &transport{id: id, controller: controller, owner: owner, session: fmt.Sprintf("%s%s/%d", prefix, id, n.names), sections: map[string]*section{}}
	n.transports[id] = t
	return t, nil
}

// begin adds a session to its transport. The caller has locked n.
func (n *Node) begin(id string, sends bool, o options) error {
	t, err := n.transport(o.Transport, o.Controller, o.Owner)
	if err != nil {
		return err
	}
	s := &session{id: id}
	for _, want := range o.Tracks {
		known := t.sections[want.MID]
		if known != nil || slices.ContainsFunc(s.sections, func(o *section) bool { return o.mid == want.MID }) {
			return fmt.Errorf("section %s of transport %s is in use", want.MID, t.id)
		}
		s.sections = append(s.sections, &section{
			Section:   owtsdp.Section{Kind: want.Kind, Sends: sends, Session: id},
			transport: t, mid: want.MID, source: want.Source, preference: want.Preference,
		})
	}
	for _, section := range s.sections {
		t.sections[section.mid] = section
	}
	n.sessions[id] = s
	return nil
}

// finish ends a session. The caller has locked n.
func (n *Node) finish(id string) {
	s := n.sessions[id]
	if s == nil {
		return
	}
	delete(n.sessions, id)
	for _, section := range s.sections {
		section.ended = true
	}
	if err := n.change(s.sections...); err != nil {
		n.log.Debug("session ended at a transport that is gone", "session", id, "err", err)
	}
	for _, section := range s.sections {
		n.withdraw(section)
	}
}

// withdraw takes the tracks of a section away. The caller has locked n.
func (n *Node) withdraw(s *section) {
	for _, t := range s.tracks {
		if n.tracks[t.id] == t { // else its answer has not come
			n.cut(t)
			delete(n.tracks, t.id)
			n.cast(s.transport, "onTrackUpdate", s.transport.id, trackUpdate{Type: "track-removed", Track: t.id})
		}
	}
	for id, t := range n.tracks { // the switches among its encodings
		if t.section == s {
			n.cut(t)
			delete(n.tracks, id)
		}
	}
	s.tracks = nil
}

// remove ends a transport and all that is on it. The caller has locked n.
func (n *Node) remove(t *transport) {
	t.ended = true
	delete(n.transports, t.id)
	for _, mid := range slices.Sorted(maps.Keys(t.sections)) {
		s := t.sections[mid]
		delete(n.sessions, s.Session)
		s.ended = true
		n.withdraw(s)
	}
	n.running.Go(func() { n.server.End(t.session) })
}

// signal takes what a client says of its transport. The caller has locked n.
func (n *Node) signal(id string, m signaling) error {
	t := n.transports[id]
	if t == nil {
		return noConnection(id)
	}
	switch m.Type {
	case "offer":
		t.offers = append(t.offers, m.SDP)
		if !t.answering {
			t.answering = true
			n.running.Go(func() { n.answer(t) })
		}
	case "candidate", "removed-candidates": // the client reaches the server, which learns its address from that
	default:
		return fmt.Errorf("signaling.type must be offer, candidate or removed-candidates, not %q", m.Type)
	}
	return nil
}

// answer answers the offers of a transport.
func (n *Node) answer(t *transport) {
	for {
		n.mu.Lock()
		if t.ended || len(t.offers) == 0 {
			t.answering = false
			n.mu.Unlock()
			return
		}
		offer, offered := t.next()
		n.mu.Unlock()

		ctx, cancel := context.WithTimeout(n.ctx, answerTime)
		answer, err := n.server.Offer(ctx, offer)
		cancel()

		n.mu.Lock()
		n.answered(t, answer, err, offered)
		n.mu.Unlock()
	}
}

// next takes the next offer, as the server may have it, and the sections that are
// new in it.
func (t *transport) next() (o rtc.Offer, offered []*section) {
	sdp := t.offers[0]
	t.offers = t.offers[1:]
	o = rtc.Offer{Room: prefix + t.controller, Session: t.session, Owner: t.owner, Both: true, Change: newChange()}
	blocks := owtsdp.Blocks(owtsdp.Permit(sdp, t.announced()))
	for i, block := range blocks[1:] {
		s := t.sections[owtsdp.Attribute(block, "mid")]
		if s == nil || owtsdp.Direction(block) == "inactive" {
			continue
		}
		block, s.format = owtsdp.Choose(block, s.preference)
		if s.format == nil {
			block = owtsdp.Direct(block, "inactive")
		}
		blocks[i+1] = block
		if len(s.tracks) == 0 && !s.ended {
			s.tracks = s.tracksOf(block)
			offered = append(offered, s)
		}
		if s.format != nil {
			s.into(&o.Change)
		}
	}
	o.SDP = strings.Join(blocks, "")
	return o, offered
}

// tracksOf are the tracks of a section: one for each encoding that the client
// sends there.
func (s *section) tracksOf(block string) (out []*track) {
	if s.Sends {
		for line := range strings.Lines(block) {
			if rid, found := strings.CutPrefix(line, "a=rid:"); found {
				rid, _, _ = strings.Cut(rid, " ")
				out = append(out, &track{id: s.id() + ":" + rid, rid: rid, section: s})
			}
		}
	}
	if out == nil {
		out = []*track{{id: s.id(), section: s}}
	}
	return out
}

// answered says to the conference what came of an offer. The caller has locked n.
func (n *Node) answered(t *transport, answer string, err error, offered []*section) {
	switch {
	case t.ended:
		n.running.Go(func() { n.server.End(t.session) }) // it may have begun after the end
		return
	case err != nil:
		n.cast(t, "onTransportProgress", t.id, progress{Type: "failed", Reason: err.Error()})
		for _, s := range offered {
			s.tracks = nil
		}
		return
	}
	n.cast(t, "onTransportProgress", t.id, progress{Type: "answer", SDP: owtsdp.Label(answer, t.announced())})
	for _, s := range offered {
		if owtsdp.FormatOf(answer, s.mid) == nil {
			s.format = nil
		}
		if !s.ended {
			n.add(s)
			continue
		}
		if err := n.change(s); err != nil {
			n.log.Debug("session ended at a transport that is gone", "session", s.Session, "err", err)
		}
		s.tracks = nil
	}
	for _, s := range offered {
		n.complete(n.sessions[s.Session])
	}
}

// add announces the tracks of a section. The caller has locked n.
func (n *Node) add(s *section) {
	direction := "out"
	if s.Sends {
		direction = "in"
	}
	for _, t := range s.tracks {
		n.tracks[t.id] = t
		n.cast(s.transport, "onTrackUpdate", s.transport.id, trackUpdate{
			Type: "track-added", Track: t.id, Session: s.Session,
			trackAdded: &trackAdded{Kind: s.Kind, Format: s.format, Direction: direction, MID: s.mid, RID: t.rid, Active: true},
		})
	}
}

// complete says that all tracks of a session were announced. The caller has
// locked n.
func (n *Node) complete(s *session) {
	if s == nil || s.complete || slices.ContainsFunc(s.sections, func(o *section) bool { return len(o.tracks) == 0 }) {
		return
	}
	s.complete = true
	t := s.sections[0].transport
	n.cast(t, "onTrackUpdate", t.id, trackUpdate{Type: "tracks-complete", Session: s.id})
}

func noConnection(id string) error {
	return refuse("Connection does NOT exist:%s", id)
}
