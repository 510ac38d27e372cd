package amqpbus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-fleet/muster/bus"
)

// TestCoalescerGathers: a lone message leaves by itself, and what comes while
// one write is under way leaves in the next, in order.
func TestCoalescerGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		w := newCoalescer(near)
		write(t, w, "lone")
		synctest.Wait()
		write(t, w, "a")
		write(t, w, "b")
		write(t, w, "c")
		for _, want := range []string{"lone", "abc"} {
			buf := make([]byte, 100)
			n, err := far.Read(buf)
			if err != nil || string(buf[:n]) != want {
				t.Errorf("one write was %q, %v; want %q", buf[:n], err, want)
			}
		}
		synctest.Wait()
		if n := w.unsent(); n != 0 {
			t.Errorf("%d bytes are unsent", n)
		}
		w.Close()
		far.Close()
	})
}

func write(t *testing.T, w *coalescer, s string) {
	t.Helper()
	if n, err := w.Write([]byte(s)); err != nil || n != len(s) {
		t.Fatalf("Write: %d, %v", n, err)
	}
}

func TestCoalescerKeepsOrder(t *testing.T) {
	near, far := net.Pipe()
	w := newCoalescer(near)
	const senders, each = 4, 1000
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				write(t, w, string([]byte{byte(s), byte(i >> 8), byte(i)}))
			}
		})
	}
	var next [senders]int
	buf := make([]byte, 3)
	for range senders * each {
		if _, err := io.ReadFull(far, buf); err != nil {
			t.Fatal(err)
		}
		if i := int(buf[1])<<8 | int(buf[2]); i != next[buf[0]] {
			t.Fatalf("sender %d: message %d came where %d was due", buf[0], i, next[buf[0]])
		}
		next[buf[0]]++
	}
	wg.Wait()
	w.Close()
	far.Close()
}

func TestCoalescerWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		w := newCoalescer(near)
		if err := w.room(t.Context()); err != nil {
			t.Fatal(err)
		}
		write(t, w, string(make([]byte, softLimit)))
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.room(brief); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		free := make(chan error)
		go func() { free <- w.room(t.Context()) }()
		if _, err := io.ReadFull(far, make([]byte, softLimit)); err != nil {
			t.Fatal(err)
		}
		if err := <-free; err != nil {
			t.Error(err)
		}
		w.Close()
		far.Close()
	})
}

// TestCoalescerEnds: what is unsent leaves before Close returns if the other
// side reads, and a side that does not read cannot hold Close up.
func TestCoalescerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		w := newCoalescer(near)
		write(t, w, "last words")
		go w.Close()
		if got, err := io.ReadAll(far); err != nil || string(got) != "last words" {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("a write after Close succeeded")
		}

		near, far = net.Pipe()
		w = newCoalescer(near)
		write(t, w, "no reader")
		w.Close()
		if err := w.room(t.Context()); err != nil {
			t.Error(err)
		}
		far.Close()
	})
}

func TestCoalescerTellsOfBrokenConnections(t *testing.T) {
	near, far := net.Pipe()
	far.Close()
	w := newCoalescer(near)
	write(t, w, "x")
	<-w.gone
	if _, err := w.Write([]byte("y")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want what broke the connection", err)
	}
	w.Close()
}

func TestBackoff(t *testing.T) {
	var low, high backoff
	want := []time.Duration{50, 100, 200, 400, 800, 1000, 1000}
	for i, ms := range want {
		d := ms * time.Millisecond
		if got := low.next(0); got != d/2 {
			t.Errorf("pause %d is at least %v, want %v", i, got, d/2)
		}
		if got := high.next(0.999); got > d || got < d*9/10 {
			t.Errorf("pause %d is at most %v, want almost %v", i, got, d)
		}
	}
	high.attempts = 1 << 30
	if got := high.next(0.5); got != lastPause*3/4 {
		t.Errorf("much later the pause is %v", got)
	}
}

func TestBackoffGivesUp(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	b := backoff{attempts: 30}
	if b.wait(closed, nil) || b.wait(nil, closed) {
		t.Error("it did not give up")
	}
	synctest.Test(t, func(t *testing.T) {
		if !b.wait(nil, make(chan struct{})) {
			t.Error("it gave up")
		}
	})
}

func TestInbox(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var got []string
	b := newInbox(2, func(l item) {
		if l.key == "first" {
			close(entered)
			<-leave
		}
		got = append(got, l.key)
	})
	b.put(item{key: "first"})
	<-entered
	for i, want := range []bool{true, true, false} {
		if b.put(item{key: "more", body: []byte("x")}) != want {
			t.Errorf("message %d: want %v", i, want)
		}
	}
	close(leave)
	b.close()
	if !slices.Equal(got, []string{"first", "more", "more"}) {
		t.Errorf("handled %q", got)
	}
}

// TestInboxBytes: an empty inbox takes a message of any length; one with
// something in it takes what fits.
func TestInboxBytes(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var handled int
	b := newInbox(10, func(item) {
		if handled++; handled == 1 {
			close(entered)
			<-leave
		}
	})
	b.put(item{})
	<-entered
	huge := bytes.Repeat([]byte("x"), inboxBytes+1)
	if !b.put(item{body: huge}) {
		t.Error("a long message was refused by an empty inbox")
	}
	if b.put(item{body: []byte("y")}) {
		t.Error("a full inbox took more")
	}
	go func() {
		for !b.skip.Load() {
			runtime.Gosched()
		}
		close(leave)
	}()
	b.abandon()
	if handled != 1 {
		t.Errorf("%d were handled after abandon", handled-1)
	}
	if n := b.bytes.Load(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}

func TestWatchersHearChangesOnly(t *testing.T) {
	var w watchers
	var got []string
	w.set(bus.Status{Connected: true})
	stop := w.add(func(s bus.Status) { got = append(got, s.String()) })
	w.set(bus.Status{Connected: true})
	w.set(bus.Status{Err: bus.ErrDisconnected})
	w.set(bus.Status{Err: bus.ErrDisconnected})
	w.set(bus.Status{Connected: true})
	stop()
	w.set(bus.Status{Err: bus.ErrClosed})
	want := []string{"connected", "not connected: " + bus.ErrDisconnected.Error(), "connected"}
	if !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}
