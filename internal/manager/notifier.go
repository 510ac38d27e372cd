package manager

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/pause"
)

// maxNotices is how many notices may wait for the message queue. Beyond it the
// oldest are dropped.
const maxNotices = 1 << 16

// notifier publishes the departure of workers as OWT's programs expect it: in
// order, and each notice until the queue has taken it. Callers do not wait.
type notifier struct {
	conn   bus.Conn
	log    *slog.Logger
	failed prometheus.Counter
	wake   mailbox.Signal // a notice waits

	mu      sync.Mutex
	waiting []muster.WorkerLeft
}

func newNotifier(conn bus.Conn, log *slog.Logger, failed prometheus.Counter) *notifier {
	return &notifier{conn: conn, log: log, failed: failed, wake: mailbox.NewSignal()}
}

// enqueue queues a notice for delivery.
func (n *notifier) enqueue(e muster.WorkerLeft) {
	n.mu.Lock()
	if len(n.waiting) >= maxNotices {
		n.waiting = n.waiting[1:]
	}
	n.waiting = append(n.waiting, e)
	n.mu.Unlock()
	n.wake.Raise()
}

func (n *notifier) take() []muster.WorkerLeft {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.waiting
	n.waiting = nil
	return out
}

// run publishes notices until ctx ends.
func (n *notifier) run(ctx context.Context) {
	n.wake.Follow(ctx, func() { n.publish(ctx) })
}

// close tries once more to publish the notices that wait.
func (n *notifier) close() {
	ctx, cancel := context.WithTimeout(context.Background(), noticeTime)
	defer cancel()
	n.publish(ctx)
}

// publish sends the notices that wait, until ctx ends.
func (n *notifier) publish(ctx context.Context) {
	for _, e := range n.take() {
		for first := true; !n.publishOne(ctx, e, first); first = false {
			if !pause.For(ctx, againAfter) {
				return
			}
		}
	}
}

func (n *notifier) publishOne(ctx context.Context, e muster.WorkerLeft, first bool) bool {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	exit := bus.Exit{Reason: "quit", Message: bus.ExitMessage{Purpose: e.Purpose, ID: e.Worker, Type: "worker"}}
	err := bus.PublishExit(ctx, n.conn, exit)
	if err == nil {
		return true
	}
	n.failed.Inc()
	if first {
		n.log.Warn("departure of worker not published, retrying", "worker", e.Worker, "err", err)
	}
	return false
}
