package manager

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// maxNotices is how many notices may wait for the message queue; the oldest
// make room.
const maxNotices = 1 << 16

// herald tells that workers are gone, as OWT's programs expect it, in order,
// each until the queue has taken it. Nobody waits for it.
type herald struct {
	conn   bus.Conn
	log    *slog.Logger
	failed prometheus.Counter
	wake   chan struct{} // has a token when something is to be told

	mu      sync.Mutex
	waiting []muster.WorkerLeft
}

func newHerald(conn bus.Conn, log *slog.Logger, failed prometheus.Counter) *herald {
	return &herald{conn: conn, log: log, failed: failed, wake: make(chan struct{}, 1)}
}

// tell has a notice told some time.
func (h *herald) tell(e muster.WorkerLeft) {
	h.mu.Lock()
	if len(h.waiting) >= maxNotices {
		h.waiting = h.waiting[1:]
	}
	h.waiting = append(h.waiting, e)
	h.mu.Unlock()
	token(h.wake)
}

func (h *herald) take() []muster.WorkerLeft {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.waiting
	h.waiting = nil
	return out
}

// run tells until ctx is over.
func (h *herald) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		}
		h.publish(ctx)
	}
}

// close tries once more to tell what waits.
func (h *herald) close() {
	ctx, cancel := context.WithTimeout(context.Background(), noticeTime)
	defer cancel()
	h.publish(ctx)
}

// publish tells what waits, as long as ctx is.
func (h *herald) publish(ctx context.Context) {
	for _, e := range h.take() {
		for first := true; !h.publishOne(ctx, e, first); first = false {
			if !pause(ctx, againAfter) {
				return
			}
		}
	}
}

func (h *herald) publishOne(ctx context.Context, e muster.WorkerLeft, first bool) bool {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	exit := bus.Exit{Reason: "quit", Message: bus.ExitMessage{Purpose: e.Purpose, ID: e.Worker, Type: "worker"}}
	err := bus.PublishExit(ctx, h.conn, exit)
	if err == nil {
		return true
	}
	h.failed.Inc()
	if first {
		h.log.Warn("nobody was told yet that the worker left", "worker", e.Worker, "err", err)
	}
	return false
}

// pause waits, and reports whether ctx lasted that long.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
