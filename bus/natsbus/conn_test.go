package natsbus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"go.uber.org/goleak"
)

func (b *broker) options() bus.Options { return bus.Options{URL: b.url} }

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// journal is a log that a test can read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// freePort is a free port.
func freePort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDialRefused(t *testing.T) {
	before := goleak.IgnoreCurrent()
	addr := freePort(t)
	_, err := Dial(within(t), bus.Options{URL: "nats://me:SECRET@" + addr})
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "running") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error holds the password: %v", err)
	}
	goleak.VerifyNone(t, before)
}

// TestDialSilentServer: what accepts and says nothing must not hold Dial up
// beyond its context.
func TestDialSilentServer(t *testing.T) {
	before := goleak.IgnoreCurrent()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(within(t))
	accepted := make(chan net.Conn, 9)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			cancel()
			accepted <- c
		}
	}()
	if _, err := Dial(ctx, bus.Options{URL: "nats://" + l.Addr().String()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	l.Close()
	for c := range accepted {
		c.Close()
	}
	goleak.VerifyNone(t, before)
}

func TestDialBadURL(t *testing.T) {
	for _, url := range []string{
		"", "SECRET", "amqp://u:SECRET@h", "nats://u:SEC RET@h", "nats://u:%zzSECRET@h", "nats://", "nats://h/SECRET", "nats://h?x=SECRET",
		"nats://u:1#SECRET@h", "nats://h,u:SECRET@h2", "nats://u:SECRET@h:port",
	} {
		_, err := Dial(within(t), bus.Options{URL: url})
		if err == nil || !strings.Contains(err.Error(), "URL number") || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		o    bus.Options
		want address
	}{
		{bus.Options{URL: "nats://h"}, address{urls: []string{"nats://h:4222"}}},
		{bus.Options{URL: "nats://u:p%40@h1:1, tls://h2/"}, address{urls: []string{"nats://h1:1", "tls://h2:4222"}, user: "u", password: "p@", tls: true}},
		{bus.Options{URL: "nats://token@[::1]"}, address{urls: []string{"nats://[::1]:4222"}, token: "token"}},
		{bus.Options{URL: "nats://token@h", User: "u", Password: "p"}, address{urls: []string{"nats://h:4222"}, user: "u", password: "p"}},
		{bus.Options{URL: "nats://a:b@h", User: "u"}, address{urls: []string{"nats://h:4222"}, user: "u"}},
	} {
		got, err := parseAddress(c.o)
		if err != nil || got.String() != c.want.String() || got.user != c.want.user || got.password != c.want.password || got.token != c.want.token || got.tls != c.want.tls {
			t.Errorf("%+v: %+v, %v", c.o, got, err)
		}
	}
}

func TestPause(t *testing.T) {
	for rounds, most := range map[int]time.Duration{
		0: firstPause, 1: firstPause, 2: 2 * firstPause, 3: 4 * firstPause, 6: longPause, 1 << 40: longPause,
	} {
		for range 100 {
			if d := backoff(rounds); d > most || d < most/2 {
				t.Fatalf("after %d rounds %v, want %v to %v", rounds, d, most/2, most)
			}
		}
	}
}

// TestLargerThanTheBrokerTakes: nothing is lost but the message itself.
func TestLargerThanTheBrokerTakes(t *testing.T) {
	c := dialT(t, newBroker(t).options())
	defer c.Close()
	text := strings.Repeat("x", natsserver.MaxPayload)
	serveT(t, c, "s", func(r *bus.Request) {
		if r.Method == "large" {
			r.Reply(text)
			return
		}
		r.Reply(len(r.Args))
	})
	if _, err := c.Call(within(t), "s", "x", text); err == nil || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("a large call: %v", err)
	}
	if err := c.Publish(within(t), "t", "k", text); err == nil || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("a large notice: %v", err)
	}
	var refusal *bus.RemoteError
	if _, err := c.Call(within(t), "s", "large"); !errors.As(err, &refusal) || !strings.Contains(refusal.Reason, "more than the broker takes") {
		t.Errorf("a large answer: %v", err)
	}
	if raw, err := c.Call(within(t), "s", "x", text[:natsserver.MaxPayload-1000]); err != nil || string(raw) != "1" {
		t.Errorf("nearly too large: %s, %v", raw, err)
	}
}

func serveT(t testing.TB, c *Conn, name string, h bus.Handler) {
	t.Helper()
	if _, err := c.Serve(within(t), name, h); err != nil {
		t.Fatal(err)
	}
}

// TestNoServerAtOnce: long before the deadline.
func TestNoServerAtOnce(t *testing.T) {
	c := dialT(t, newBroker(t).options())
	defer c.Close()
	for range 3 {
		if _, err := c.Call(within(t), "nobody", "x"); !errors.Is(err, bus.ErrNoServer) {
			t.Fatalf("got %v", err)
		}
	}
}

// TestFrozenBroker: a frozen broker delays no caller beyond the
// deadline, however much is waiting to leave.
func TestFrozenBroker(t *testing.T) {
	b := newBroker(t)
	c := dialT(t, b.options())
	serveT(t, c, "s", func(r *bus.Request) { r.Reply(nil) })
	signal(t, b, syscall.SIGSTOP)
	text := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := c.Call(ctx, "s", "x", text); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Call: %v", err)
			}
			until, _ := ctx.Deadline()
			if _, err := c.CallUntil(context.Background(), until, "s", "x", text); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("CallUntil: %v", err)
			}
			if err := c.Publish(ctx, "t", "k", text); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Publish: %v", err)
			}
		})
	}
	wg.Wait()
	publishUntilFull(t, c, text)
	signal(t, b, syscall.SIGCONT)
	for raw, err := c.Call(within(t), "s", "x"); err != nil; raw, err = c.Call(within(t), "s", "x") {
		if !errors.Is(err, bus.ErrDisconnected) && !errors.Is(err, bus.ErrNoServer) {
			t.Fatalf("after the thaw: %s, %v", raw, err)
		}
	}
	c.Close()
}

// publishUntilFull: what cannot leave is not kept without limit.
func publishUntilFull(t testing.TB, c *Conn, megabyte json.RawMessage) {
	const most = 32 // megabytes: two batches, and what the system's buffers hold
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	for n := 0; c.Publish(ctx, "t", "k", megabyte) == nil; n++ {
		if n > most {
			t.Fatalf("%d MB were kept for a broker that stands still", n)
		}
	}
}

func signal(t testing.TB, b *broker, s syscall.Signal) {
	if err := b.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestServerShutDownInOrder: a broker that takes its leave is one that comes
// back.
func TestServerShutDownInOrder(t *testing.T) {
	before := goleak.IgnoreCurrent()
	addr := freePort(t)
	s := startT(t, natsserver.Options{Listen: addr})
	c := dialT(t, bus.Options{URL: s.URL()})
	status := make(chan bus.Status, 10)
	c.Watch(func(s bus.Status) { status <- s })
	<-status
	s.Close()
	if st := <-status; st.Connected || !errors.Is(st.Err, bus.ErrDisconnected) {
		t.Errorf("status %v", st)
	}
	s = startT(t, natsserver.Options{Listen: addr})
	if st := <-status; !st.Connected {
		t.Errorf("status %v", st)
	}
	c.Close()
	s.Close()
	goleak.VerifyNone(t, before)
}

func startT(t testing.TB, o natsserver.Options) *natsserver.Server {
	t.Helper()
	s, err := natsserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
