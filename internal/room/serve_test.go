package room

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A world is a room with all that serves it: clients that do what docs/rooms.md
// says, portals, a conference and SFUs, each of which may die between any two
// steps. An SFU is full with two people, so that the room has several parts.
type world struct {
	portals map[string]*fakePortal
	conf    *Room          // nil: none
	placed  map[int]string // nodes by the number of the placement
	sfus    map[string]*fakeSFU
	clients map[string]*fakeClient
	count   int
	number  int // of the last placement
}

type fakePortal struct {
	people map[string]attached // those who are there
	state  State
}

// attached is what a client said when it came: how often it had, and its part.
type attached struct{ attach, part int }

type fakeSFU struct {
	drained  bool
	up, down map[string]bool // by client
	routes   Routes
	links    map[string]string // from which SFU it has what a client publishes
}

type fakeClient struct {
	portal string
	attach int
	state  State
	node   string   // where its connections are
	former []string // and those that it is leaving
	up     []string // former ones that it still sends to
}

const sizeOfWorld = 4

func newWorld() *world {
	w := &world{portals: map[string]*fakePortal{}, sfus: map[string]*fakeSFU{}, clients: map[string]*fakeClient{}, placed: map[int]string{}}
	for i := range sizeOfWorld {
		w.clients[fmt.Sprint("c", i)] = &fakeClient{}
	}
	for i := range 3 {
		w.beginPortal(fmt.Sprint("portal-", i))
		w.beginSFU()
	}
	return w
}

func (w *world) beginPortal(name string) {
	w.portals[name] = &fakePortal{people: map[string]attached{}, state: State{Name: "room"}}
}

func (w *world) beginSFU() {
	w.count++
	w.sfus[fmt.Sprint("sfu-", w.count)] = &fakeSFU{up: map[string]bool{}, down: map[string]bool{}, links: map[string]string{}}
}

// killSFU ends a process: its sessions are gone, and another begins.
func (w *world) killSFU(name string) {
	delete(w.sfus, name)
	w.beginSFU()
}

// killPortal ends a portal; its clients notice when they act.
func (w *world) killPortal(name string) { w.beginPortal(name) }

// sync is a portal that speaks with the conference, which may have to begin.
func (w *world) sync(name string) {
	p := w.portals[name]
	if w.conf == nil {
		w.conf = New("room", 0)
	}
	s := Sync{Room: "room", Portal: name, Parts: p.state.Parts, Version: p.state.Version}
	for id, at := range p.people {
		said := at.part
		if part, ok := p.state.PartOf(id); ok {
			said = part.ID
		}
		s.Participants = append(s.Participants, Participant{ID: id, Attach: at.attach, Part: said, Tracks: []PublishedTrack{{Track: Track{ID: id + ".camera"}}}})
	}
	w.conf.Apply(s)
	if state := w.conf.State(); state.Version > p.state.Version {
		p.state = state
	}
}

// tend is the conference that looks after its parts.
func (w *world) tend() {
	if w.conf == nil || w.conf.Empty() {
		return
	}
	w.conf.Apply(Reopen{})
	for _, part := range w.conf.Parts() {
		w.conf.Apply(Measured{Part: part.ID, Person: 0.4})
		w.tendPart(part)
	}
	for _, node := range w.conf.State().Nodes() {
		if sfu := w.sfus[node]; sfu != nil {
			sfu.routes = w.conf.State().Routes()
		}
	}
}

func (w *world) tendPart(part Part) {
	if part.Drained && !w.receives(part.Former.Node) {
		w.conf.Apply(Left{part.Former.Number})
		if !slices.Contains(w.conf.State().Nodes(), part.Former.Node) {
			delete(w.sfus, part.Former.Node) // its machine goes, and another comes
			w.beginSFU()
		}
		return
	}
	sfu := w.sfus[part.Node]
	switch {
	case part.Node != "" && sfu == nil:
		w.conf.Apply(Lost{part.Number})
	case part.Node == "" && w.conf.PartPeople(part.ID) > 0:
		w.place(part, false)
	case part.Node == "":
	case sfu.drained && !part.Drained:
		w.place(part, true)
	case w.conf.PartPeople(part.ID) == 0 && len(sfu.up)+len(sfu.down) == 0 && w.elsewhere(part.ID) != nil && !part.Drained:
		w.number++
		w.conf.Apply(Retired{part.Number, w.number})
	}
}

// elsewhere are the SFUs of the other parts.
func (w *world) elsewhere(id int) (nodes []string) {
	for _, p := range w.conf.Parts() {
		if p.ID != id && p.Node != "" {
			nodes = append(nodes, p.Node)
		}
	}
	return nodes
}

// place finds an SFU for a part: another one than those of other parts. One that is
// drained may share.
func (w *world) place(part Part, drained bool) {
	taken := w.elsewhere(part.ID)
	for _, share := range []bool{false, true} {
		for _, name := range slices.Sorted(maps.Keys(w.sfus)) {
			if w.sfus[name].drained || slices.Contains(taken, name) && !share {
				continue
			}
			w.number++
			w.placed[w.number] = name
			next := Part{ID: part.ID, Number: w.number, Node: name}
			if drained {
				next.Former = Former{part.Number, "", part.Node}
			}
			w.conf.Apply(Placed{next})
			return
		}
		if !drained && len(taken) > 0 {
			w.conf.Apply(NoSFU{part.ID})
			return
		}
	}
}

// receives reports whether an SFU sends to clients, or to other SFUs.
func (w *world) receives(node string) bool {
	sfu := w.sfus[node]
	if sfu == nil {
		return false
	}
	for _, other := range w.sfus {
		for _, from := range other.links {
			if from == node {
				return true
			}
		}
	}
	return len(sfu.down) > 0
}

// link is an SFU that gets what its clients want and that others publish: from the
// first SFU of the routes that has it, and from the one before as long as none has.
func (w *world) link(name string) {
	sfu := w.sfus[name]
	for id := range w.clients {
		wanted := false
		for other := range sfu.down {
			wanted = wanted || other != id
		}
		if from := w.sfus[sfu.links[id]]; !wanted || sfu.up[id] || from == nil || !from.up[id] {
			delete(sfu.links, id)
		}
		if !wanted || sfu.up[id] {
			continue
		}
		for _, node := range nodesFor(sfu.routes, id) {
			if from := w.sfus[node]; node != name && from != nil && from.up[id] {
				sfu.links[id] = node
				break
			}
		}
	}
}

// nodesFor are the SFUs where what a participant publishes arrives, the best first.
func nodesFor(routes Routes, participant string) []string {
	for _, route := range routes.Parts {
		if slices.Contains(route.People, participant) {
			return route.Nodes
		}
	}
	return nil
}

// act is a client that does what is next.
func (w *world) act(id string, to string) {
	c := w.clients[id]
	p := w.portals[c.portal]
	if p == nil || p.people[id].attach != c.attach || c.attach == 0 {
		c.attach++
		c.portal = to
		w.portals[to].people[id] = attached{c.attach, c.state.Part.ID}
		return
	}
	if s := p.state.For(id, ""); s.Part.ID > 0 { // else the portal has not heard of the room yet, or of this client
		c.state = s
	}
	part := c.state.Part
	if !part.Drained {
		for _, node := range append(c.former, c.up...) {
			w.leave(id, node)
		}
		c.former, c.up = nil, nil
	}
	if sfu := w.sfus[part.Node]; sfu != nil && part.Node != c.node {
		if c.node != "" && part.Drained {
			c.former, c.up = append(c.former, c.node), append(c.up, c.node)
		} else if c.node != "" {
			w.leave(id, c.node)
		}
		c.node = part.Node
		sfu.up[id], sfu.down[id] = true, true
		return
	}
	for _, node := range slices.Clone(c.former) {
		if w.replaces(id, node) {
			c.former = slices.DeleteFunc(c.former, func(n string) bool { return n == node })
			if sfu := w.sfus[node]; sfu != nil {
				delete(sfu.down, id)
			}
		}
	}
}

func (w *world) leave(id, node string) {
	if sfu := w.sfus[node]; sfu != nil {
		delete(sfu.up, id)
		delete(sfu.down, id)
	}
}

// replaces reports whether a client gets from its node all that it gets from
// another.
func (w *world) replaces(id, old string) bool {
	from, now := w.sfus[old], w.sfus[w.clients[id].node]
	for other := range w.clients {
		if other != id && from != nil && from.sends(other) && from.down[id] && (now == nil || !now.sends(other) || !now.down[id]) {
			return false
		}
	}
	return true
}

// sends reports whether an SFU has what a client publishes.
func (s *fakeSFU) sends(client string) bool { return s.up[client] || s.links[client] != "" }

// served are the pairs of who sees whom.
func (w *world) served() map[string]bool {
	out := map[string]bool{}
	for _, sfu := range w.sfus {
		for a := range sfu.down {
			for b := range w.clients {
				from := w.sfus[sfu.links[b]]
				if a != b && (sfu.up[b] || from != nil && from.up[b]) {
					out[a+" sees "+b] = true
				}
			}
		}
	}
	return out
}

// Whatever dies between any two steps, everybody sees everybody afterwards; and
// where no SFU has died, nobody misses anybody meanwhile, whatever else dies and
// while SFUs are drained.
func TestEverySubscriptionIsServedAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		portal := rapid.SampledFrom([]string{"portal-0", "portal-1", "portal-2"})
		client := rapid.SampledFrom([]string{"c0", "c1", "c2", "c3"})
		calm := rapid.Bool().Draw(t, "no SFU dies")
		for range 6 {
			w.round()
		}
		before := w.served()
		t.Repeat(map[string]func(*rapid.T){
			"a client acts":       func(t *rapid.T) { w.act(client.Draw(t, "client"), portal.Draw(t, "portal")) },
			"a portal speaks":     func(t *rapid.T) { w.sync(portal.Draw(t, "portal")) },
			"the conference acts": func(*rapid.T) { w.tend() },
			"an SFU acts":         func(t *rapid.T) { w.link(rapid.SampledFrom(slices.Sorted(maps.Keys(w.sfus))).Draw(t, "sfu")) },
			"everybody acts":      func(*rapid.T) { w.round() },
			"the portal dies": func(t *rapid.T) {
				if name := portal.Draw(t, "portal"); !calm || name != "portal-0" {
					w.killPortal(name)
				}
			},
			"the conference dies": func(*rapid.T) {
				if calm { // where nobody is left who knows the part, another is placed
					w.sync("portal-0")
				}
				w.conf = nil
				w.sync("portal-0")
			},
			"an SFU dies": func(t *rapid.T) {
				if !calm {
					w.killSFU(w.someSFU(t))
				}
			},
			"an SFU is drained": func(t *rapid.T) {
				w.sfus[w.someSFU(t)].drained = true
				w.beginSFU()
			},
			"": func(t *rapid.T) {
				now := w.served()
				for pair := range before {
					if !now[pair] && calm {
						t.Fatalf("%s no longer, though no SFU died", pair)
					}
				}
				before = now
			},
		})
		for range 12 {
			w.round()
		}
		if now := w.served(); len(now) != sizeOfWorld*(sizeOfWorld-1) {
			t.Fatalf("in the end only %v; the parts are %+v", slices.Sorted(maps.Keys(now)), w.conf.Parts())
		}
		for _, part := range w.conf.Parts() {
			if people := w.conf.PartPeople(part.ID); part.Drained || people > 0 && w.sfus[part.Node] == nil {
				t.Fatalf("in the end the parts are %+v", w.conf.Parts())
			}
		}
	})
}

// someSFU is one that serves the room, or any.
func (w *world) someSFU(t *rapid.T) string {
	names := slices.Sorted(maps.Keys(w.sfus))
	if w.conf != nil {
		for _, part := range w.conf.Parts() {
			if w.sfus[part.Node] != nil {
				names = append(names, part.Node, part.Node)
			}
		}
	}
	return rapid.SampledFrom(names).Draw(t, "sfu")
}

// round lets everybody act in turn.
func (w *world) round() {
	w.tend()
	for _, name := range slices.Sorted(maps.Keys(w.portals)) {
		w.sync(name)
	}
	if w.conf != nil {
		w.conf.Apply(Settle{})
	}
	for _, id := range slices.Sorted(maps.Keys(w.clients)) {
		w.act(id, "portal-0")
	}
	for _, name := range slices.Sorted(maps.Keys(w.sfus)) {
		w.link(name)
	}
}
