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
		var former Former
		said := map[string]Sync{}
		version := r.State().Version
		portal := rapid.SampledFrom([]string{"a", "b", "c"})
		person := rapid.SampledFrom([]string{"p1", "p2", "p3", "p4"})
		speak := func(name string) {
			s := Sync{Room: "room", Portal: name, Part: r.Part(), Recording: r.Recording(), Version: r.State().Version}
			for _, p := range portals[name] {
				s.Participants = append(s.Participants, p)
			}
			said[name] = s
			r.Apply(s)
		}
		t.Repeat(map[string]func(*rapid.T){
			"somebody joins, or moves": func(t *rapid.T) {
				attach++
				to, id := portal.Draw(t, "portal"), person.Draw(t, "person")
				portals[to][id] = Participant{ID: id, User: "u" + id, Role: Presenter, Attach: attach}
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
			"an SFU is found": func(*rapid.T) {
				if r.Part().Number >= highest && r.Part().Node == "" {
					highest++
					r.Apply(Placed{Part{Number: highest, Worker: "w", Node: fmt.Sprint("n", highest)}})
				}
			},
			"the SFU is drained": func(t *rapid.T) {
				old := r.Part()
				if old.Node == "" {
					t.Skip("there is none")
				}
				highest++
				former = Former{Number: old.Number, Worker: old.Worker, Node: old.Node}
				r.Apply(Placed{Part{Number: highest, Worker: "w", Node: fmt.Sprint("n", highest), Former: former}})
			},
			"another part than the drained one is left": func(t *rapid.T) {
				if r.Apply(Left{former.Number - 1}) || r.Apply(Left{r.Part().Number}) {
					t.Fatal("that is a change")
				}
			},
			"the drained part is left": func(*rapid.T) {
				r.Apply(Left{former.Number})
				former = Former{}
			},
			"the SFU is lost": func(*rapid.T) { r.Apply(Lost{r.Part().Number}) },
			"an old SFU is lost": func(t *rapid.T) {
				before := r.Part()
				if r.Apply(Lost{before.Number - 1}) || r.Apply(Placed{Part{Number: before.Number, Node: "other"}}) {
					t.Fatal("news of an older part are a change")
				}
			},
			"it is to be recorded, or not": func(t *rapid.T) {
				on := rapid.Bool().Draw(t, "on")
				changes := on != r.Recording().On
				if r.Apply(Record{On: on, By: "somebody"}) != changes || r.Recording().On != on {
					t.Fatalf("%+v after the order %v", r.Recording(), on)
				}
			},
			"a recorder is found": func(*rapid.T) {
				n := r.Recording().Number + 1
				r.Apply(Recorded{n, "w", fmt.Sprint("recorder", n), RecordingTask("room", n)})
			},
			"an old recorder is found, or lost": func(t *rapid.T) {
				before := r.Recording()
				if r.Apply(Recorded{before.Number, "w", "other", "task"}) || r.Apply(RecorderLost{"other"}) {
					t.Fatal("news of an older recorder are a change")
				}
			},
			"the recorder is lost": func(t *rapid.T) {
				before := r.Recording()
				r.Apply(RecorderLost{before.Node})
				if after := r.Recording(); after.Node != "" || after.On != before.On {
					t.Fatalf("%+v after %+v", after, before)
				}
			},
			"the conference begins again": func(t *rapid.T) {
				before := r.State()
				r = New("room", 0)
				order := rapid.Permutation([]string{"a", "b", "c"}).Draw(t, "order")
				for _, name := range order {
					if s, ok := said[name]; ok {
						s.Version, s.Part, s.Recording = before.Version, before.Part, before.Recording
						r.Apply(s)
					}
				}
				if len(said) == 0 {
					r.part, r.recording, r.version = before.Part, before.Recording, before.Version
				}
				after := r.State()
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
				if part := r.Part(); part.Former != former || part.Drained != (former.Node != "") {
					t.Fatalf("%+v; want %+v as the part that is being left", part, former)
				}
				if r.Part().Number != highest {
					t.Fatalf("part %d, want %d", r.Part().Number, highest)
				}
			},
		})
	})
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
