package main

import (
	"context"
	"strings"
	"testing"
)

// refusedBy runs `muster workers` with more environment, and returns its error.
func refusedBy(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := command(append([]string{"workers"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil {
		t.Fatalf("muster workers %q %q succeeded", env, args)
	}
	return stderr.String()
}

// A wrong password is named, with where it came from: RabbitMQ takes 3 s to
// refuse one, which is longer than a caller waits otherwise.
func TestWrongPasswordOfRabbitMQ(t *testing.T) {
	b := rabbit.Broker(t)
	out := refusedBy(t, []string{"MUSTER_BUS_URL=amqp://" + b.Addr(), "MUSTER_BUS_PASSWORD=SECRET"})
	contains(t, out, "wrong user or password", "bus.url from environment MUSTER_BUS_URL", "bus.password from environment MUSTER_BUS_PASSWORD")
	if strings.Contains(out, "SECRET") || strings.Contains(out, "start RabbitMQ") {
		t.Errorf("misleading: %s", out)
	}
	unused := refusedBy(t, nil, "--url", "amqp://127.0.0.1:1")
	contains(t, unused, "nothing answers", "start RabbitMQ", "--url")
}

// A broker that takes no messages is named as such, and not the manager.
func TestBlockedBrokerIsNamed(t *testing.T) {
	b := rabbit.Broker(t)
	beginManager(t, "--url", b.URL())
	t.Cleanup(func() {
		if err := b.Ctl(context.Background(), "set_vm_memory_high_watermark", "0.6"); err != nil {
			t.Error(err)
		}
	})
	if err := b.Ctl(context.Background(), "set_vm_memory_high_watermark", "0"); err != nil {
		t.Fatal(err)
	}
	contains(t, refusedBy(t, nil, "--url", b.URL()), "is blocked (memory or disk alarm)")
}
