package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

func TestJoinTellsWhatTheWorkerIs(t *testing.T) {
	b := startBroker(t)
	m := startManager(t, b.dial())
	o := quick(nil)
	o.ID, o.Hostname, o.Port, o.MaxTasks = "", "media.example", 8443, 7
	o.Capacity = muster.Capacity{Regions: []string{"eu"}, Video: &muster.Formats{Encode: []string{"vp8"}}}
	o.Labels = map[string]string{"gpu": "a100"}
	o.Extra = map[string]any{"rack": 12, "zone": map[string]any{"row": "b"}}
	w := join(t, b.dial(), o)
	if !regexp.MustCompile(`^video-[0-9a-f]{20}@media\.example$`).MatchString(w.ID()) {
		t.Errorf("ID: %s", w.ID())
	}
	got := object(t, strings.TrimPrefix(m.await("join "), "join "))
	want := object(t, `{"ip": "192.0.2.1", "hostname": "media.example", "port": 8443, "purpose": "video", "state": 2,
		"maxLoad": 0.85, "max_load": 0.85, "capacity": {"isps": [], "regions": ["eu"], "video": {"encode": ["vp8"], "decode": []}},
		"labels": {"gpu": "a100"}, "max_tasks": 7, "rack": 12, "zone": {"row": "b"}}`)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A worker without anything special sends what OWT's recorded worker does.
func TestJoinAsOWT(t *testing.T) {
	b := startBroker(t)
	m := startManager(t, b.dial())
	w := join(t, b.dial(), worker.Options{Purpose: "sample", IP: "192.0.2.2"})
	want := `join {"ip":"192.0.2.2","purpose":"sample","state":2,"maxLoad":0.85,"capacity":{"isps":[],"regions":[]},"max_load":0.85}`
	if got := m.await("join "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.HasSuffix(w.ID(), "@192.0.2.2") {
		t.Errorf("ID: %s", w.ID())
	}
}

func TestWhatIsToldAfterJoining(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	m := startManager(t, b.dial())
	w := join(t, b.dial(), quick(e))
	e.next("joined")
	m.await("keepAlive")
	w.ReportState(muster.StateNotReady)
	w.AddTask("a", "b")
	w.AddTask("b")
	w.RemoveTask("a")
	w.RemoveTask("nosuch")
	w.RejectTask("x")
	if got := w.Tasks(); !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("Tasks: %v", got)
	}
	m.await("unschedule")
	want := []string{"reportLoad 0.5", "reportState 1", `pickUpTasks ["a","b"]`, `layDownTask "a"`, `unschedule "x"`}
	if got := m.said(); !strings.HasPrefix(got[0], "join") || !reflect.DeepEqual(got[1:], want) {
		t.Errorf("got %q\nwant a join, then %q", got, want)
	}
}

// failures lets a test wait for the calls that a worker reports as failed.
type failures struct {
	slog.Handler
	seen chan string
}

func newFailures() *failures {
	return &failures{Handler: slog.DiscardHandler, seen: make(chan string, 1000)}
}

func (f *failures) Enabled(context.Context, slog.Level) bool { return true }

func (f *failures) WithAttrs([]slog.Attr) slog.Handler { return f }

func (f *failures) Handle(_ context.Context, r slog.Record) error {
	select {
	case f.seen <- r.Message:
	default:
	}
	return nil
}

func TestJoinWaitsForTheManager(t *testing.T) {
	b := startBroker(t)
	o, failed := quick(nil), newFailures()
	o.Logger, o.JoinRetries = slog.New(failed), 1_000_000
	conn, managers := b.dial(), b.dial()
	done := make(chan *worker.Worker)
	go func() {
		w, err := worker.Join(within(t), conn, o)
		if err != nil {
			t.Error(err)
		}
		done <- w
	}()
	for range 3 {
		<-failed.seen
	}
	startManager(t, managers)
	w := <-done
	if err := w.Quit(within(t)); err != nil {
		t.Error(err)
	}
}

func TestJoinGivesUpAfterItsRetries(t *testing.T) {
	o := quick(nil)
	o.JoinRetries = 3
	_, err := worker.Join(within(t), startBroker(t).dial(), o)
	if !errors.Is(err, bus.ErrNoServer) || !strings.Contains(err.Error(), "4 tries failed") {
		t.Errorf("got %v; want bus.ErrNoServer, 4 times", err)
	}
}

// The manager may have taken in a worker that did not hear the answer.
func TestJoinEndsWithItsContext(t *testing.T) {
	b := startBroker(t)
	m := startManager(t, b.dial())
	m.ignore("join", 1000)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	enough := errors.New("enough")
	go func() {
		m.await("join")
		cancel(enough)
	}()
	_, err := worker.Join(ctx, b.dial(), quick(nil))
	if !errors.Is(err, enough) {
		t.Errorf("got %v; want %v", err, enough)
	}
	m.await("quit")
}

func TestJoinRefusesWrongOptions(t *testing.T) {
	for field, o := range map[string]worker.Options{
		"Purpose":      {},
		"MaxLoad":      {Purpose: "p", MaxLoad: 1.5},
		"MaxTasks":     {Purpose: "p", MaxTasks: -1},
		"Port":         {Purpose: "p", Port: 70000},
		"Misses":       {Purpose: "p", Misses: -1},
		"JoinInterval": {Purpose: "p", JoinInterval: -1},
		"KeepAlive":    {Purpose: "p", KeepAlive: -1},
		"CallTimeout":  {Purpose: "p", CallTimeout: -1},
		"LoadInterval": {Purpose: "p", LoadInterval: -1},
		"LoadRepeat":   {Purpose: "p", LoadRepeat: -1},
		"Extra":        {Purpose: "p", Extra: map[string]any{"ip": "x"}},
	} {
		if _, err := worker.Join(t.Context(), nil, o); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v; want an error that names it", field, err)
		}
	}
	o := worker.Options{Purpose: "p", Extra: map[string]any{"f": func() {}}}
	if _, err := worker.Join(t.Context(), nil, o); err == nil || !strings.Contains(err.Error(), "Extra") {
		t.Errorf("unwritable Extra: got %v", err)
	}
	if err := worker.DefaultOptions("p").Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestForgottenAndPickedUpAgain(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	m := startManager(t, b.dial())
	w := join(t, b.dial(), quick(e))
	e.next("joined")
	w.ReportState(muster.StateReady)
	w.AddTask("a", "b")
	m.await("pickUpTasks")
	m.forget()
	m.answer("join", "initializing")
	m.once("keepAlive", "whoareyou")
	e.next("lost")
	m.await("join")
	m.await("reportLoad")
	e.next("recovered")
	said := m.said()
	last := said[len(said)-3:]
	if want := []string{"reportState 2", `pickUpTasks ["a","b"]`, "reportLoad 0.5"}; !reflect.DeepEqual(last, want) {
		t.Errorf("got %q; want %q at the end", said, want)
	}
	if got := w.Tasks(); len(got) != 2 {
		t.Errorf("tasks: %v", got)
	}
}

func TestForgottenAndDropped(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	m := startManager(t, b.dial())
	w := join(t, b.dial(), quick(e))
	e.next("joined")
	w.AddTask("a", "b")
	m.await("pickUpTasks")
	m.once("keepAlive", "whoareyou")
	e.next("lost")
	e.next("dropped [a b]")
	e.next("recovered")
	if got := w.Tasks(); len(got) != 0 {
		t.Errorf("tasks: %v", got)
	}
}

// Four keep-alives and the two that follow before their time-out get no
// answer.
func TestSilentManager(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	m := startManager(t, b.dial())
	o := quick(e)
	o.KeepAlive, o.CallTimeout = 50*time.Millisecond, 100*time.Millisecond
	join(t, b.dial(), o)
	e.next("joined")
	m.forget()
	m.ignore("keepAlive", 6)
	e.next("lost")
	m.await("join")
	e.next("recovered")
}

// The manager's process ends, and another one starts: the worker need not join
// where it is known, and must not lose its reports in between.
func TestManagerAway(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	managers := b.dial()
	m := startManager(t, managers)
	w := join(t, b.dial(), quick(e))
	e.next("joined")
	w.AddTask("a", "b")
	m.await("pickUpTasks")
	if err := m.service.Close(); err != nil {
		t.Fatal(err)
	}
	e.next("lost")
	w.AddTask("c")
	w.RemoveTask("a")
	m.forget()
	m.serve(managers)
	e.next("recovered")
	m.await("reportLoad")
	want := []string{`layDownTask "a"`, `pickUpTasks ["b","c"]`, "reportLoad 0.5"}
	// Reports made meanwhile may arrive too, before that.
	said := m.said()
	if got := said[max(0, len(said)-3):]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q; want %q at the end", said, want)
	}
}

// ledger is what a manager believes of a worker's tasks after it heard log.
func ledger(log []string) string {
	held := map[string]bool{}
	for _, line := range log {
		method, args, _ := strings.Cut(line, " ")
		names := regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(args, -1)
		for _, n := range names {
			switch method {
			case "pickUpTasks":
				held[n[1]] = true
			case "layDownTask":
				delete(held, n[1])
			}
		}
	}
	var out []string
	for name := range held {
		out = append(out, name)
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}

// The broker ends and comes back while tasks come and go. In the end the
// worker is a member that never had to join again, and the manager knows
// exactly its tasks.
func TestBrokerRestart(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	m := startManager(t, b.dial())
	w := join(t, b.dial(), quick(e))
	e.next("joined")
	for round := range 3 {
		name := func(i int) string { return fmt.Sprintf("r%d-t%d", round, i) }
		for i := range 20 {
			w.AddTask(name(i))
		}
		b.stop()
		for i := range 10 {
			w.RemoveTask(name(i))
		}
		w.AddTask(name(20), name(0))
		e.next("lost")
		b.start()
		for i := range 5 {
			w.RemoveTask(name(10 + i))
		}
		e.next("recovered")
		tasks := w.Tasks()
		slices.Sort(tasks)
		want := fmt.Sprint(tasks)
		m.until("what the worker runs: "+want, func(log []string) bool { return ledger(log) == want })
	}
	if joins := slices.DeleteFunc(m.said(), func(l string) bool { return !strings.HasPrefix(l, "join") }); len(joins) != 1 {
		t.Errorf("joined %d times; want once", len(joins))
	}
	if got := len(w.Tasks()); got != 3*7 {
		t.Errorf("runs %d tasks; want 21", got)
	}
}

// A source that fails must neither keep the worker out nor hide the others.
func TestLoadThatCannotBeMeasured(t *testing.T) {
	b := startBroker(t)
	m := startManager(t, b.dial())
	o := quick(nil)
	o.Load = load.Worst(load.Func(func() float64 { return 0.3 }), load.Disk("/nonexistent/path"))
	join(t, b.dial(), o)
	if got := m.await("reportLoad"); got != "reportLoad 0.3" {
		t.Errorf("got %s; want that of the source that works", got)
	}
	o.Load, o.ID = load.Disk("/nonexistent/path"), "video-2@host"
	w := join(t, b.dial(), o)
	w.AddTask("seen")
	m.await(`pickUpTasks ["seen"]`)
	reports := slices.DeleteFunc(m.said(), func(l string) bool { return !strings.HasPrefix(l, "reportLoad") })
	if len(reports) != 1 {
		t.Errorf("got %q; want one report, of the first worker", reports)
	}
}

func TestOverload(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	m := startManager(t, b.dial())
	loads := make(chan float64, 1)
	loads <- 0.2
	o := quick(e)
	o.LoadInterval = time.Millisecond
	last := 0.0
	o.Load = load.Func(func() float64 {
		select {
		case last = <-loads:
		default:
		}
		return last
	})
	join(t, b.dial(), o)
	e.next("joined")
	loads <- 0.99
	e.next("overloaded true")
	loads <- 0.4
	e.next("overloaded false")
	m.await("reportLoad 0.4")
}
