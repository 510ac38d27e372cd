package natsbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/nats-io/nats.go"
)

// TestForeignServerAnswersTwice: the second answer comes when the next call
// has the same reply subject already.
func TestForeignServerAnswersTwice(t *testing.T) {
	b := newBroker(t)
	c := dialT(t, b.options())
	defer c.Close()
	nc, err := nats.Connect(b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var before *nats.Msg
	respond := func(m *nats.Msg, body string) {
		if err := m.Respond([]byte(body)); err != nil {
			t.Error(err)
		}
	}
	_, err = nc.Subscribe(mustSubject(t, "s"), func(m *nats.Msg) {
		call, _ := bus.ParseCall(m.Data)
		if before != nil {
			if before.Reply != m.Reply {
				t.Errorf("the slot was not used again: %s, then %s", before.Reply, m.Reply)
			}
			old, _ := bus.ParseCall(before.Data)
			for _, kind := range []string{"onStatus", "callback"} {
				respond(before, fmt.Sprintf(`{"data":"second","corrID":%s,"type":"%s"}`, old.CorrID, kind))
			}
			for _, nonsense := range []string{``, `{`, `{"data":1}`, `{"data":1,"corrID":0}`, `{"data":1,"corrID":"x"}`} {
				respond(before, nonsense)
			}
		}
		before = m
		respond(m, fmt.Sprintf(`{"data":%s,"corrID":%s,"type":"callback"}`, call.Args[0], call.CorrID))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if raw, err := c.Call(within(t), "s", "x", i); err != nil || string(raw) != fmt.Sprint(i) {
			t.Fatalf("call %d was answered %s, %v", i, raw, err)
		}
	}
}

// TestSlotOfAnUnansweredCall is not used again: its answer may still come.
func TestSlotOfAnUnansweredCall(t *testing.T) {
	c := newCalls("p.")
	first, _ := c.begin(1, "", nil)
	slot := first.slot
	if !c.abandon(first) {
		t.Fatal("nothing else ended it")
	}
	second, _ := c.begin(1, "", nil)
	if second.slot == slot {
		t.Error("the slot was used again")
	}
	answered := second.slot
	c.finish(second.slot, second.number, result{})
	<-second.done
	if third, _ := c.begin(1, "", nil); third.slot != answered {
		t.Error("the slot of an answered call was not used again")
	}
}

// TestCallsOfALaterSocket outlive the loss of an earlier one.
func TestCallsOfALaterSocket(t *testing.T) {
	c := newCalls("p.")
	early, _ := c.begin(1, "", nil)
	late, _ := c.begin(2, "", nil)
	c.fail(1, bus.ErrDisconnected)
	if r := <-early.done; !errors.Is(r.err, bus.ErrDisconnected) {
		t.Errorf("the early call: %v", r.err)
	}
	if len(late.done) != 0 {
		t.Error("the late call ended, too")
	}
	c.close(bus.ErrClosed)
	if r := <-late.done; !errors.Is(r.err, bus.ErrClosed) {
		t.Errorf("the late call: %v", r.err)
	}
	if _, err := c.begin(3, "", nil); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("a call after the end: %v", err)
	}
}

// lines is a log, a record at a time.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// TestPasswordChangedForAWhile: a broker that refuses for a while is tried
// again and again, as one that is gone.
func TestPasswordChangedForAWhile(t *testing.T) {
	addr := freePort(t)
	s := startT(t, natsserver.Options{Listen: addr, User: "me", Password: "right"})
	log := make(lines, 1000)
	c := dialT(t, bus.Options{URL: "nats://me:right@" + addr, Logger: slog.New(slog.NewTextHandler(log, nil))})
	defer c.Close()
	s.Close()
	refusals := make(lines, 1000)
	s = startT(t, natsserver.Options{Listen: addr, User: "me", Password: "other", Logger: slog.New(slog.NewTextHandler(refusals, nil))})
	for range 4 {
		awaitLine(t, refusals, "authentication error")
	}
	s.Close()
	s = startT(t, natsserver.Options{Listen: addr, User: "me", Password: "right"})
	defer s.Close()
	awaitLine(t, log, "connected again")
	roundTrip(t, c)
}

func awaitLine(t testing.TB, log lines, part string) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for {
		select {
		case line := <-log:
			if strings.Contains(line, part) {
				return
			}
		case <-ctx.Done():
			t.Fatalf("nothing was logged about %q", part)
		}
	}
}
