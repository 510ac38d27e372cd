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
// steps.
type world struct {
	portals map[string]*fakePortal
	conf    *Room          // nil: none
	placed  map[int]string // nodes by part
	sfus    map[string]*fakeSFU
	clients map[string]*fakeClient
	count   int
}

type fakePortal struct {
	people map[string]int // those who are there, and how often they had attached
	state  State
}

type fakeSFU struct {
	drained  bool
	up, down map[string]bool // by client
}

type fakeClient struct {
	portal string
	attach int
	state  State
	node   string   // where its connections are
	former []string // and those that it is leaving
	up     []string // former ones that it still sends to
}

const sizeOfWorld = 3

func newWorld() *world {
	w := &world{portals: map[string]*fakePortal{}, sfus: map[string]*fakeSFU{}, clients: map[string]*fakeClient{}, placed: map[int]string{}}
	for i := range sizeOfWorld {
		w.beginPortal(fmt.Sprint("portal-", i))
		w.clients[fmt.Sprint("c", i)] = &fakeClient{}
		w.beginSFU()
	}
	return w
}

func (w *world) beginPortal(name string) {
	w.portals[name] = &fakePortal{people: map[string]int{}, state: State{Name: "room"}}
}

func (w *world) beginSFU() {
	w.count++
	w.sfus[fmt.Sprint("sfu-", w.count)] = &fakeSFU{up: map[string]bool{}, down: map[string]bool{}}
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
	s := Sync{Room: "room", Portal: name, Part: p.state.Part, Version: p.state.Version}
	for id, attach := range p.people {
		s.Participants = append(s.Participants, Participant{ID: id, Attach: attach, Tracks: []PublishedTrack{{Track: Track{ID: id + ".camera"}}}})
	}
	w.conf.Apply(s)
	if state := w.conf.State(); state.Version > p.state.Version {
		p.state = state
	}
}

// tend is the conference that looks after its part.
func (w *world) tend() {
	if w.conf == nil || w.conf.Empty() {
		return
	}
	part := w.conf.Part()
	if part.Drained && !w.receives(part.Former.Node) {
		w.conf.Apply(Left{part.Former.Number})
		delete(w.sfus, part.Former.Node) // its machine goes, and another comes
		w.beginSFU()
		return
	}
	sfu := w.sfus[part.Node]
	switch {
	case part.Node != "" && sfu == nil:
		w.conf.Apply(Lost{part.Number})
	case part.Node == "":
		number := part.Number + 1
		for w.placed[number] != "" && w.sfus[w.placed[number]] == nil {
			number++
		}
		w.place(number, Former{})
	case sfu.drained && !part.Drained:
		w.place(part.Number+1, Former{part.Number, "", part.Node})
	}
}

func (w *world) place(number int, former Former) {
	for _, name := range slices.Sorted(maps.Keys(w.sfus)) {
		known := w.placed[number]
		if known == "" && !w.sfus[name].drained || known == name { // a task that is placed stays where it is
			w.placed[number] = name
			w.conf.Apply(Placed{Part{Number: number, Node: name, Former: former}})
			return
		}
	}
}

func (w *world) receives(node string) bool {
	return w.sfus[node] != nil && len(w.sfus[node].down) > 0
}

// act is a client that does what is next.
func (w *world) act(id string, to string) {
	c := w.clients[id]
	p := w.portals[c.portal]
	if p == nil || p.people[id] != c.attach || c.attach == 0 {
		c.attach++
		c.portal = to
		w.portals[to].people[id] = c.attach
		return
	}
	if p.state.Version > 0 { // else the portal has not heard of the room yet
		c.state = p.state
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
		if other != id && from != nil && from.up[other] && from.down[id] && (now == nil || !now.up[other] || !now.down[id]) {
			return false
		}
	}
	return true
}

// served are the pairs of who sees whom.
func (w *world) served() map[string]bool {
	out := map[string]bool{}
	for _, sfu := range w.sfus {
		for a := range sfu.down {
			for b := range sfu.up {
				if a != b {
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
		client := rapid.SampledFrom([]string{"c0", "c1", "c2"})
		calm := rapid.Bool().Draw(t, "no SFU dies")
		for range 6 {
			w.round()
		}
		before := w.served()
		t.Repeat(map[string]func(*rapid.T){
			"a client acts":       func(t *rapid.T) { w.act(client.Draw(t, "client"), portal.Draw(t, "portal")) },
			"a portal speaks":     func(t *rapid.T) { w.sync(portal.Draw(t, "portal")) },
			"the conference acts": func(*rapid.T) { w.tend() },
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
			t.Fatalf("in the end only %v; the part is %+v", slices.Sorted(maps.Keys(now)), w.conf.Part())
		}
		if part := w.conf.Part(); part.Drained || w.sfus[part.Node] == nil {
			t.Fatalf("in the end the part is %+v", part)
		}
	})
}

// someSFU is the one that serves the room, or any.
func (w *world) someSFU(t *rapid.T) string {
	names := slices.Sorted(maps.Keys(w.sfus))
	if w.conf != nil && w.sfus[w.conf.Part().Node] != nil {
		names = append(names, w.conf.Part().Node, w.conf.Part().Node, w.conf.Part().Node)
	}
	return rapid.SampledFrom(names).Draw(t, "sfu")
}

// round lets everybody act in turn.
func (w *world) round() {
	w.tend()
	for _, name := range slices.Sorted(maps.Keys(w.portals)) {
		w.sync(name)
	}
	for _, id := range slices.Sorted(maps.Keys(w.clients)) {
		w.act(id, "portal-0")
	}
}
