package room

import (
	"cmp"
	"maps"
	"slices"
)

const (
	// MaxParts is the most parts of a room.
	MaxParts = 32
	// fullAt is the share of its limits from which an SFU counts as full, until it
	// uses less than roomAt: each change goes to all participants.
	fullAt = 0.8
	roomAt = 0.7
)

// seating is who is in which part.
type seating struct {
	parts []Part // by ID, from 1 on; those that are not used have neither people nor an SFU
	// assigned is the part of each participant; 0: none, as it was taken from him.
	assigned map[string]int
	measured map[int]Measured
	// shut are the regions for which there was no SFU for one more part; "" is any.
	shut map[string]bool
}

func newSeating() seating {
	return seating{assigned: map[string]int{}, measured: map[int]Measured{}, shut: map[string]bool{}}
}

// part finds a part by its ID, nil if there can be none.
func (s *seating) part(id int) *Part {
	if id < 1 || id > MaxParts {
		return nil
	}
	for len(s.parts) < id {
		s.parts = append(s.parts, Part{ID: len(s.parts) + 1})
	}
	return &s.parts[id-1]
}

// numbered finds a part by the number of its placement, nil if there is none.
func (s *seating) numbered(number int) *Part {
	if i := slices.IndexFunc(s.parts, func(p Part) bool { return p.Number == number }); i >= 0 && number > 0 {
		return &s.parts[i]
	}
	return nil
}

// learn takes what a portal knows of a part.
func (s *seating) learn(p Part) {
	if known := s.part(p.ID); known != nil && p.Number > known.Number {
		*known = p
	}
}

// list are the parts up to the last one that is used or was placed.
func (s *seating) list() []Part {
	out, last := []Part{}, 0
	for _, p := range s.parts {
		placed := p.Number > 0 || s.count(p.ID) > 0
		if !placed {
			p = Part{ID: p.ID}
		}
		if out = append(out, p); placed {
			last = len(out)
		}
	}
	return out[:last]
}

// count is how many people are in a part.
func (s *seating) count(id int) (people int) {
	for _, part := range s.assigned {
		if part == id {
			people++
		}
	}
	return people
}

func (s *seating) used(p Part) bool { return p.Node != "" || s.count(p.ID) > 0 }

// load is the share of its limits that the SFU of a part uses: as it said, and at
// least what the people take who are assigned to it and may not have come yet.
func (s *seating) load(p Part) float64 {
	m, known := s.measured[p.ID]
	if !known {
		for _, other := range s.measured {
			m.Person = max(m.Person, other.Person)
		}
	}
	return max(m.Share, m.Person*float64(s.count(p.ID)))
}

func (s *seating) full(p Part) bool {
	load := s.load(p)
	return load >= fullAt || p.Full && load >= roomAt
}

// assign gives a part to each participant without one. What a portal says of a
// participant's part counts while this conference has not assigned one; in one that has just
// begun, a part may be known to another portal only.
func (s *seating) assign(people []Participant, settled bool) {
	there := make(map[string]bool, len(people))
	for _, p := range people {
		there[p.ID] = true
	}
	maps.DeleteFunc(s.assigned, func(id string, _ int) bool { return !there[id] })
	for _, p := range people {
		id, known := s.assigned[p.ID]
		if known && id > 0 {
			continue
		}
		if part := s.part(p.Part); !known && part != nil && (part.Number > 0 || !settled) {
			if part.Number > 0 {
				s.assigned[p.ID] = p.Part
			}
			continue
		}
		s.assigned[p.ID] = s.choose(p.Region)
	}
	for i, p := range s.parts {
		s.parts[i].Full = s.full(p)
	}
}

// choose is the part of a new participant: the first of the region that is not
// full, or else a new one. Where there is no SFU for a new one it is one of
// another region, and in the end the part with the least load.
func (s *seating) choose(region string) (id int) {
	var used, free []Part
	for _, p := range s.parts {
		if s.used(p) {
			used = append(used, p)
			if !s.full(p) {
				free = append(free, p)
			}
		}
	}
	if i := slices.IndexFunc(free, func(p Part) bool { return region == "" || p.Region == region }); i >= 0 {
		return free[i].ID
	}
	if len(used) == 0 || !s.shut[region] {
		if id := s.begin(region); id > 0 {
			return id
		}
	}
	if len(free) > 0 {
		return free[0].ID
	}
	if !s.shut[""] {
		if id := s.begin(""); id > 0 {
			return id
		}
	}
	return slices.MinFunc(used, func(a, b Part) int { return cmp.Compare(s.load(a), s.load(b)) }).ID
}

// begin begins a part that is not used; 0 if there may be no more.
func (s *seating) begin(region string) (id int) {
	id = len(s.parts) + 1
	if i := slices.IndexFunc(s.parts, func(p Part) bool { return !s.used(p) }); i >= 0 {
		id = i + 1
	}
	part := s.part(id)
	if part == nil {
		return 0
	}
	part.Region = region
	delete(s.measured, id)
	return id
}

// Placed says that an SFU serves a part. Its Former is the placement that it is to
// replace while that still lives, if any.
type Placed struct{ Part Part }

func (c Placed) apply(r *Room) {
	part := r.seating.part(c.Part.ID)
	if part == nil || c.Part.Number <= part.Number {
		return
	}
	next := c.Part
	next.Drained = next.Former.Node != "" && next.Former.Node == part.Node
	if !next.Drained { // the SFU before died; what it replaced may still live
		next.Drained, next.Former = part.Drained, part.Former
	}
	*part = next
	delete(r.seating.measured, part.ID)
}

// Lost says that the SFU of a placement is gone. The number stays, so that the
// next placement has another; so does the former one, where that still lives.
type Lost struct{ Number int }

func (c Lost) apply(r *Room) {
	if part := r.seating.numbered(c.Number); part != nil {
		part.Node, part.Worker = "", ""
		delete(r.seating.measured, part.ID)
	}
}

// Left says that clients have left the placement with that number, which was
// drained, or had time for it.
type Left struct{ Number int }

func (c Left) apply(r *Room) {
	for i, p := range r.seating.parts {
		if c.Number == p.Former.Number && p.Drained {
			r.seating.parts[i].Drained, r.seating.parts[i].Former = false, Former{}
		}
	}
}

// Retired says that a part has no people and that its placement was ended. Next is
// a number above all that were used: it is then the part's, so that a portal which
// still names the placement is not believed.
type Retired struct{ Number, Next int }

func (c Retired) apply(r *Room) {
	if part := r.seating.numbered(c.Number); part != nil && r.seating.count(part.ID) == 0 {
		*part = Part{ID: part.ID, Number: max(part.Number, c.Next)}
		delete(r.seating.measured, part.ID)
	}
}

// Measured says how much of its limits the SFU of a part uses: a Share of 1 is all,
// and one Person more takes at least that much.
type Measured struct {
	// Part is an ID.
	Part          int
	Share, Person float64
}

func (c Measured) apply(r *Room) {
	r.seating.measured[c.Part] = c
}

// NoSFU says that there is no SFU for a part that was not placed yet. Its people
// go to others.
type NoSFU struct {
	// Part is an ID.
	Part int
}

func (c NoSFU) apply(r *Room) {
	s := &r.seating
	part := s.part(c.Part)
	if part == nil || part.Node != "" || !slices.ContainsFunc(s.parts, func(p Part) bool { return p.Node != "" }) {
		return // no other part can take them
	}
	s.shut[part.Region] = true
	for id, at := range s.assigned {
		if at == c.Part {
			s.assigned[id] = 0
		}
	}
}

// Reopen says that there may be an SFU for one more part again.
type Reopen struct{}

func (Reopen) apply(r *Room) { clear(r.seating.shut) }

// first is the first part with an SFU, else the first one.
func (s State) first() Part {
	if i := slices.IndexFunc(s.Parts, func(p Part) bool { return p.Node != "" }); i >= 0 {
		return s.Parts[i]
	}
	if len(s.Parts) > 0 {
		return s.Parts[0]
	}
	return Part{}
}

// PartOf is the part of a participant. ok is false while the room does not know.
func (s State) PartOf(participant string) (p Part, ok bool) {
	i := slices.IndexFunc(s.Participants, func(p Participant) bool { return p.ID == participant })
	if i < 0 {
		return Part{}, false
	}
	j := slices.IndexFunc(s.Parts, func(p Part) bool { return p.ID == s.Participants[i].Part })
	if j < 0 {
		return Part{}, false
	}
	return s.Parts[j], true
}

// For is the state as a participant of a region gets it. One that the room does not
// know yet need not wait where there is a single part that is not full.
func (s State) For(participant, region string) State {
	p, ok := s.PartOf(participant)
	if live := slices.DeleteFunc(slices.Clone(s.Parts), func(p Part) bool { return p.Node == "" }); !ok && len(live) == 1 && !live[0].Full && (region == "" || region == live[0].Region) {
		p = live[0]
	}
	s.Part = p
	return s
}

// Nodes are the SFUs that serve the room, and those that are being left.
func (s State) Nodes() (nodes []string) {
	for _, p := range s.Parts {
		for _, node := range []string{p.Node, p.Former.Node} {
			if node != "" && !slices.Contains(nodes, node) {
				nodes = append(nodes, node)
			}
		}
	}
	return nodes
}
