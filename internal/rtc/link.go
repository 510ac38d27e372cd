package rtc

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

const (
	// linkTick is how often a link looks at what is wanted.
	linkTick = 50 * time.Millisecond
	// lookSoon is how often another SFU is asked for a track that it does not have
	// yet, lookLate how often for those that it has.
	lookSoon = 150 * time.Millisecond
	lookLate = 500 * time.Millisecond
	// upstreamTime is how long another SFU may take to answer.
	upstreamTime = 2 * time.Second
	// mostFailures is how many answers in a row may be missing.
	mostFailures = 2
	// lingerTime is how long a layer still comes that no one needs any more.
	lingerTime = 2 * time.Second
	// restTime is the pause after a connection that failed.
	restTime = 300 * time.Millisecond
)

// Upstream reaches other SFUs by their nodes.
type Upstream interface {
	// Offer has one answer an offer, Change and End change and end a session there.
	Offer(ctx context.Context, node string, o Offer) (sdp string, err error)
	Change(ctx context.Context, node, session string, c Change) error
	End(ctx context.Context, node, room, session string)
	// Published asks which of the tracks are published there.
	Published(ctx context.Context, node, room string, tracks []string) ([]Published, error)
}

// Published is a track that is published here, for other SFUs.
type Published struct {
	Track
	// Kind is "audio" or "video", Codec a MIME type.
	Kind  string `json:"kind"`
	Codec string `json:"codec"`
	// Several: there are several encodings.
	Several bool    `json:"several,omitempty"`
	Layers  []Layer `json:"layers"`
}

// Published are those of the tracks that are published here and have begun.
func (s *Server) Published(name string, ids []string) []Published {
	s.mu.Lock()
	r := s.rooms[name]
	s.mu.Unlock()
	out := []Published{}
	if r == nil {
		return out
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, id := range ids {
		t := r.tracks[id]
		if t == nil || t.link != "" {
			continue
		}
		p := Published{Kind: t.kind.String(), Several: t.simulcast(), Layers: t.offers(now)}
		t.mu.Lock()
		p.Track, p.Codec = t.Track, t.mime
		t.mu.Unlock()
		if p.Codec != "" {
			out = append(out, p)
		}
	}
	return out
}

// link is what comes to a room from another SFU: over connections on which it is
// a subscriber there, one media section for each layer of each track. What arrives
// is published here.
type link struct {
	room       *room
	node, self string
	log        *slog.Logger
	failures   int
	// asked is when the node was asked last what it has: remote, by track.
	asked  time.Time
	remote map[string]Published
	// rest is until when no connection is made, after one that failed.
	rest time.Time
	// empty is since when nothing has been wanted; zero: something is.
	empty time.Time

	mu    sync.Mutex // of what follows, which only run changes
	lanes []*lane
	pulls map[string]*pull
}

func newLink(r *room, node, self string) *link {
	return &link{room: r, node: node, self: self, log: r.server.log.With("room", r.name, "from", node), pulls: map[string]*pull{}}
}

// pull is a track that comes by a link.
type pull struct {
	track *track
	as    Track

	mu       sync.Mutex
	sections [mostLayers]*section
	// idle is since when a layer that comes has not been needed.
	idle [mostLayers]time.Time
}

// passes is an origin's: limits hold where the track is published.
func (p *pull) passes(int, time.Time) bool { return true }

// askKeyFrame asks the other SFU, which asks the publisher.
func (p *pull) askKeyFrame(l *layer) {
	p.mu.Lock()
	s := p.sections[l.index]
	p.mu.Unlock()
	if s != nil {
		s.lane.send(&rtcp.PictureLossIndication{MediaSSRC: s.ssrc.Load()})
	}
}

// run has the link carry what is wanted until nothing is.
func (l *link) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer l.close()
	tick := time.NewTicker(linkTick)
	defer tick.Stop()
	l.log.Info("link to another SFU begins")
	for {
		if over := l.step(ctx, time.Now()); over {
			l.log.Info("link to another SFU ends")
			return
		}
		select {
		case <-l.room.server.stop:
			return
		case <-tick.C:
		}
	}
}

// step does what is due.
func (l *link) step(ctx context.Context, now time.Time) (over bool) {
	l.room.mu.Lock()
	wanted := maps.Clone(l.room.demands[l.node])
	if len(wanted) > 0 {
		l.empty = time.Time{}
	} else if l.empty.IsZero() {
		l.empty = now
	} else if now.Sub(l.empty) > lingerTime {
		delete(l.room.links, l.node)
		over = true
	}
	l.room.mu.Unlock()
	if over {
		return true
	}
	if len(wanted) > 0 && now.Sub(l.asked) >= l.pace(wanted) {
		l.ask(ctx, slices.Sorted(maps.Keys(wanted)))
		l.asked = time.Now()
	}
	l.settle(wanted, now)
	l.negotiate(ctx)
	return false
}

// pace is how often the node is asked.
func (l *link) pace(wanted map[string]uint) time.Duration {
	for id := range wanted {
		if _, ok := l.remote[id]; !ok || l.failures > 0 {
			return lookSoon
		}
	}
	return lookLate
}

// ask asks the node which tracks it has. A node that does not answer has none.
func (l *link) ask(ctx context.Context, tracks []string) {
	ctx, cancel := context.WithTimeout(ctx, upstreamTime)
	defer cancel()
	found, err := l.room.server.opts.Upstream.Published(ctx, l.node, l.room.name, tracks)
	if err != nil {
		if l.failures++; l.failures == mostFailures {
			l.log.Warn("link to another SFU lost", "err", err)
		}
		if l.failures < mostFailures {
			return
		}
		found = nil
	} else {
		l.failures = 0
	}
	l.remote = map[string]Published{}
	for _, p := range found {
		l.remote[p.ID] = p
	}
}

// settle begins and ends pulls, and their sections.
func (l *link) settle(wanted map[string]uint, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.lanes {
		if ln.dead.Load() {
			l.forsake(ln)
			l.rest = now.Add(restTime)
		}
	}
	for id, p := range l.pulls {
		_, is := wanted[id]
		if _, has := l.remote[id]; !is || !has {
			l.end(p, now)
			delete(l.pulls, id)
		}
	}
	for id, layers := range wanted {
		remote, has := l.remote[id]
		if !has || now.Before(l.rest) {
			continue
		}
		p := l.pulls[id]
		if p == nil {
			p = l.begin(remote)
			l.pulls[id] = p
		}
		l.room.adopt(p.track, p.as)
		l.adjust(p, remote, layers, now)
	}
}

// begin is a track that is published there, and here from now on.
func (l *link) begin(remote Published) *pull {
	p := &pull{as: remote.Track}
	p.track = &track{
		room: l.room, kind: webrtc.NewRTPCodecType(remote.Kind), from: p, several: remote.Several, link: l.node,
		mime: remote.Codec, codec: codecOf(remote.Codec), remote: remote.Layers,
	}
	return p
}

// end ends it. The caller has locked l.
func (l *link) end(p *pull, now time.Time) {
	l.room.withdraw(p.track)
	for i := range p.sections {
		p.release(i, now)
	}
}

// adjust lets exactly those layers come that are needed. The caller has locked l.
func (l *link) adjust(p *pull, remote Published, layers uint, now time.Time) {
	if len(remote.Layers) > 0 { // else it is quiet, and comes again as it was
		p.track.mu.Lock()
		p.track.remote = remote.Layers
		p.track.mu.Unlock()
	}
	layers = nearest(layers, remote)
	for i := range p.sections {
		switch needed := layers&(1<<i) != 0; {
		case needed && p.sections[i] == nil:
			p.carry(i, l.section(remote, now))
		case needed:
			p.idle[i] = time.Time{}
		case p.sections[i] == nil:
		case p.idle[i].IsZero():
			p.idle[i] = now
		case now.Sub(p.idle[i]) > lingerTime:
			p.release(i, now)
		}
	}
}

// nearest are the layers that are asked for of those that are needed: where none of
// them is sent, the next smaller one, or else the smallest.
func nearest(needed uint, remote Published) uint {
	var sent uint
	for _, layer := range remote.Layers {
		sent |= 1 << layer.Encoding
	}
	if !remote.Several {
		sent = 1 // also while it is quiet
	}
	if needed == 0 || sent == 0 || needed&sent != 0 {
		return needed & sent
	}
	best := sent & -sent
	for i := range mostLayers {
		if layer := uint(1) << i; sent&layer != 0 && layer < needed {
			best = layer
		}
	}
	return best
}

// carry has a section carry a layer.
func (p *pull) carry(i int, s *section) {
	fed := &layer{index: i, measured: time.Now()}
	p.track.mu.Lock()
	p.track.layers[i] = fed
	p.track.mu.Unlock()
	p.mu.Lock()
	p.sections[i] = s
	p.mu.Unlock()
	p.idle[i] = time.Time{}
	s.wants, s.layer, s.busy = p.as.ID, i, true
	s.lane.changed = true
	s.into.Store(&feed{p.track, fed})
}

// release has a layer come no more.
func (p *pull) release(i int, now time.Time) {
	s := p.sections[i]
	if s == nil {
		return
	}
	s.into.Store(nil)
	s.wants, s.busy, s.freed = "", false, now
	s.lane.changed = true
	p.forget(i)
}

// forget forgets the section of a layer.
func (p *pull) forget(i int) {
	p.mu.Lock()
	p.sections[i] = nil
	p.mu.Unlock()
	p.track.mu.Lock()
	p.track.layers[i] = nil
	p.track.mu.Unlock()
}

// section finds a section for a layer of a track: one that has been free for a
// while, so that nothing of what it carried is on its way, or a new one. The caller
// has locked l.
func (l *link) section(remote Published, now time.Time) *section {
	for _, ln := range l.lanes {
		for _, s := range ln.sections {
			if !s.busy && s.kind == remote.Kind && s.codec == remote.Codec && now.Sub(s.freed) > lingerTime {
				return s
			}
		}
	}
	i := slices.IndexFunc(l.lanes, func(ln *lane) bool { return len(ln.sections) < laneSections })
	if i < 0 {
		l.lanes = append(l.lanes, &lane{link: l, session: fmt.Sprintf("link.%s.%d", l.self, l.room.server.count.lanes.Add(1))})
		i = len(l.lanes) - 1
	}
	s := &section{lane: l.lanes[i], kind: remote.Kind, codec: remote.Codec}
	l.lanes[i].add(s)
	return s
}

// negotiate says what is to come to the other SFU. A connection for which that fails
// is made again.
func (l *link) negotiate(ctx context.Context) {
	for _, ln := range l.lanes {
		if !ln.changed || ln.dead.Load() {
			continue
		}
		ln.changed = false
		if err := ln.negotiate(ctx); err != nil {
			l.log.Debug("link to another SFU refused", "err", err)
			ln.dead.Store(true)
		}
	}
}

// forsake ends a connection that failed. What it carried comes by another. The caller
// has locked l.
func (l *link) forsake(ln *lane) {
	for _, p := range l.pulls {
		for i, s := range p.sections {
			if s != nil && s.lane == ln {
				p.forget(i)
			}
		}
	}
	l.lanes = slices.DeleteFunc(slices.Clone(l.lanes), func(other *lane) bool { return other == ln })
	ln.close()
}

// close ends everything.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, p := range l.pulls {
		l.end(p, time.Now())
		delete(l.pulls, id)
	}
	for _, ln := range l.lanes {
		ln.close()
	}
	l.lanes = nil
}

// adopt publishes a track that comes by a link, unless it is published here, or comes
// already. One that takes the place of another does so with its first key frame.
func (r *room) adopt(t *track, as Track) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, next := r.tracks[as.ID], r.successors[as.ID].track
	switch {
	case old == t, next == t, old != nil && old.link == "", next != nil && next.link == "":
		return
	case old != nil && old.live(time.Now()):
		t.successor.Store(true)
		r.successors[as.ID] = successor{t, as}
		return
	case old != nil:
		r.unname(old)
	}
	r.put(t, as)
}

// LinkStats are those of what comes from another SFU.
type LinkStats struct {
	Room string `json:"room"`
	// Node is the other SFU.
	Node string `json:"node"`
	// Connections are their states, such as "connected".
	Connections []string `json:"connections"`
	// Layers are the simulcast encodings that come of each track, 0 the smallest.
	Layers map[string][]int `json:"layers"`
	// Packets counts those that came.
	Packets uint64 `json:"packets"`
}

// stats are those of the link.
func (l *link) stats() LinkStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := LinkStats{Room: l.room.name, Node: l.node, Connections: []string{}, Layers: map[string][]int{}}
	for _, ln := range l.lanes {
		out.Connections = append(out.Connections, ln.state())
		out.Packets += ln.packets.Load()
	}
	for id, p := range l.pulls {
		out.Layers[id] = []int{}
		for i, s := range p.sections {
			if s != nil {
				out.Layers[id] = append(out.Layers[id], i)
			}
		}
	}
	return out
}
