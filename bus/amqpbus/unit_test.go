package amqpbus

import (
	"bytes"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

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
