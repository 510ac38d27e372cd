package manager_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

func TestDrain(t *testing.T) {
	f := newFleet(t, natsQueue(t))
	f.join("video", 2)
	placed := f.place("video", "a", "b", "c", "d")
	drained := placed["a"]
	f.worker(drained).AddTask("a")
	by := muster.Operator{Name: "ada", From: "laptop"}
	order := muster.DrainOrder{Selector: muster.Selector{Worker: drained}, By: by}
	d, err := f.client.Drain(f.ctx, order)
	must(t, err)
	if d.State != muster.DrainRunning || d.Workers != 1 || d.By != by {
		t.Errorf("%+v", d)
	}
	for task, on := range f.place("video", "e", "f", "g", "h") {
		if on == drained {
			t.Errorf("%s is on the drained worker", task)
		}
	}
	list, err := f.client.Workers(f.ctx, "video")
	must(t, err)
	for _, w := range list {
		if (w.Drain == d.ID) != (w.ID == drained) || w.HeardMillis == nil {
			t.Errorf("%s is in drain %d, last heard %v", w.ID, w.Drain, w.HeardMillis)
		}
	}
	if _, err := f.client.Drain(f.ctx, muster.DrainOrder{Selector: muster.Selector{Purpose: "video"}}); !errors.Is(err, client.ErrLastWorkers) {
		t.Errorf("a drain of the last worker: %v", err)
	} else if last := new(client.LastWorkersError); !errors.As(err, &last) || len(last.Losses) != 1 || last.Losses[0].Workers != 1 {
		t.Errorf("%+v", last.Losses)
	}
	d, err = f.client.Undrain(f.ctx, client.Undrain{Drain: d.ID})
	must(t, err)
	if d.State != muster.DrainCalledOff {
		t.Errorf("%+v", d)
	}
	entries, err := f.client.Audit(f.ctx, 0, 0)
	must(t, err)
	if len(entries) != 2 || entries[0].Action != "drain" || entries[0].By != by || entries[1].Action != "undrain" {
		t.Errorf("%+v", entries)
	}
}

// The deadline of a drain hands tasks back: their callers get a notice, and a task
// that is scheduled again moves.
func TestTasksAreHandedBackAtTheDeadline(t *testing.T) {
	onEachQueue(t, func(t *testing.T, f *fleet) {
		f.join("video", 2)
		placed := f.place("video", "a", "b", "c", "d")
		drained := placed["a"]
		f.worker(drained).AddTask("a")
		moved := make(chan string, 100)
		ctx, stop := context.WithCancel(f.ctx)
		watching := make(chan error, 1)
		go func() {
			watching <- f.client.WatchHandBacks(ctx, "video", func(h client.HandBack) {
				p, err := f.client.Schedule(f.ctx, client.Request{Purpose: "video", Task: h.Task})
				if err == nil && h.Worker == drained && h.Drain == 1 {
					moved <- p.Worker
				}
			})
		}()
		d, err := f.client.Drain(f.ctx, muster.DrainOrder{
			Selector: muster.Selector{Worker: drained}, DeadlineMillis: 1000, Policy: muster.DrainHandBack,
		})
		must(t, err)
		f.until("the drain is empty", func() bool {
			d, err = f.client.DrainByID(f.ctx, d.ID)
			return err == nil && d.State == muster.DrainEmpty && d.Overdue
		})
		stop()
		must(t, <-watching)
		if len(moved) != d.Total {
			t.Errorf("%d of %d tasks were handed back", len(moved), d.Total)
		}
		for range d.Total {
			if on := <-moved; on == drained {
				t.Errorf("a task was handed back and placed there again")
			}
		}
		f.until("the worker dropped the task that moved", func() bool { return !slices.Contains(f.worker(drained).Tasks(), "a") })
	})
}

func TestOperatorsAreAnswered(t *testing.T) {
	f := newFleet(t, natsQueue(t))
	f.join("video", 2)
	id := f.workers[0].ID()
	sel := muster.Selector{Worker: id}
	if ids, err := f.client.Cordon(f.ctx, client.Cordon{Selector: sel}); err != nil || !slices.Equal(ids, []string{id}) {
		t.Errorf("%v %v", ids, err)
	}
	f.place("video", "a", "b", "c")
	why, err := f.client.Why(f.ctx, "video", "c")
	must(t, err)
	if why.Excluded[muster.RuleCordoned] != 1 {
		t.Errorf("%+v", why.Excluded)
	}
	if ids, err := f.client.Uncordon(f.ctx, client.Cordon{Selector: sel}); err != nil || !slices.Equal(ids, []string{id}) {
		t.Errorf("%v %v", ids, err)
	}
	must(t, f.client.SetStrategy(f.ctx, client.SetStrategy{Purpose: "video", Strategy: muster.TwoChoices}))
	must(t, f.client.SetDebit(f.ctx, client.SetDebit{Mode: "fixed", Fixed: 0.25}))
	s, err := f.client.Status(f.ctx)
	must(t, err)
	if p := s.Purposes[0]; p.Strategy != muster.TwoChoices || p.Debit != 0.25 {
		t.Errorf("%+v", p)
	}
	for _, row := range []struct {
		want error
		do   func() error
	}{
		{client.ErrNoneSelected, func() error {
			_, err := f.client.Drain(f.ctx, muster.DrainOrder{Selector: muster.Selector{Region: "eu"}})
			return err
		}},
		{client.ErrUnknownWorker, func() error {
			_, err := f.client.Drain(f.ctx, muster.DrainOrder{Selector: muster.Selector{Worker: "nosuch"}})
			return err
		}},
		{client.ErrNoDrain, func() error { _, err := f.client.DrainByID(f.ctx, 7); return err }},
		{client.ErrNoDrain, func() error { _, err := f.client.Undrain(f.ctx, client.Undrain{Selector: sel}); return err }},
		{client.ErrNoScheduler, func() error {
			return f.client.SetStrategy(f.ctx, client.SetStrategy{Purpose: "nosuch", Strategy: muster.LeastUsed})
		}},
	} {
		if err := row.do(); !errors.Is(err, row.want) {
			t.Errorf("%v, want %v", err, row.want)
		}
	}
	if drains, err := f.client.Drains(f.ctx); err != nil || len(drains) != 0 {
		t.Errorf("%v %v", drains, err)
	}
}

// Who watches sees orders as they are given.
func TestWatch(t *testing.T) {
	f := newFleet(t, natsQueue(t))
	f.join("video", 2)
	ctx, stop := context.WithCancel(f.ctx)
	began, seen := make(chan struct{}, 1000), make(chan muster.FeedEvent, 1000)
	watching := make(chan error, 1)
	go func() {
		watching <- f.client.Watch(ctx, func(b muster.FeedBatch) {
			select {
			case began <- struct{}{}:
			default:
			}
			for _, e := range b.Events {
				seen <- e
			}
		})
	}()
	<-began // a batch a second comes in any case
	_, err := f.client.Drain(f.ctx, muster.DrainOrder{Selector: muster.Selector{Worker: f.workers[0].ID()}})
	must(t, err)
	var types []string
	late := time.AfterFunc(50*time.Second, stop)
	for !slices.Contains(types, muster.FeedDrainEmpty) {
		select {
		case e := <-seen:
			types = append(types, e.Type)
			if e.Worker != "" && e.Purpose != "video" {
				t.Errorf("who watches the purpose misses %+v", e)
			}
		case err := <-watching:
			t.Fatalf("%v, after %v", err, types)
		}
	}
	late.Stop()
	stop()
	must(t, <-watching)
	for _, want := range []string{muster.FeedDrainBegan, muster.FeedWorkerDrained, muster.FeedOrder} {
		if !slices.Contains(types, want) {
			t.Errorf("%v lacks %s", types, want)
		}
	}
}

// owtAgent is a program with the words of OWT's agents: it says nothing of a process,
// and ends a task by its node.
func owtAgent(f *fleet, id string, tasks ...string) (ended <-chan string) {
	f.t.Helper()
	conn, out := f.conn(), make(chan string, 10)
	_, err := conn.Serve(f.ctx, id, func(r *bus.Request) {
		switch r.Method {
		case "queryNode":
			r.Reply("node-of-" + string(r.Args[0]))
		case "recycleNode":
			out <- string(r.Args[0]) + string(r.Args[1])
			r.Reply("ok")
		default:
			r.Fail("Not Implemented")
		}
	})
	must(f.t, err)
	call := func(method string, args ...any) {
		_, err := conn.Call(f.ctx, client.DefaultCluster, method, args...)
		must(f.t, err)
	}
	call("join", "conference", id, map[string]any{"ip": "127.0.0.1"})
	call("reportLoad", id, 0.1)
	call("pickUpTasks", id, tasks)
	return out
}

// An agent of OWT's that picks up a conference that another one has is asked to end
// it, and the other one is not.
func TestRefusedPickUpIsEndedAtAnAgentOfOWT(t *testing.T) {
	f := newFleet(t, natsQueue(t))
	holder := owtAgent(f, "conference-1", "room1")
	late := owtAgent(f, "conference-2", "other", "room1")
	select {
	case got := <-late:
		if want := `"node-of-\"room1\""{"room":"room1","task":"room1"}`; got != want {
			t.Errorf("it was asked to end %s, want %s", got, want)
		}
	case got := <-holder:
		t.Errorf("the one that has it was asked to end %s", got)
	case <-f.ctx.Done():
		t.Fatal("it is not asked to end the task")
	}
}

// OWT's unmodified workers are drained, too, and at the deadline asked to end their
// tasks.
func TestAgentOfOWTIsDrained(t *testing.T) {
	f := newFleet(t, natsQueue(t))
	ended := owtAgent(f, "conference-1", "room1")
	f.join("conference", 1)
	f.place("conference", "warm") // the other one has reported its load
	_, err := f.client.Drain(f.ctx, muster.DrainOrder{Selector: muster.Selector{Worker: "conference-1"}, DeadlineMillis: 1, Policy: muster.DrainEnd})
	must(t, err)
	for task, on := range f.place("conference", "a", "b", "c") {
		if on == "conference-1" {
			t.Errorf("%s is on the drained agent", task)
		}
	}
	select {
	case got := <-ended:
		if want := `"node-of-\"room1\""{"room":"room1","task":"room1"}`; got != want {
			t.Errorf("it was asked to end %s, want %s", got, want)
		}
	case <-f.ctx.Done():
		t.Fatal("it is not asked to end its task")
	}
}
