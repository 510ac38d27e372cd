package worker_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
)

func TestQuit(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	m := startManager(t, b.dial())
	conn := b.dial()
	w := join(t, conn, quick(e))
	w.AddTask("a")
	w.RejectTask("x")
	if w.Err() != nil {
		t.Errorf("before: Err is %v", w.Err())
	}
	for range 2 {
		if err := w.Quit(within(t)); err != nil {
			t.Errorf("Quit: %v", err)
		}
	}
	<-w.Done()
	if !errors.Is(w.Err(), worker.ErrQuit) {
		t.Errorf("Err: %v", w.Err())
	}
	w.AddTask("b")
	w.ReportState(muster.StateReady)
	if _, err := conn.Call(within(t), worker.DefaultCluster, "keepAlive", "x"); err != nil {
		t.Fatalf("the connection must stay open: %v", err)
	}
	m.await("quit")
	said := m.said()
	if got := said[len(said)-3:]; !reflect.DeepEqual(got, []string{`pickUpTasks ["a"]`, `unschedule "x"`, "quit"}) {
		t.Errorf("got %q at the end", got)
	}
	if _, err := conn.Call(within(t), w.ID(), "any"); !errors.Is(err, bus.ErrNoServer) {
		t.Errorf("its methods are still served: %v", err)
	}
}

func TestQuitWithoutABroker(t *testing.T) {
	b, e := startBroker(t), newEvents(t)
	startManager(t, b.dial())
	w := join(t, b.dial(), quick(e))
	e.next("joined")
	b.stop()
	e.next("lost")
	if err := w.Quit(within(t)); !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("got %v; want that the manager was not reached", err)
	}
	if !errors.Is(w.Err(), worker.ErrQuit) {
		t.Errorf("Err: %v", w.Err())
	}
}

func TestClosedConnectionEndsTheWorker(t *testing.T) {
	b := startBroker(t)
	startManager(t, b.dial())
	conn := b.dial()
	w := join(t, conn, quick(nil))
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	<-w.Done()
	if !errors.Is(w.Err(), bus.ErrClosed) || !errors.Is(w.Quit(within(t)), bus.ErrClosed) {
		t.Errorf("Err: %v", w.Err())
	}
	if err := w.Drain(within(t)); err != nil && !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Drain: %v", err)
	}
}

func TestDrain(t *testing.T) {
	b := startBroker(t)
	m := startManager(t, b.dial())
	w := join(t, b.dial(), quick(nil))
	w.AddTask("a", "b")
	drained := make(chan error)
	go func() { drained <- w.Drain(within(t)) }()
	m.await("reportState 1")
	w.RemoveTask("a")
	select {
	case err := <-drained:
		t.Fatalf("drained with a task left: %v", err)
	default:
	}
	w.RemoveTask("b")
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if err := w.Drain(within(t)); err != nil {
		t.Errorf("a second time: %v", err)
	}
	w.AddTask("c")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.Drain(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 tasks") {
		t.Errorf("got %v; want the context's error and how many tasks are left", err)
	}
}
