package manager

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/pause"
)

// maxNotices is how many notices may wait for the message queue. More are dropped.
const maxNotices = 1 << 16

// notifier publishes the departure of workers as OWT's programs expect it: in
// order, and each notice until the queue has taken it. Callers do not wait.
type notifier struct {
	conn    bus.Conn
	log     *slog.Logger
	failed  prometheus.Counter
	waiting *mailbox.Box[muster.WorkerLeft]
}

func newNotifier(conn bus.Conn, log *slog.Logger, failed prometheus.Counter) *notifier {
	return &notifier{conn: conn, log: log, failed: failed, waiting: mailbox.Bounded[muster.WorkerLeft](maxNotices)}
}

// enqueue queues a notice for delivery.
func (n *notifier) enqueue(e muster.WorkerLeft) { n.waiting.Put(e) }

// run publishes notices until ctx ends.
func (n *notifier) run(ctx context.Context) {
	n.waiting.Ready().Follow(ctx, func() { n.publish(ctx) })
}

// close tries once more to publish the notices that wait.
func (n *notifier) close() {
	ctx, cancel := context.WithTimeout(context.Background(), noticeTime)
	defer cancel()
	n.publish(ctx)
}

// publish sends the notices that wait, until ctx ends.
func (n *notifier) publish(ctx context.Context) {
	for _, e := range n.waiting.Take() {
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
