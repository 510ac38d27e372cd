package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster"
)

// What is there from the first page to the last is listed once, in order, whatever
// joins, leaves, is placed and ends between the pages.
func TestPagesListOnceWhatStays(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := newCluster(t, plain(muster.RoundRobin))
		var workers, tasks []string
		for i := range 60 {
			purpose, id := fmt.Sprintf("p%d", r.IntN(4)), fmt.Sprintf("w%d-%d", r.IntN(1_000_000), i)
			c.worker(purpose, id, `{"labels":{"kind":"`+[]string{"a", "b"}[i%2]+`"},"capacity":{"isps":[],"regions":["eu"]}}`)
			workers = append(workers, purpose+" "+id)
			for range r.IntN(20) {
				task := fmt.Sprintf("t%d-%d", r.IntN(1_000_000), len(tasks))
				c.do(PickUpTasks{Worker: id, Tasks: []string{task}})
				tasks = append(tasks, purpose+" "+id+" "+task)
			}
		}
		slices.Sort(workers)
		slices.Sort(tasks)
		disturb := func(n int) {
			id := fmt.Sprintf("x%d", n)
			c.worker(fmt.Sprintf("p%d", r.IntN(4)), id, `{}`)
			c.do(PickUpTasks{Worker: id, Tasks: []string{id + "a", id + "b"}})
			if n > 2 && r.IntN(2) == 0 && c.Has(fmt.Sprintf("x%d", n-2)) {
				c.do(Quit{Worker: fmt.Sprintf("x%d", n-2)})
			}
		}
		var seen []string
		steps := 0
		for after, more := (Place{}), true; more; steps++ {
			var list []muster.Worker
			list, after, more = c.PageWorkers(Filter{}, after, Bounds{Items: 1 + r.IntN(7), Bytes: 1 << 20})
			for _, w := range list {
				if !c.Has(w.ID) {
					t.Fatalf("seed %d: %s has left, and is listed", seed, w.ID)
				}
				if w.ID[0] == 'w' {
					seen = append(seen, w.Purpose+" "+w.ID)
				}
			}
			disturb(steps)
		}
		if diff := cmp.Diff(workers, seen); diff != "" {
			t.Fatalf("seed %d: workers: %s", seed, diff)
		}
		seen = nil
		for after, more := (Place{}), true; more; steps++ {
			var list []Task
			list, after, more = c.PageTasks(Filter{}, after, Bounds{Items: 1 + r.IntN(9), Bytes: 1 << 20})
			for _, task := range list {
				if task.Task[0] == 't' {
					seen = append(seen, task.Purpose+" "+task.Worker+" "+task.Task)
				}
			}
			disturb(steps)
		}
		if diff := cmp.Diff(tasks, seen); diff != "" {
			t.Fatalf("seed %d: tasks: %s", seed, diff)
		}
	}
}

func TestPageFilters(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "b", `{"labels":{"gpu":"a100","rack":"1"},"capacity":{"isps":[],"regions":["eu"]}}`)
	c.worker("sip", "a", `{"labels":{"gpu":"t4"},"capacity":{"isps":[],"regions":["us","eu"]}}`)
	c.worker("audio", "c", `{"max_tasks":3}`)
	c.do(ReportState{"c", muster.StateNotReady})
	c.load("a", 1)
	c.do(PickUpTasks{"a", []string{"2", "1"}, nil})
	c.do(PickUpTasks{"c", []string{"3"}, nil})
	c.place("sip", "0", "") // only b has room
	for name, want := range map[string]struct {
		filter  Filter
		workers []string
		tasks   []string
	}{
		"all":            {Filter{}, []string{"c", "a", "b"}, []string{"3", "1", "2", "0"}},
		"purpose":        {Filter{Purpose: "sip"}, []string{"a", "b"}, []string{"1", "2", "0"}},
		"no purpose":     {Filter{Purpose: "si"}, []string{}, []string{}},
		"last purpose":   {Filter{Purpose: "zz"}, []string{}, []string{}},
		"worker":         {Filter{Worker: "b"}, []string{"b"}, []string{"0"}},
		"no worker":      {Filter{Worker: "x"}, []string{}, []string{}},
		"worker, other":  {Filter{Purpose: "audio", Worker: "b"}, []string{}, []string{}},
		"region":         {Filter{Region: "us"}, []string{"a"}, []string{"1", "2"}},
		"label":          {Filter{Labels: map[string]string{"gpu": "a100"}}, []string{"b"}, []string{"0"}},
		"labels":         {Filter{Labels: map[string]string{"gpu": "a100", "rack": "2"}}, []string{}, []string{}},
		"task":           {Filter{Purpose: "sip", Task: "2"}, []string{"a", "b"}, []string{"2"}},
		"task, anywhere": {Filter{Task: "3"}, []string{"c", "a", "b"}, []string{"3"}},
		"task, worker":   {Filter{Purpose: "sip", Task: "2", Worker: "b"}, []string{"b"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			workers, tasks := []string{}, []string{}
			list, _, more := c.PageWorkers(want.filter, Place{}, Bounds{Items: 10, Bytes: 1 << 20})
			for _, w := range list {
				workers = append(workers, w.ID)
			}
			all, _, moreTasks := c.PageTasks(want.filter, Place{}, Bounds{Items: 10, Bytes: 1 << 20})
			for _, task := range all {
				tasks = append(tasks, task.Task)
			}
			if diff := cmp.Diff(want.workers, workers); diff != "" || more {
				t.Error(more, diff)
			}
			if diff := cmp.Diff(want.tasks, tasks); diff != "" || moreTasks {
				t.Error(moreTasks, diff)
			}
		})
	}
	for state, want := range map[string]string{"ready": "b", "full": "a", "not-ready": "c"} {
		if list, _, _ := c.PageWorkers(Filter{State: state}, Place{}, Bounds{Items: 10, Bytes: 1 << 20}); len(list) != 1 || list[0].ID != want {
			t.Errorf("%s: %v, want %s", state, list, want)
		}
	}
	for state, want := range map[string]int{"running": 3, "reserved": 1, "x": 0} {
		if list, _, _ := c.PageTasks(Filter{State: state}, Place{}, Bounds{Items: 10, Bytes: 1 << 20}); len(list) != want {
			t.Errorf("%s: %v, want %d", state, list, want)
		}
	}
}

// A page ends at its bytes, lists one item in any case, and counts the tasks that it
// does not name.
func TestPagesAreBoundedByBytes(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.equalWorkers("sip", 3)
	names := []string{}
	for i := range 500 {
		names = append(names, fmt.Sprintf("task-%03d", i))
	}
	c.do(PickUpTasks{"w0", names, nil})
	list, next, more := c.PageWorkers(Filter{}, Place{}, Bounds{Items: 10, Bytes: 1, Names: 7})
	if len(list) != 1 || !more || next.Worker != "w0" || len(list[0].Tasks) != 7 || list[0].RunningCount != 500 {
		t.Errorf("%d workers, then %+v: %+v", len(list), next, list[0])
	}
	tasks, next, more := c.PageTasks(Filter{}, Place{}, Bounds{Items: 400, Bytes: 1000})
	if len(tasks) < 2 || len(tasks) > 10 || !more || next.Task != tasks[len(tasks)-1].Task {
		t.Errorf("%d tasks, then %+v", len(tasks), next)
	}
	if _, _, more := c.PageTasks(Filter{State: "reserved"}, Place{}, Bounds{Items: 10, Bytes: 1000}); more {
		t.Error("there is more than nothing")
	}
}

// A filter that selects nothing looks at a part of a large fleet at a time, and ends.
func TestPageLooksAtAPartAtATime(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	for i := range 3 {
		id := fmt.Sprintf("w%d", i)
		c.worker("sip", id, `{}`)
		names := make([]string, maxLooked)
		for n := range names {
			names[n] = fmt.Sprintf("%s-%d", id, n)
		}
		c.do(PickUpTasks{id, names, nil})
	}
	pages := 0
	for after, more := (Place{}), true; more; pages++ {
		var list []Task
		if list, after, more = c.PageTasks(Filter{Task: "x"}, after, Bounds{Items: 10, Bytes: 1000}); len(list) > 0 || pages > 3 {
			t.Fatal(list, pages)
		}
	}
	if pages != 3 {
		t.Errorf("%d pages, want one a worker", pages)
	}
}
