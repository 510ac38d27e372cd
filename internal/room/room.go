package room

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Role is what a participant may do.
type Role string

// The roles.
const (
	// Presenter sends and receives.
	Presenter Role = "presenter"
	// Viewer receives only.
	Viewer Role = "viewer"
)

// Roles are all of them.
var Roles = []Role{Presenter, Viewer}

// Participant is a person in a room.
type Participant struct {
	ID   string `json:"id"`
	User string `json:"user"`
	Role Role   `json:"role"`
	// Portal is the worker to which the client is connected, Region where that is;
	// "" is nowhere in particular.
	Portal string `json:"portal"`
	Region string `json:"region,omitempty"`
	// Part is the ID of the part that serves the participant; 0 is none yet.
	Part int `json:"part,omitempty"`
	// Attach counts how often the client connected, so that of two portals
	// which both say that they have it the later one is right.
	Attach int              `json:"attach"`
	Tracks []PublishedTrack `json:"tracks"`
}

// PublishedTrack is a track that a participant publishes.
type PublishedTrack struct {
	Track
	Muted bool `json:"muted"`
	// About is what the publisher's portal says of the track to portals that
	// speak the same protocol with their clients. Rooms do not read it.
	About string `json:"about,omitempty"`
}

// Part is a share of a room's people, with the SFU that serves them. A room has
// one until it outgrows that; see choose.
type Part struct {
	// ID names it in its room, from 1 on. People stay in their part while SFUs come
	// and go.
	ID int `json:"id"`
	// Number is that of its placement; 0 is none yet.
	Number int `json:"number"`
	// Worker is the agent that it was placed on, Node the SFU itself.
	Worker string `json:"worker"`
	Node   string `json:"node"`
	// TURN is the URLs of the SFU's TURN servers, separated by spaces.
	TURN string `json:"turn,omitempty"`
	// Region is the one for which the SFU was asked; "" is any.
	Region string `json:"region,omitempty"`
	// Full: who comes to the room goes to another part, where there is one.
	Full bool `json:"full,omitempty"`
	// Drained: the SFU before this one still lives, and clients leave it only
	// when they have what it gave them from this one. Former is that SFU.
	Drained bool   `json:"drained"`
	Former  Former `json:"former,omitzero"`
}

// Former is a placement of a part that clients are leaving.
type Former struct {
	Number int    `json:"number"`
	Worker string `json:"worker"`
	Node   string `json:"node"`
}

// Outlet is what takes the media of a room elsewhere, a recording or a stream:
// whether it is wanted, and what does it.
type Outlet struct {
	// Number rises with each order and each placement; 0 is neither.
	Number int `json:"number"`
	// On: it is wanted, since By said so, at the Unix time Since.
	On    bool   `json:"on"`
	By    string `json:"by,omitempty"`
	Since int64  `json:"since,omitempty"`
	// To is where a stream goes, without what is secret; see Target.Shown.
	To string `json:"to,omitempty"`
	// Worker is the agent that does it, Node the node; "" while one is looked for.
	// Task is its task.
	Worker string `json:"worker,omitempty"`
	Node   string `json:"node,omitempty"`
	Task   string `json:"task,omitempty"`
}

// Wants reports whether a task is to go on that may have been replaced.
func (o Outlet) Wants(task string) bool { return o.On && (o.Task == "" || o.Task == task) }

// OutletKind is a kind of Outlet, of which a room has one each.
type OutletKind string

// The kinds.
const (
	Recording OutletKind = "recording"
	Streaming OutletKind = "streaming"
)

// OutletKinds are all of them.
var OutletKinds = []OutletKind{Recording, Streaming}

// Target is where a stream goes, and how it looks. Those who are in the room do
// not see it: a URL may have the key of a channel in it.
type Target struct {
	// Output is that of a stream's spec (package media).
	Output string `json:"output,omitempty"`
	// Layout is the name of one; "" is the usual one.
	Layout string `json:"layout,omitempty"`
}

// Shown is the target as all participants may see it: of a URL only the host.
func (t Target) Shown() string {
	scheme, rest, is := strings.Cut(t.Output, "://")
	if !is {
		return t.Output
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	return scheme + "://" + host[strings.LastIndex(host, "@")+1:] + "/…"
}

// Hide puts what all participants may see into a text in place of the target.
func (t Target) Hide(text string) string {
	if t.Output == "" {
		return text
	}
	return strings.ReplaceAll(text, t.Output, t.Shown())
}

// State is what all participants may know of a room.
type State struct {
	Name string `json:"name"`
	// Version rises with each change, and with each conference.
	Version uint64 `json:"version"`
	// Settled: the conference has heard from every portal, as far as it can
	// know. Before, people may be missing who are still there.
	Settled bool `json:"settled"`
	// Part is that of the participant who gets the state (For); otherwise
	// the first one with an SFU. Parts are all that there have been.
	Part  Part   `json:"part"`
	Parts []Part `json:"parts"`

	Recording    Outlet        `json:"recording"`
	Streaming    Outlet        `json:"streaming"`
	Participants []Participant `json:"participants"`
}

// Outlet is that of a kind.
func (s State) Outlet(k OutletKind) Outlet {
	if k == Streaming {
		return s.Streaming
	}
	return s.Recording
}

// Sync is all that a portal says of a room.
type Sync struct {
	Room   string `json:"room"`
	Portal string `json:"portal"`
	// Participants are all of the portal's.
	Participants []Participant `json:"participants"`
	// Parts, Recording, Streaming and Target are what the portal knows of the
	// placements, for a conference that begins.
	Parts     []Part `json:"parts"`
	Recording Outlet `json:"recording"`
	Streaming Outlet `json:"streaming"`
	Target    Target `json:"target,omitzero"`
	// Version is that of the State that it has.
	Version uint64 `json:"version"`
}

// Room is a room as a value.
type Room struct {
	name      string
	version   uint64
	settled   bool
	recording Outlet
	streaming Outlet
	target    Target // of streaming
	byPortal  map[string]map[string]Participant
	seating   seating
}

// New returns an empty room. Its versions are above the one given, so that a
// conference which begins again is newer than the one before it.
func New(name string, above uint64) *Room {
	return &Room{name: name, version: above, byPortal: map[string]map[string]Participant{}, seating: newSeating()}
}

// Command changes a room: a Sync, PortalGone, Placed, Lost, Left, Retired,
// Measured, NoSFU, Reopen, Settle, Order, OutletPlaced or OutletLost.
type Command interface{ apply(*Room) }

// Apply carries a command out, and reports whether anything has changed.
func (r *Room) Apply(c Command) (changed bool) {
	before := r.State()
	c.apply(r)
	r.seating.assign(r.people(), r.settled)
	after := r.State()
	after.Version = before.Version
	if equal(before, after) {
		return false
	}
	r.version++
	return true
}

// apply replaces what is known of the portal's people.
func (s Sync) apply(r *Room) {
	people := make(map[string]Participant, len(s.Participants))
	for _, p := range s.Participants {
		p.Portal = s.Portal
		people[p.ID] = p
	}
	r.byPortal[s.Portal] = people
	for _, p := range s.Parts {
		r.seating.learn(p)
	}
	if s.Recording.Number > r.recording.Number {
		r.recording = s.Recording
	}
	if s.Streaming.Number > r.streaming.Number {
		r.streaming, r.target = s.Streaming, s.Target
	}
	r.version = max(r.version, s.Version)
}

// PortalGone says that a portal has been silent for too long.
type PortalGone struct{ Portal string }

func (c PortalGone) apply(r *Room) {
	delete(r.byPortal, c.Portal)
}

// Order says whether the room is to be recorded, or streamed to Target. Who says
// what is already so changes nothing.
type Order struct {
	Outlet OutletKind
	On     bool
	By     string
	At     int64
	Target Target
}

func (c Order) apply(r *Room) {
	o := r.outlet(c.Outlet)
	if c.On == o.On {
		return
	}
	o.Number++
	o.On, o.By, o.Since = c.On, c.By, c.At
	if c.Outlet == Streaming {
		r.target, o.To = c.Target, c.Target.Shown()
	}
}

// OutletPlaced says what records the room, or streams it.
type OutletPlaced struct {
	Outlet             OutletKind
	Number             int
	Worker, Node, Task string
}

func (c OutletPlaced) apply(r *Room) {
	o := r.outlet(c.Outlet)
	if c.Number <= o.Number {
		return
	}
	o.Number, o.Worker, o.Node, o.Task = c.Number, c.Worker, c.Node, c.Task
}

// OutletLost says that what recorded the room, or streamed it, has ended. The
// number rises, so that portals which still name it are not believed.
type OutletLost struct {
	Outlet OutletKind
	Node   string
}

func (c OutletLost) apply(r *Room) {
	o := r.outlet(c.Outlet)
	if c.Node == "" || c.Node != o.Node {
		return
	}
	o.Number++
	o.Worker, o.Node, o.Task = "", "", ""
}

// Settle says that every portal had time to speak.
type Settle struct{}

func (Settle) apply(r *Room) {
	r.settled = true
}

// people are the participants, in the order of their ids.
func (r *Room) people() []Participant {
	latest := map[string]Participant{}
	for _, portal := range slices.Sorted(maps.Keys(r.byPortal)) {
		for id, p := range r.byPortal[portal] {
			if known, ok := latest[id]; !ok || p.Attach > known.Attach {
				latest[id] = p
			}
		}
	}
	out := make([]Participant, 0, len(latest))
	for _, id := range slices.Sorted(maps.Keys(latest)) {
		out = append(out, latest[id])
	}
	return out
}

// State is the room as all participants may know it.
func (r *Room) State() State {
	s := State{Name: r.name, Version: r.version, Settled: r.settled, Parts: r.seating.list(), Recording: r.recording, Streaming: r.streaming, Participants: r.people()}
	for i, p := range s.Participants {
		s.Participants[i].Part = r.seating.assigned[p.ID]
	}
	s.Part = s.first()
	return s
}

// Empty reports whether the room has no participants.
func (r *Room) Empty() bool { return len(r.people()) == 0 }

// Parts are those that there have been.
func (r *Room) Parts() []Part { return r.seating.list() }

// PartPeople is how many people are in the part of that ID.
func (r *Room) PartPeople(id int) int { return r.seating.count(id) }

// Outlet is that at present.
func (r *Room) Outlet(k OutletKind) Outlet { return *r.outlet(k) }

// Target is where the room is streamed to.
func (r *Room) Target() Target { return r.target }

func (r *Room) outlet(k OutletKind) *Outlet {
	if k == Streaming {
		return &r.streaming
	}
	return &r.recording
}

func equal(a, b State) bool {
	return a.Version == b.Version && a.Settled == b.Settled && slices.Equal(a.Parts, b.Parts) && a.Recording == b.Recording && a.Streaming == b.Streaming &&
		slices.EqualFunc(a.Participants, b.Participants, func(x, y Participant) bool {
			return cmp.Or(cmp.Compare(x.ID, y.ID), cmp.Compare(x.User, y.User), cmp.Compare(x.Role, y.Role), cmp.Compare(x.Portal, y.Portal),
				cmp.Compare(x.Region, y.Region), cmp.Compare(x.Part, y.Part), cmp.Compare(x.Attach, y.Attach)) == 0 && slices.Equal(x.Tracks, y.Tracks)
		})
}
