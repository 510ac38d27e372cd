package sched

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-fleet/muster"
)

func TestBitsetAgreesWithAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set bitset
		if rapid.Bool().Draw(t, "grown") {
			set.grow(rapid.IntRange(1, 3000).Draw(t, "room"))
		}
		var list []int32
		span := rapid.SampledFrom([]int32{3, 64, 200, 5000}).Draw(t, "span")
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			i := rapid.Int32Range(0, span).Draw(t, "place")
			at, there := slices.BinarySearch(list, i)
			if set.has(i) != there {
				t.Fatalf("has(%d) is %v", i, !there)
			}
			if there {
				set.unset(i)
				list = slices.Delete(list, at, at+1)
			} else {
				set.set(i)
				list = slices.Insert(list, at, i)
			}
			checkBitset(t, &set, list, rapid.Int32Range(0, span+100).Draw(t, "probe"))
		}
	})
}

func checkBitset(t *rapid.T, set *bitset, list []int32, probe int32) {
	if set.count != len(list) {
		t.Fatalf("counts %d of %d", set.count, len(list))
	}
	at, _ := slices.BinarySearch(list, probe)
	if got := set.rank(probe); got != at {
		t.Fatalf("rank(%d) is %d, want %d", probe, got, at)
	}
	if len(list) == 0 {
		return
	}
	if got := set.after(probe); got != list[at%len(list)] {
		t.Fatalf("after(%d) is %d, want %d", probe, got, list[at%len(list)])
	}
	k := int(probe) % len(list)
	if got := set.at(k); got != list[k] {
		t.Fatalf("at(%d) is %d, want %d", k, got, list[k])
	}
}

func TestFrontAgreesWithSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const workers = 100
		at := make([]int32, workers)
		heaps := make([]heap, rapid.IntRange(1, 6).Draw(t, "heaps"))
		keys := map[int32]entry{}
		in := map[int32]int{}
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			ord := rapid.Int32Range(0, workers-1).Draw(t, "worker")
			e := entry{rapid.Int64Range(-5, 5).Draw(t, "key"), ord}
			h, there := in[ord]
			switch {
			case !there:
				in[ord] = rapid.IntRange(0, len(heaps)-1).Draw(t, "heap")
				heaps[in[ord]].push(e, at)
				keys[ord] = e
			case rapid.Bool().Draw(t, "leaves"):
				heaps[h].remove(at[ord], at)
				delete(in, ord)
				delete(keys, ord)
			default:
				heaps[h].replace(at[ord], e, at)
				keys[ord] = e
			}
		}
		checkFront(t, heaps, keys, in)
	})
}

func checkFront(t *rapid.T, heaps []heap, keys map[int32]entry, in map[int32]int) {
	var f front
	for i := range heaps {
		f.offer(&heaps[i], int64(i))
	}
	var want []entry
	for ord, e := range keys {
		e.key += int64(in[ord])
		want = append(want, e)
	}
	slices.SortFunc(want, func(a, b entry) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.tie, b.tie)) })
	got := f.best()
	if len(got) != min(4, len(want)) {
		t.Fatalf("found %d of %d", len(got), len(want))
	}
	for i := range got {
		if got[i].entry != want[i] {
			t.Fatalf("number %d is %v, want %v", i, got[i].entry, want[i])
		}
	}
}

func TestUnits(t *testing.T) {
	for _, u := range []Units{0, 1, 10_000_000, 333_333_333, One, 7 * One} {
		if got := UnitsOf(u.Float()); got != u {
			t.Errorf("%d units became %d", u, got)
		}
	}
	for load, want := range map[float64]Units{-1: 0, 0.5: One / 2, 1e300: maxLoad * One} {
		if got := UnitsOf(load); got != want {
			t.Errorf("a load of %v is %d units, want %d", load, got, want)
		}
	}
}

// A worker that joins with another label each time, for which a task asks, must
// leave nothing behind that later rounds have to look at.
func TestLabelsThatChangeLeaveNothingBehind(t *testing.T) {
	for name, label := range map[string]func(round int) (key, value string){
		"keys":   func(round int) (string, string) { return fmt.Sprint("key-", round), "x" },
		"values": func(round int) (string, string) { return "key", fmt.Sprint("value-", round) },
	} {
		t.Run(name, func(t *testing.T) {
			p := NewPool("labelled", muster.LeastUsed)
			w := &Worker{ID: "w"}
			for round := range 1000 {
				key, value := label(round)
				info := muster.Info{MaxLoad: 1, State: muster.StateReady, Labels: map[string]string{key: value}}
				if round == 0 {
					p.Add(w, info)
				} else {
					p.Rejoin(w, info, false)
				}
				w.Report(0, 0)
				why := muster.Explanation{Chosen: new(muster.Candidate)}
				preference := fmt.Appendf(nil, `{"labels":{%q:%q}}`, key, value)
				if got, err := p.Place(preference, 1, &why); got != w {
					t.Fatalf("round %d: %v, %v", round, got, err)
				}
			}
			if len(p.splits) > 1 || len(p.labelled) > 1 || len(p.list) > 2+p.limits.Slack {
				t.Errorf("%d keys divide, %d are counted, %d classes are left", len(p.splits), len(p.labelled), len(p.list))
			}
		})
	}
}
