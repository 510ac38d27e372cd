package rtc

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// routes are the SFUs where what people publish arrives, the best first, and which
// of them this one is.
type routes struct {
	self  string
	nodes map[string][]string
}

// Route says where people of a room publish who are served by another SFU. self is
// the node of this one.
func (s *Server) Route(self string, r Routes) {
	known := routes{self, map[string][]string{}}
	for _, part := range r.Parts {
		for _, id := range part.People {
			known.nodes[id] = part.Nodes
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes[r.Room] = known
}

// Unroute forgets the routes of a room.
func (s *Server) Unroute(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.routes, room)
}

// demands are the layers of each track that are to come from other SFUs, by node and
// track, a bit each. Without a bit the track is wanted, and on no screen.
type demands map[string]map[string]uint

func (d demands) add(node, track string, layers uint) {
	if d[node] == nil {
		d[node] = map[string]uint{}
	}
	d[node][track] = layers
}

// demand is what subscribers want here that is published elsewhere. It comes from the
// best node that has it; until that one sends, from the others as well. What comes
// from a node that the routes no longer name goes on as long as that has it. Other
// SFUs are given only what is published here, so that nothing goes in a circle. The
// caller has locked r.
func (r *room) demand(to routes, now time.Time) demands {
	wanted := map[string]uint{}
	for s, id := range r.wanted {
		if !s.session.link {
			wanted[id] |= s.needs()
		}
	}
	out := demands{}
	for id, layers := range wanted {
		current := r.tracks[id]
		if current != nil && current.link == "" {
			continue
		}
		owner, _, _ := strings.Cut(id, ".")
		sends := current != nil && current.live(now)
		if current != nil {
			out.add(current.link, id, layers)
		}
		for _, node := range to.nodes[owner] {
			if node == to.self {
				continue
			}
			out.add(node, id, layers)
			if sends && node == current.link {
				break
			}
		}
	}
	return out
}

// link notes what is to come from other SFUs, and begins the links that are missing.
func (s *Server) link(r *room, now time.Time) {
	s.mu.Lock()
	to, known := s.routes[r.name]
	s.mu.Unlock()
	if s.opts.Upstream == nil || !known {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.demands = r.demand(to, now)
	for node := range r.demands {
		if r.links[node] == nil {
			l := newLink(r, node, to.self)
			r.links[node] = l
			s.running.Go(l.run)
		}
	}
}

// allLinks are those of the room.
func (r *room) allLinks() []*link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.links))
}

// abandon ends the links of a room that has no sessions.
func (r *room) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.demands = nil
}
