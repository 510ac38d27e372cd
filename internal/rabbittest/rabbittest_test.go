package rabbittest_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/internal/rabbittest"
)

func TestBrokerLivesAndDies(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, err := rabbittest.Launch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	connect(t, b)
	if err := b.Restart(t.Context()); err == nil {
		t.Error("a running broker was started again")
	}
	b.Kill()
	if c, err := amqp.Dial(b.URL()); err == nil {
		c.Close()
		t.Fatal("the broker lives on after Kill")
	}
	if err := b.Freeze(); err == nil {
		t.Error("a broker that is not running was frozen")
	}
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	connect(t, b)
}

func connect(t *testing.T, b *rabbittest.Broker) {
	t.Helper()
	plain, err := amqp.Dial(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	plain.Close()
	secure, err := amqp.DialTLS(b.TLSURL(), b.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	secure.Close()
	stranger := b.ClientTLS()
	stranger.Certificates = nil
	if c, err := amqp.DialTLS(b.TLSURL(), stranger); err == nil {
		c.Close()
		t.Error("a client without a certificate was let in")
	}
}

func TestLaunchFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "home"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rabbittest.Launch(t.Context(), dir); err == nil {
		t.Error("a broker was started without a home")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rabbittest.Launch(ctx, t.TempDir()); err == nil {
		t.Error("a start outlived its context")
	}
}
