package systemtest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

// queue is a message queue in a process of its own.
type queue interface {
	URL() string
	Kill()
	// Restart returns when it accepts connections again.
	Restart(ctx context.Context) error
}

// onQueues runs a test on each kind of queue, on both at once: each has managers of
// its own, and mostly waits.
func onQueues(t *testing.T, test func(t *testing.T, q queue)) {
	t.Run("nats", func(t *testing.T) {
		t.Parallel()
		test(t, startNATS(t))
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		test(t, rabbit.Broker(t))
	})
}

// onQueuesInTurn is onQueues for tests that use a processor all the time, and that
// say when things happen.
func onQueuesInTurn(t *testing.T, test func(t *testing.T, q queue)) {
	t.Run("nats", func(t *testing.T) { test(t, startNATS(t)) })
	t.Run("rabbitmq", func(t *testing.T) { test(t, rabbit.Broker(t)) })
}

// natsProcess is this program as a NATS server.
type natsProcess struct {
	crew    *cluster.Crew
	addr    string
	process *cluster.Process
}

func startNATS(t *testing.T) *natsProcess {
	t.Helper()
	addr, err := cluster.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	n := &natsProcess{crew: cluster.NewCrew(), addr: addr}
	t.Cleanup(n.crew.Close)
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *natsProcess) URL() string { return "nats://" + n.addr }

func (n *natsProcess) Kill() { n.process.Kill() }

func (n *natsProcess) Restart(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), natsVariable+"="+n.addr)
	cmd.Stderr = os.Stderr
	if n.process, err = n.crew.Start(cmd); err != nil {
		return err
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := connect.Open(ctx, bus.Options{URL: n.URL()})
		if err == nil {
			return conn.Close()
		}
		select {
		case <-again.C:
		case <-n.process.Gone:
			return err
		case <-ctx.Done():
			return err
		}
	}
}
