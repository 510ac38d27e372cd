package asyncconn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-fleet/muster/bus/internal/asyncconn"
)

const linger = 250 * time.Millisecond

// TestGathers: a lone message leaves by itself, and what comes while
// one write is under way leaves in the next, in order.
func TestGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		w := asyncconn.New(near, 0)
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
		if n := w.Unsent(); n != 0 {
			t.Errorf("%d bytes are unsent", n)
		}
		w.CloseWithin(linger)
		far.Close()
	})
}

func write(t *testing.T, w *asyncconn.Conn, s string) {
	t.Helper()
	if n, err := w.Write([]byte(s)); err != nil || n != len(s) {
		t.Fatalf("Write: %d, %v", n, err)
	}
}

func TestKeepsOrder(t *testing.T) {
	near, far := net.Pipe()
	w := asyncconn.New(near, 0)
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
	w.CloseWithin(linger)
	far.Close()
}

func TestWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		w := asyncconn.New(near, 0)
		if err := w.Room(t.Context()); err != nil {
			t.Fatal(err)
		}
		write(t, w, string(make([]byte, asyncconn.SoftLimit)))
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Room(brief); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		free := make(chan error)
		go func() { free <- w.Room(t.Context()) }()
		if _, err := io.ReadFull(far, make([]byte, asyncconn.SoftLimit)); err != nil {
			t.Fatal(err)
		}
		if err := <-free; err != nil {
			t.Error(err)
		}
		w.CloseWithin(linger)
		far.Close()
	})
}

// TestEnds: what is unsent leaves before CloseWithin returns if the other
// side reads, and a side that does not read cannot hold it up.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		w := asyncconn.New(near, 0)
		write(t, w, "last words")
		go w.CloseWithin(linger)
		if got, err := io.ReadAll(far); err != nil || string(got) != "last words" {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("a write after CloseWithin succeeded")
		}

		near, far = net.Pipe()
		w = asyncconn.New(near, 0)
		write(t, w, "no reader")
		w.CloseWithin(linger)
		if err := w.Room(t.Context()); err != nil {
			t.Error(err)
		}
		far.Close()
	})
}

func TestBrokenConnection(t *testing.T) {
	near, far := net.Pipe()
	far.Close()
	w := asyncconn.New(near, 0)
	write(t, w, "x")
	<-w.Gone()
	if _, err := w.Write([]byte("y")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want what broke the connection", err)
	}
	w.CloseWithin(linger)
}

// TestCloseAtOnce: unsent bytes do not delay Close, and it wakes callers of Room.
func TestCloseAtOnce(t *testing.T) {
	near, far := net.Pipe() // which is not read
	defer far.Close()
	w := asyncconn.New(near, 0)
	write(t, w, string(make([]byte, asyncconn.SoftLimit)))
	free := make(chan error)
	go func() { free <- w.Room(t.Context()) }()
	w.Close()
	if err := <-free; err != nil {
		t.Error(err)
	}
	<-w.Gone()
	if _, err := w.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
}

// TestStall: a write that the other side does not take breaks the connection.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		w := asyncconn.New(near, time.Second)
		write(t, w, "no reader")
		begin := time.Now()
		<-w.Gone()
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it broke after %v", took)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("a write to a broken connection succeeded")
		}
	})
}
