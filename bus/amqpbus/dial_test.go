package amqpbus_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
)

const secret = "s3cr3t"

// TestDialFails: at once, with a reason, and never with the password.
func TestDialFails(t *testing.T) {
	b := shared.Broker(t)
	addr := b.Addr()
	tlsURL := strings.Replace(b.TLSURL(), "guest:guest@", "", 1)
	unused := "127.0.0.1:1"
	stranger := b.ClientTLS()
	stranger.Certificates = nil
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after all of them
	for name, c := range map[string]struct {
		o    bus.Options
		want string
	}{
		"wrong password":          {bus.Options{URL: "amqp://guest:" + secret + "@" + addr}, "refuses this user: wrong user or password"},
		"wrong password beside":   {bus.Options{URL: "amqp://" + addr, User: "guest", Password: secret}, "refuses this user: wrong user or password"},
		"no such vhost":           {bus.Options{URL: "amqp://" + addr + "/nowhere"}, "vhost"},
		"nothing listens":         {bus.Options{URL: "amqp://guest:" + secret + "@" + unused}, "connection refused"},
		"unreadable port":         {bus.Options{URL: "amqp://guest:" + secret + "@" + addr + "x"}, "cannot be read"},
		"slash in password":       {bus.Options{URL: "amqp://guest:" + secret + "/x@" + addr}, "%-escapes"},
		"control character":       {bus.Options{URL: "amqp://guest:" + secret + "\x7f@" + addr}, "cannot be read"},
		"other scheme":            {bus.Options{URL: "nats://guest:" + secret + "@" + addr}, "amqp://"},
		"no scheme":               {bus.Options{URL: addr}, "cannot be read"},
		"empty":                   {bus.Options{}, "cannot be read"},
		"one of two unreadable":   {bus.Options{URL: b.URL() + ",guest:" + secret + "@host"}, "cannot be read"},
		"all of two":              {bus.Options{URL: "amqp://" + unused + ", amqp://guest:" + secret + "@" + addr}, "refuses this user"},
		"TLS where there is none": {bus.Options{URL: "amqps://guest:" + secret + "@" + addr}, "tls"},
		"unknown authority":       {bus.Options{URL: tlsURL, Password: secret, TLS: &tls.Config{RootCAs: x509.NewCertPool()}}, "certificate"},
		"no certificate":          {bus.Options{URL: tlsURL, TLS: stranger}, "certificate"},
		"other host name":         {bus.Options{URL: tlsURL, TLS: named(b.ClientTLS(), "example.org")}, "example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // RabbitMQ takes its time to refuse a password
			var log logged
			c.o.Logger = slog.New(&log)
			conn, err := amqpbus.Dial(within(t), c.o)
			if err == nil {
				conn.Close()
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q lacks %q", err, c.want)
			}
			if strings.Contains(err.Error()+log.String(), secret) {
				t.Errorf("the password is in %q or in the log %q", err, log.String())
			}
		})
	}
}

func named(c *tls.Config, name string) *tls.Config {
	c.ServerName = name
	return c
}

func TestDialRefusedIsToldApart(t *testing.T) {
	_, err := amqpbus.Dial(within(t), bus.Options{URL: "amqp://127.0.0.1:1"})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// TestDialEndsWithItsContext: with a server that accepts and is silent.
func TestDialEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var accepted sync.WaitGroup
	accepted.Go(func() {
		conn, err := l.Accept()
		cancel()
		if err == nil {
			_, _ = io.Copy(io.Discard, conn) // until the other side closes it
			conn.Close()
		}
	})
	_, err = amqpbus.Dial(ctx, bus.Options{URL: "amqp://guest:" + secret + "@" + l.Addr().String()})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	accepted.Wait()
}

func TestDialTriesEachServer(t *testing.T) {
	b := shared.Broker(t)
	c := dialWith(t, bus.Options{URL: "amqp://127.0.0.1:1, " + b.URL(), Name: "second"})
	serve(t, c, "each", echo)
	wantEcho(t, c, "each", "x")
}

func TestUserOfOptionsComesFirst(t *testing.T) {
	b := shared.Broker(t)
	dialWith(t, bus.Options{URL: "amqp://other:wrong@" + b.Addr(), User: "guest", Password: "guest"})
	dialWith(t, bus.Options{URL: "amqp://" + b.Addr()})
	dialWith(t, bus.Options{URL: "amqp://guest:wrong@" + b.Addr() + "/%2F", Password: "guest"})
}

func TestTLS(t *testing.T) {
	b := shared.Broker(t)
	config := b.ClientTLS()
	o := bus.Options{URL: b.TLSURL(), TLS: config}
	serve(t, dialWith(t, o), "secure", echo)
	c := dialWith(t, o)
	wantEcho(t, c, "secure", "x")
	wantEcho(t, c, "secure", strings.Repeat("0123456789", 100_000))
	if config.ServerName != "" {
		t.Error("the caller's TLS configuration was changed")
	}
}

// logged is a log that a test can look into, and wait for.
type logged struct {
	mu    sync.Mutex
	text  strings.Builder
	waits map[string]chan struct{}
}

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }
func (l *logged) WithGroup(string) slog.Handler            { return l }
func (l *logged) WithAttrs([]slog.Attr) slog.Handler       { return l }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		l.text.WriteString(" " + a.String())
		return true
	})
	l.text.WriteString("\n")
	for part, ch := range l.waits {
		if strings.Contains(r.Message, part) {
			close(ch)
			delete(l.waits, part)
		}
	}
	return nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// next returns what is closed when a message with that part is logged.
func (l *logged) next(part string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits == nil {
		l.waits = map[string]chan struct{}{}
	}
	ch := make(chan struct{})
	l.waits[part] = ch
	return ch
}
