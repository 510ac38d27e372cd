package state

import (
	"fmt"
	"math/bits"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// The table finds what a map finds, however names collide, grow and shrink.
func TestTaskTableAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTaskTable()
		purposes := []*purpose{{name: "a", salt: 0}, {name: "b", salt: 0}} // the same hashes
		workers := []*worker{{purpose: purposes[0]}, {purpose: purposes[1]}}
		type key struct {
			purpose int
			name    string
		}
		model := map[key]*task{}
		few := rapid.Bool().Draw(t, "few hashes")
		hashOf := func(k key) uint32 {
			hash := table.hash(purposes[k.purpose], k.name)
			if few {
				hash %= 3 * taskShards // three starts, in shards that are crowded
			}
			return hash
		}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			k := key{rapid.IntRange(0, 1).Draw(t, "purpose"), fmt.Sprint(rapid.IntRange(0, 120).Draw(t, "name"))}
			found := table.find(hashOf(k), purposes[k.purpose], k.name)
			if found != model[k] {
				t.Fatalf("%v: found %v, want %v", k, found, model[k])
			}
			switch {
			case found == nil:
				model[k] = &task{name: k.name, worker: workers[k.purpose], hash: hashOf(k)}
				table.put(model[k])
			case rapid.Bool().Draw(t, "remove"):
				table.remove(found)
				delete(model, k)
			}
		}
		n := 0
		for i := range table.shards {
			n += table.shards[i].n
		}
		if n != len(model) {
			t.Fatalf("the table has %d tasks, want %d", n, len(model))
		}
		for k, want := range model {
			if table.find(hashOf(k), purposes[k.purpose], k.name) != want {
				t.Fatalf("%v is lost", k)
			}
		}
	})
}

// A burst does not keep its memory.
func TestTaskTableShrinks(t *testing.T) {
	table, p := newTaskTable(), &purpose{}
	w := &worker{purpose: p}
	tasks := make([]*task, 100_000)
	for i := range tasks {
		tasks[i] = &task{name: fmt.Sprint(i), worker: w}
		tasks[i].hash = table.hash(p, tasks[i].name)
		table.put(tasks[i])
	}
	for _, one := range tasks {
		if table.find(one.hash, p, one.name) != one {
			t.Fatalf("%s is lost", one.name)
		}
	}
	for _, one := range tasks {
		table.remove(one)
	}
	slots := 0
	for i := range table.shards {
		slots += len(table.shards[i].slots)
	}
	if slots > 8*firstSlots*taskShards {
		t.Errorf("an empty table has %d slots", slots)
	}
}

// A chunk of tasks wastes no memory.
func TestTaskChunkFits(t *testing.T) {
	size := int(reflect.TypeFor[task]().Size())
	if room := 8<<10 - 8; taskChunk != room/size && bits.UintSize == 64 {
		t.Errorf("a task has %d bytes: %d of them fit, and taskChunk is %d", size, room/size, taskChunk)
	}
}
