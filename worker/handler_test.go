package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
)

type place struct {
	Room string `json:"room"`
	Task string `json:"task"`
}

func served(t *testing.T, handlers map[string]worker.Handler) (*worker.Worker, bus.Conn) {
	b := startBroker(t)
	startManager(t, b.dial())
	o := quick(nil)
	o.Handlers = handlers
	return join(t, b.dial(), o), b.dial()
}

func refusal(err error) string {
	var remote *bus.RemoteError
	if !errors.As(err, &remote) {
		return "no refusal"
	}
	return remote.Reason
}

func TestHandle(t *testing.T) {
	w, conn := served(t, map[string]worker.Handler{
		"getNode": worker.Handle(func(_ context.Context, w *worker.Worker, p place) (string, error) {
			if p.Task == "" {
				return "", errors.New("Invalid task")
			}
			w.AddTask(p.Task)
			return w.ID() + "_0", nil
		}),
	})
	raw, err := conn.Call(within(t), w.ID(), "getNode", place{"r", "t"})
	if string(raw) != `"video-1@host.example_0"` || err != nil {
		t.Errorf("got %s, %v", raw, err)
	}
	if got := w.Tasks(); len(got) != 1 || got[0] != "t" {
		t.Errorf("tasks: %v", got)
	}
	for want, call := range map[string]func() error{
		"Invalid task":                func() error { _, err := conn.Call(within(t), w.ID(), "getNode", place{}); return err },
		"argument 1 is missing":       func() error { _, err := conn.Call(within(t), w.ID(), "getNode"); return err },
		"argument 1: json":            func() error { _, err := conn.Call(within(t), w.ID(), "getNode", 7); return err },
		muster.ReasonUnsupported.Text: func() error { _, err := conn.Call(within(t), w.ID(), "nosuch"); return err },
	} {
		if got := refusal(call()); !strings.HasPrefix(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	args, err := bus.EncodeArgs("n1", place{"r", "t"}, "more")
	if err != nil {
		t.Fatal(err)
	}
	var node string
	var p place
	if err := worker.Decode(args, &node, &p); err != nil || node != "n1" || p.Task != "t" {
		t.Errorf("got %q, %v, %v", node, p, err)
	}
	if err := worker.Decode(args, &node, &node); err == nil || !strings.Contains(err.Error(), "argument 2") {
		t.Errorf("got %v; want an error that says argument 2", err)
	}
}

// One handler answers later, from a goroutine; meanwhile others run, in order.
func TestAnswersMayComeLater(t *testing.T) {
	release := make(chan struct{})
	var order []string
	w, conn := served(t, map[string]worker.Handler{
		"slow": func(ctx context.Context, _ *worker.Worker, r *bus.Request) {
			go func() {
				<-release
				r.Reply("slow")
			}()
		},
		"note": func(_ context.Context, _ *worker.Worker, r *bus.Request) {
			order = append(order, string(r.Args[0]))
		},
		"read": func(_ context.Context, _ *worker.Worker, r *bus.Request) { r.Reply(strings.Join(order, "")) },
	})
	answer := make(chan error)
	go func() {
		_, err := conn.Call(within(t), w.ID(), "slow")
		answer <- err
	}()
	for i := range 5 {
		if err := conn.Cast(within(t), w.ID(), "note", i); err != nil {
			t.Fatal(err)
		}
	}
	if raw, err := conn.Call(within(t), w.ID(), "read"); string(raw) != `"01234"` || err != nil {
		t.Errorf("got %s, %v; want the casts in order", raw, err)
	}
	close(release)
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// A handler's context ends with the worker; calls that wait behind it are refused.
func TestQuitWhileAHandlerRuns(t *testing.T) {
	entered := make(chan struct{})
	w, conn := served(t, map[string]worker.Handler{
		"stay": func(ctx context.Context, _ *worker.Worker, r *bus.Request) {
			close(entered)
			<-ctx.Done()
			r.Fail("interrupted")
		},
	})
	answers := make(chan string, 2)
	go func() {
		_, err := conn.Call(within(t), w.ID(), "stay")
		answers <- refusal(err)
	}()
	<-entered
	if err := w.Quit(within(t)); err != nil {
		t.Error(err)
	}
	if got := <-answers; got != "interrupted" {
		t.Errorf("got %q", got)
	}
}
