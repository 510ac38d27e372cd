package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

var request = client.Request{Purpose: "video", Task: "t"}

// scheduled is a call under way.
func scheduled(ctx context.Context, c *client.Client) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := c.Schedule(ctx, request)
		done <- err
	}()
	return done
}

func TestUnansweredTriesAreRepeated(t *testing.T) {
	c, m := talking(t, client.Options{TryTimeout: 20 * time.Millisecond})
	m.on("schedule", silence, silence, data(placedOnW1))
	if err := <-scheduled(within(t), c); err != nil || m.count() < 3 {
		t.Errorf("got %v after %d calls; want an answer to the third", err, m.count())
	}
}

func TestCallerOutlivesTheManager(t *testing.T) {
	b, m := startBroker(t), newManager().on("schedule", silence, data(placedOnW1))
	managers := b.dial()
	first := m.serve(t, managers, client.DefaultCluster)
	c := client.New(b.dial(), client.Options{TryTimeout: 50 * time.Millisecond})
	done := scheduled(within(t), c)
	<-m.heard
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	m.serve(t, managers, client.DefaultCluster)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCallerOutlivesTheBroker(t *testing.T) {
	b, m := startBroker(t), newManager().on("schedule", silence, data(placedOnW1))
	m.serve(t, b.dial(), client.DefaultCluster)
	c := client.New(b.dial(), client.Options{TryTimeout: patience})
	done := scheduled(within(t), c)
	<-m.heard
	b.stop()
	b.start()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDeadlineTellsTheLastFailure(t *testing.T) {
	c := client.New(startBroker(t).dial(), client.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	err := <-scheduled(ctx, c)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, bus.ErrNoServer) {
		t.Errorf("got %v; want that the deadline passed, and that no manager is there", err)
	}
}

func TestTimeoutOfItsOwn(t *testing.T) {
	c, m := talking(t, client.Options{Timeout: 30 * time.Millisecond})
	m.on("schedule", silence)
	if err := <-scheduled(context.Background(), c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v; want that the deadline passed", err)
	}
}

func TestCancelEndsATry(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("schedule", silence)
	ctx, cancel := context.WithCancel(context.Background())
	done := scheduled(ctx, c)
	<-m.heard
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || m.count() != 1 {
		t.Errorf("got %v after %d calls; want the cancellation after one", err, m.count())
	}
}

func TestCancelEndsTheWaitBetweenTries(t *testing.T) {
	c, m := talking(t, client.Options{WaitReady: true})
	m.on("schedule", fail(muster.ReasonNotReady.Text))
	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	done := scheduled(ctx, c)
	for range 4 {
		<-m.heard
	}
	cancel(enough)
	err := <-done
	if !errors.Is(err, enough) && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want the cancellation", err)
	}
}

func TestWaitReady(t *testing.T) {
	c, m := talking(t, client.Options{WaitReady: true})
	notReady := fail(muster.ReasonNotReady.Text)
	m.on("schedule", notReady, notReady, data(placedOnW1))
	if err := <-scheduled(within(t), c); err != nil || m.count() != 3 {
		t.Errorf("got %v after %d calls; want an answer to the third", err, m.count())
	}
	impatient, m := talking(t, client.Options{})
	m.on("schedule", notReady)
	if err := <-scheduled(within(t), impatient); !errors.Is(err, client.ErrNotReady) || m.count() != 1 {
		t.Errorf("got %v after %d calls; want ErrNotReady at once", err, m.count())
	}
}

func TestClosedConnection(t *testing.T) {
	conn := startBroker(t).dial()
	c := client.New(conn, client.Options{})
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-scheduled(within(t), c); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("got %v; want bus.ErrClosed at once", err)
	}
}

// What is asked of a worker is sent once, whatever comes of it.
func TestWorkersAreAskedOnce(t *testing.T) {
	b, m := startBroker(t), newManager()
	m.on("work", data(`{"n":1}`), fail("Invalid task"), fail(muster.ReasonNoTask.Text), silence)
	m.serve(t, b.dial(), "w1")
	c := client.New(b.dial(), client.Options{Timeout: 50 * time.Millisecond})
	if got, err := c.Call(within(t), "w1", "work", "a", 1); string(got) != `{"n":1}` || err != nil || m.last() != `work "a" 1` {
		t.Errorf("got %s, %v for %s", got, err, m.last())
	}
	for range 2 {
		var remote *bus.RemoteError
		if _, err := c.Call(within(t), "w1", "work"); !errors.As(err, &remote) {
			t.Errorf("got %v; want the worker's own refusal", err)
		}
	}
	if _, err := c.Call(context.Background(), "w1", "work"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v; want that the deadline passed", err)
	}
	if m.count() != 4 {
		t.Errorf("sent %d times; want 4", m.count())
	}
	if _, err := c.Call(within(t), "w1", "nosuch"); !errors.Is(err, client.ErrUnsupported) {
		t.Errorf("got %v; want ErrUnsupported", err)
	}
	if _, err := c.Call(within(t), "w2", "work"); !errors.Is(err, bus.ErrNoServer) {
		t.Errorf("got %v; want bus.ErrNoServer", err)
	}
}

func TestWorkerCallIsNotRepeatedWhenTheBrokerGoes(t *testing.T) {
	b, m := startBroker(t), newManager().on("work", silence)
	m.serve(t, b.dial(), "w1")
	c := client.New(b.dial(), client.Options{})
	done := make(chan error, 1)
	go func() {
		_, err := c.Call(within(t), "w1", "work")
		done <- err
	}()
	<-m.heard
	b.stop()
	if err := <-done; !errors.Is(err, bus.ErrDisconnected) || m.count() != 1 {
		t.Errorf("got %v after %d calls; want bus.ErrDisconnected after one", err, m.count())
	}
}

func TestAnOverloadedManagerIsAskedAgain(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("schedule", refuse(muster.ReasonOverloaded), refuse(muster.ReasonOverloaded), data(placedOnW1))
	if err := <-scheduled(within(t), c); err != nil || m.count() != 3 {
		t.Errorf("got %v after %d calls; want an answer to the third", err, m.count())
	}
}

func TestAManagerThatStaysOverloadedIsNamed(t *testing.T) {
	c, m := talking(t, client.Options{Timeout: 200 * time.Millisecond})
	m.on("schedule", refuse(muster.ReasonOverloaded))
	err := <-scheduled(context.Background(), c)
	if !errors.Is(err, client.ErrOverloaded) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v; want that the deadline passed, and that the manager is overloaded", err)
	}
}

func TestWhatTheBrokerDoesNotTakeIsNotRepeated(t *testing.T) {
	c, m := talking(t, client.Options{})
	large := request
	large.Preference = strings.Repeat("x", 9<<20)
	_, err := c.Schedule(within(t), large)
	if !errors.Is(err, bus.ErrTooLarge) || errors.Is(err, context.DeadlineExceeded) || m.count() > 0 {
		t.Errorf("got %v after %d calls; want bus.ErrTooLarge at once", err, m.count())
	}
}
