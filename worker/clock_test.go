package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker/load"
)

// clockConn is a bus without a broker, for tests in which only the clock is
// of interest. It writes down when it was asked what.
type clockConn struct {
	bus.Conn
	began  time.Time
	answer func(method string) (string, error)
	// hang lets calls end only with their context.
	hang bool

	mu      sync.Mutex
	log     []string
	status  func(bus.Status)
	arrived bus.Handler
}

func (c *clockConn) note(method string, args []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := fmt.Sprintf("%v %s", time.Since(c.began), method)
	if method == "reportLoad" {
		line += fmt.Sprint(" ", args[1])
	}
	c.log = append(c.log, line)
}

func (c *clockConn) Call(ctx context.Context, _, method string, args ...any) (json.RawMessage, error) {
	if c.hang {
		<-ctx.Done()
		c.note(method, args)
		return nil, ctx.Err()
	}
	c.note(method, args)
	answer, err := c.answer(method)
	return json.RawMessage(`"` + answer + `"`), err
}

func (c *clockConn) Cast(_ context.Context, _, method string, args ...any) error {
	c.note(method, args)
	return nil
}

func (c *clockConn) Watch(f func(bus.Status)) func() {
	c.status = f
	f(bus.Status{Connected: true})
	return func() {}
}

func (c *clockConn) Serve(_ context.Context, _ string, h bus.Handler) (bus.Service, error) {
	c.arrived = h
	return idleService{}, nil
}

type idleService struct{}

func (idleService) Malformed() uint64 { return 0 }
func (idleService) Close() error      { return nil }

func (c *clockConn) heard(prefix string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, line := range c.log {
		if at, what, _ := strings.Cut(line, " "); strings.HasPrefix(what, prefix) {
			out = append(out, at)
		}
	}
	return out
}

// moments lists the times of something regular.
func moments(from, step time.Duration, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(from+time.Duration(i)*step))
	}
	return out
}

func holds(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v; want %v", what, got, want)
	}
}

// With its defaults a worker joins at once, keeps alive every 800 ms, and
// reports a load that does not change every 5 s.
func TestDefaultPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clockConn{began: time.Now(), answer: func(method string) (string, error) {
			if method == "join" {
				return "in-service", nil
			}
			return "ok", nil
		}}
		o := Options{Purpose: "p", Load: load.Func(func() float64 { return 0.25 })}
		w, err := Join(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		holds(t, "join", c.heard("join"), []string{"0s"})
		holds(t, "keepAlive", c.heard("keepAlive"), moments(800*time.Millisecond, 800*time.Millisecond, 12))
		holds(t, "reportLoad", c.heard("reportLoad 0.25"), []string{"0s", "5s", "10s"})
		w.AddTask("a")
		time.Sleep(time.Second)
		holds(t, "reportLoad", c.heard("reportLoad 0.25"), []string{"0s", "5s", "10s", "11s"})
		if err := w.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A first join is tried 61 times, 800 ms apart.
func TestDefaultJoinRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clockConn{began: time.Now(), answer: func(string) (string, error) { return "", bus.ErrNoServer }}
		_, err := Join(t.Context(), c, Options{Purpose: "p", Load: load.Func(func() float64 { return 0 })})
		if err == nil {
			t.Error("no error")
		}
		holds(t, "join", c.heard("join"), moments(0, 800*time.Millisecond, 61))
	})
}

// A load that changes all the time is reported once a second.
func TestReportsAreNoFasterThanOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clockConn{began: time.Now(), answer: func(string) (string, error) { return "ok", nil }}
		level := 0.0
		o := Options{Purpose: "p", Load: load.Func(func() float64 { level += 0.01; return level })}
		w, err := Join(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 30 {
			w.AddTask("a")
			time.Sleep(100 * time.Millisecond)
			w.RemoveTask("a")
		}
		synctest.Wait()
		holds(t, "reportLoad", c.heard("reportLoad"), moments(0, time.Second, 4))
		if err := w.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A connection that was made again between two keep-alives may have lost what
// was reported: the worker does not wait for a keep-alive to fail.
func TestShortDisconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clockConn{began: time.Now(), answer: func(string) (string, error) { return "ok", nil }}
		w, err := Join(t.Context(), c, Options{Purpose: "p", Load: load.Func(func() float64 { return 0 })})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		w.AddTask("a")
		time.Sleep(100 * time.Millisecond)
		c.status(bus.Status{Err: bus.ErrDisconnected})
		c.status(bus.Status{Connected: true})
		synctest.Wait()
		holds(t, "keepAlive", c.heard("keepAlive"), []string{"200ms"})
		holds(t, "pickUpTasks", c.heard("pickUpTasks"), []string{"100ms", "200ms"})
		if err := w.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A join that is on its way must not overtake the quit.
func TestQuitComesAfterTheJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clockConn{began: time.Now(), hang: true}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Join(ctx, c, Options{Purpose: "p", Load: load.Func(func() float64 { return 0 })})
		if err == nil {
			t.Fatal("no error")
		}
		if want := []string{"1s join", "1s quit"}; !reflect.DeepEqual(c.log, want) {
			t.Errorf("got %q; want %q", c.log, want)
		}
	})
}

// Requests that wait behind a handler when the worker ends are refused; so are
// those for which there is no room.
func TestRequestsThatCannotBeHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clockConn{began: time.Now(), answer: func(method string) (string, error) {
			if method == "ping" {
				return "", bus.ErrNoServer
			}
			return "ok", nil
		}}
		w, err := Join(t.Context(), c, Options{
			Purpose: "p", ID: "w", Load: load.Func(func() float64 { return 0 }),
			Handlers: map[string]Handler{
				"stay": func(ctx context.Context, _ *Worker, _ *bus.Request) { <-ctx.Done() },
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		refused := map[string]int{}
		var mu sync.Mutex
		answered := func(r bus.Reply) {
			mu.Lock()
			defer mu.Unlock()
			refused[r.Err]++
		}
		c.arrived(bus.NewRequest(bus.Call{Method: "stay"}, answered))
		synctest.Wait()
		for range requestBacklog + 3 {
			c.arrived(bus.NewRequest(bus.Call{Method: "any"}, answered))
		}
		if err := w.Quit(t.Context()); err != nil {
			t.Error(err)
		}
		want := map[string]int{
			"worker w is too busy: 4096 requests wait": 3,
			"worker w is ending":                       requestBacklog,
		}
		if !reflect.DeepEqual(refused, want) {
			t.Errorf("got %v; want %v", refused, want)
		}
	})
}
