package room

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Portals that come, go and repeat themselves, people who move between them,
// SFUs that are lost, and a conference that begins again, in any order: the
// room is always what the portals said last, and a number of a part never comes
// back.
func TestRoomIsWhatPortalsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New("room", 0)
		portals := map[string]map[string]Participant{"a": {}, "b": {}, "c": {}}
		attach := 0
		highest := 0
		said := map[string]Sync{}
		version := r.State().Version
		portal := rapid.SampledFrom([]string{"a", "b", "c"})
		outlet := rapid.SampledFrom(OutletKinds)
		person := rapid.SampledFrom([]string{"p1", "p2", "p3", "p4"})
		region := map[string]string{"a": "", "b": "eu", "c": "us"}
		of := func(p Participant, s State) Participant {
			if part, ok := s.PartOf(p.ID); ok {
				p.Part = part.ID
			}
			return p
		}
		speak := func(name string) {
			state := r.State()
			s := Sync{Room: "room", Portal: name, Parts: state.Parts, Recording: state.Recording, Streaming: state.Streaming, Target: r.Target(), Version: state.Version}
			for _, p := range portals[name] {
				s.Participants = append(s.Participants, of(p, state))
			}
			said[name] = s
			r.Apply(s)
		}
		some := func(t *rapid.T, f func(Part) bool) Part {
			parts := slices.DeleteFunc(r.Parts(), func(p Part) bool { return !f(p) })
			if len(parts) == 0 {
				t.Skip("there is none")
			}
			return rapid.SampledFrom(parts).Draw(t, "part")
		}
		live := func(p Part) bool { return p.Node != "" }
		t.Repeat(map[string]func(*rapid.T){
			"somebody joins, or moves": func(t *rapid.T) {
				attach++
				to, id := portal.Draw(t, "portal"), person.Draw(t, "person")
				portals[to][id] = Participant{ID: id, User: "u" + id, Role: Presenter, Region: region[to], Attach: attach}
				speak(to)
			},
			"somebody leaves": func(t *rapid.T) {
				from := portal.Draw(t, "portal")
				delete(portals[from], person.Draw(t, "person"))
				speak(from)
			},
			"a portal repeats itself": func(t *rapid.T) {
				name := portal.Draw(t, "portal")
				if s, ok := said[name]; ok && r.Apply(s) {
					t.Fatal("to say the same again is a change")
				}
			},
			"a portal is gone": func(t *rapid.T) {
				name := portal.Draw(t, "portal")
				portals[name] = map[string]Participant{}
				delete(said, name)
				r.Apply(PortalGone{name})
			},
			"an SFU is found": func(t *rapid.T) {
				part := some(t, func(p Part) bool { return p.Node == "" && r.PartPeople(p.ID) > 0 })
				highest++
				r.Apply(Placed{Part{ID: part.ID, Number: highest, Worker: "w", Node: fmt.Sprint("n", highest), Region: part.Region}})
			},
			"no SFU is found": func(t *rapid.T) {
				part := some(t, func(p Part) bool { return p.Node == "" && r.PartPeople(p.ID) > 0 })
				r.Apply(NoSFU{part.ID})
				people, others := r.PartPeople(part.ID), slices.ContainsFunc(r.Parts(), live)
				if others && people > 0 && r.Parts()[part.ID-1].Region == part.Region || !others && people == 0 {
					t.Fatalf("%d people in part %d, other parts: %v", people, part.ID, others)
				}
			},
			"there may be SFUs again": func(*rapid.T) { r.Apply(Reopen{}) },
			"an SFU is drained": func(t *rapid.T) {
				old := some(t, live)
				former := Former{Number: old.Number, Worker: old.Worker, Node: old.Node}
				highest++
				next := Part{ID: old.ID, Number: highest, Worker: "w", Node: fmt.Sprint("n", highest), Former: former}
				r.Apply(Placed{next})
				if next.Drained = true; r.Parts()[old.ID-1].Former != former || !r.Parts()[old.ID-1].Drained {
					t.Fatalf("%+v after %+v", r.Parts(), next)
				}
			},
			"a drained SFU is left": func(t *rapid.T) {
				part := some(t, func(p Part) bool { return p.Drained })
				if r.Apply(Left{part.Former.Number - 1}) && part.Former.Number > 1 && !slices.ContainsFunc(r.Parts(), func(p Part) bool { return p.Former == part.Former }) {
					t.Fatal("another one than that which was left")
				}
				r.Apply(Left{part.Former.Number})
				if now := r.Parts()[part.ID-1]; now.Drained || now.Former != (Former{}) {
					t.Fatalf("%+v", now)
				}
			},
			"an SFU is lost": func(t *rapid.T) {
				part := some(t, live)
				r.Apply(Lost{part.Number})
				if now := r.Parts()[part.ID-1]; now.Node != "" || now.Number != part.Number {
					t.Fatalf("%+v after %+v", now, part)
				}
			},
			"news of an older placement": func(t *rapid.T) {
				part := some(t, live)
				if r.Apply(Placed{Part{ID: part.ID, Number: part.Number, Node: "other"}}) || r.Apply(Lost{highest + 1}) {
					t.Fatal("they are a change")
				}
			},
			"a part without people ends": func(t *rapid.T) {
				part := some(t, live)
				highest++
				r.Apply(Retired{part.Number, highest})
				if now := r.Parts()[part.ID-1]; (now.Node == "") != (r.PartPeople(part.ID) == 0) {
					t.Fatalf("%+v with %d people", now, r.PartPeople(part.ID))
				}
			},
			"an SFU says how full it is": func(t *rapid.T) {
				r.Apply(Measured{some(t, live).ID, rapid.Float64Range(0, 1).Draw(t, "share"), 0.3})
			},
			"it is to be recorded or streamed, or not": func(t *rapid.T) {
				on, kind := rapid.Bool().Draw(t, "on"), outlet.Draw(t, "outlet")
				changes := on != r.Outlet(kind).On
				to := Target{Output: fmt.Sprint("rtmp://host/key-", r.State().Version)}
				if r.Apply(Order{Outlet: kind, On: on, By: "somebody", Target: to}) != changes || r.Outlet(kind).On != on {
					t.Fatalf("%+v after the order %v", r.Outlet(kind), on)
				}
				if changes && kind == Streaming && r.Target() != to {
					t.Fatalf("to %+v", r.Target())
				}
			},
			"what does it is found": func(t *rapid.T) {
				kind := outlet.Draw(t, "outlet")
				n := r.Outlet(kind).Number + 1
				r.Apply(OutletPlaced{kind, n, "w", fmt.Sprint("node", n), OutletTask("room", kind, n)})
			},
			"an older one is found, or lost": func(t *rapid.T) {
				kind := outlet.Draw(t, "outlet")
				before := r.Outlet(kind)
				if r.Apply(OutletPlaced{kind, before.Number, "w", "other", "task"}) || r.Apply(OutletLost{kind, "other"}) {
					t.Fatal("news of an older one are a change")
				}
			},
			"what does it is lost": func(t *rapid.T) {
				kind := outlet.Draw(t, "outlet")
				before := r.Outlet(kind)
				r.Apply(OutletLost{kind, before.Node})
				if after := r.Outlet(kind); after.Node != "" || after.On != before.On {
					t.Fatalf("%+v after %+v", after, before)
				}
			},
			"the conference begins again": func(t *rapid.T) {
				before, target := r.State(), r.Target()
				if slices.ContainsFunc(before.Participants, func(p Participant) bool { return before.Parts[p.Part-1].Number == 0 }) {
					t.Skip("a part that was never placed is another one afterwards")
				}
				r = New("room", 0)
				order := rapid.Permutation([]string{"a", "b", "c"}).Draw(t, "order")
				for _, name := range order {
					if s, ok := said[name]; ok {
						s.Version, s.Parts, s.Recording, s.Streaming, s.Target = before.Version, before.Parts, before.Recording, before.Streaming, target
						for i, p := range s.Participants {
							s.Participants[i] = of(p, before)
						}
						r.Apply(s)
					}
				}
				if len(said) == 0 {
					r.seating.parts, r.recording, r.streaming, r.target, r.version = unmeasured(before.Parts), before.Recording, before.Streaming, target, before.Version
				}
				if r.Target() != target && before.Streaming.Number > 0 {
					t.Fatalf("streamed to %+v after %+v", r.Target(), target)
				}
				after := r.State()
				before.Parts = unmeasured(before.Parts)
				before.Part = before.first()
				if after.Version < before.Version {
					t.Fatalf("version %d after %d", after.Version, before.Version)
				}
				after.Version, after.Settled = before.Version, before.Settled
				if diff := cmp.Diff(before, after); diff != "" {
					t.Fatalf("the room is another one:\n%s", diff)
				}
				version = 0
			},
			"": func(t *rapid.T) {
				s := r.State()
				if s.Version < version {
					t.Fatalf("version %d after %d", s.Version, version)
				}
				version = s.Version
				want := map[string]Participant{}
				for name, people := range portals {
					for id, p := range people {
						p = of(p, s)
						p.Portal = name
						if known, ok := want[id]; !ok || p.Attach > known.Attach {
							want[id] = p
						}
					}
				}
				got := map[string]Participant{}
				for _, p := range s.Participants {
					got[p.ID] = p
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("participants:\n%s", diff)
				}
				if !slices.IsSortedFunc(s.Participants, func(a, b Participant) int { return slices.Compare([]string{a.ID}, []string{b.ID}) }) {
					t.Fatal("the participants are not in order")
				}
				for _, p := range s.Parts {
					if p.Number > highest {
						t.Fatalf("%+v; %d was the highest number", p, highest)
					}
				}
				sitting(t, s)
			},
		})
	})
}

// sitting checks that everybody has a part.
func sitting(t *rapid.T, s State) {
	for _, p := range s.Participants {
		if _, ok := s.PartOf(p.ID); !ok {
			t.Fatalf("%s has no part: %+v", p.ID, s)
		}
	}
}

// unmeasured are parts whose load is not known.
func unmeasured(parts []Part) []Part {
	out := slices.Clone(parts)
	for i := range out {
		out[i].Full = false
	}
	return out
}

// A part takes people until it is full, those of a region go to a part of that
// region, and where there is no SFU for one more part they go where there is room.
func TestWhoGoesWhere(t *testing.T) {
	r := New("room", 0)
	people := []Participant{}
	come := func(id, region string) int {
		people = append(people, Participant{ID: id, Region: region})
		r.Apply(Sync{Room: "room", Portal: "a", Participants: people})
		p, _ := r.State().PartOf(id)
		return p.ID
	}
	placed := func(id int) {
		r.Apply(Placed{Part{ID: id, Number: 10 + id, Node: fmt.Sprint("n", id), Region: r.Parts()[id-1].Region}})
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: part %d, want %d", what, got, want)
		}
	}
	want("the first", come("a1", ""), 1)
	placed(1)
	r.Apply(Measured{Part: 1, Share: 0.1, Person: 0.3})
	want("the second", come("a2", ""), 1)
	want("the third, who is not there yet when the SFU was measured", come("a3", ""), 1)
	want("the fourth: three take 90 %", come("a4", ""), 2)
	want("while that is placed", come("a5", ""), 2)
	placed(2)
	want("another region", come("b1", "eu"), 3)
	r.Apply(NoSFU{3})
	p, _ := r.State().PartOf("b1")
	want("without an SFU there", p.ID, 2)
	r.Apply(Measured{Part: 2, Share: 0.9, Person: 0.3})
	want("all are full", come("a6", ""), 3)
	r.Apply(NoSFU{3})
	p, _ = r.State().PartOf("a6")
	want("all are full, and there is no other SFU", p.ID, 1)
	r.Apply(Reopen{})
	want("there may be one again", come("b2", "eu"), 3)
	placed(3)
	want("of that region", come("b3", "eu"), 3)
	want("of any region", come("a7", ""), 3)
	r.Apply(Measured{Part: 1, Share: 0.2})
	want("the first has room again", come("a8", ""), 1)
	want("who comes from a full region", func() int { r.Apply(Measured{Part: 3, Share: 1}); return come("b4", "eu") }(), 4)
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{"room 1": true, "": false, "a#1": false, "a/b": false, "a\nb": false} {
		if err := CheckName("room", name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	if KeyState("a.b") == KeyState("a") || KeyAll("x")[2:] != KeyText("x")[len("text."):] {
		t.Error("the keys of rooms")
	}
}

// Of where a room is streamed to, those in it see the host only.
func TestTargetShown(t *testing.T) {
	for output, want := range map[string]string{
		"rtmp://live.example/app/key":              "rtmp://live.example/…",
		"rtmps://user:secret@live.example:443/a/k": "rtmps://live.example:443/…",
		"https://host?signature=abc":               "https://host/…",
		"streams/standup.m3u8":                     "streams/standup.m3u8",
		"mount:live/x.m3u8":                        "mount:live/x.m3u8",
	} {
		if got := (Target{Output: output}).Shown(); got != want {
			t.Errorf("%s is shown as %s; want %s", output, got, want)
		}
		if got := (Target{Output: output}).Hide("it is " + output + ": refused"); got != "it is "+want+": refused" {
			t.Errorf("%s is hidden as %s", output, got)
		}
	}
}
