package simtest

import (
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// released is a task that is on no worker any more, which must have a cause.
func (t *truth) released(k *link, key taskKey, by state.Op, e muster.TaskReleased) {
	if now := t.on[key]; now != e.Worker {
		t.sim.failf("%s is released by %s: it is on %q", key, e.Worker, now)
	}
	t.sim.logf("%d: %s is released by %s (%s)", k.index, key, e.Worker, e.Reason)
	if !isCause(by, e.Reason) {
		t.sim.failf("%s is released (%s) by a %T", key, e.Reason, by)
	}
	if until := t.until[key]; e.Reason == muster.ReleasedExpired && t.sim.now < until {
		t.sim.failf("%s expired: it was to be held until %s", key, millis(until))
	}
	t.move(key, "")
}

// isCause tells what may take a task from its worker.
func isCause(op state.Op, why muster.ReleaseReason) bool {
	switch op.(type) {
	case state.LayDownTask:
		return why == muster.ReleasedUnscheduled || why == muster.ReleasedDrained
	case state.Unschedule:
		return why == muster.ReleasedUnscheduled
	case state.Schedule, state.ScheduleMany:
		return why == muster.ReleasedDrained
	case state.Expire:
		return why == muster.ReleasedExpired
	case state.Quit, state.WorkerLost:
		return why == muster.ReleasedWorkerLeft
	case state.Join: // what the worker ran is laid down
		return why == muster.ReleasedUnscheduled
	}
	return false
}

// left is a worker that is gone, with all its tasks. What it says while that is
// being agreed on comes too late: silent is for how long it was when that began.
func (t *truth) left(k *link, silent time.Duration, e muster.WorkerLeft) {
	t.sim.logf("%d: %s left (%s)", k.index, e.Worker, e.Reason)
	for _, key := range t.tasks() {
		if t.on[key] == e.Worker {
			t.sim.failf("%s left, and still has %s", e.Worker, key)
		}
	}
	if e.Reason == muster.LeftLost && silent < leastSilence {
		t.sim.failf("%s is given up after a silence of %v: it has at least %v", e.Worker, silent, leastSilence)
	}
}

// leastSilence is how long a worker must have been silent before it is lost.
const leastSilence = (checkCount - 1) * checkInterval

// alive notes a keep-alive that was answered with yes.
func (t *truth) alive(l *letter, r bus.Reply) {
	if l.method == "keepAlive" && (string(r.Data) == `"ok"` || string(r.Data) == `"ok+load"`) {
		t.heard[arg(l, 0)] = max(t.heard[arg(l, 0)], l.sent)
	}
}

// unblocked is a queue that takes messages again: whatever silence there was does
// not count.
func (t *truth) unblocked() {
	for id := range t.heard {
		t.heard[id] = max(t.heard[id], t.sim.now)
	}
}

// proposes notes when a command is proposed, and, if it gives a worker up, how long
// that was silent. The time in which the queue takes no messages does not count.
func (t *truth) proposes(m *simManager, cmd state.Command) {
	t.proposed[cmd.Seed] = t.sim.now
	if op, ok := cmd.Op.(state.WorkerLost); ok {
		now := t.sim.now
		if m.unheard > 0 {
			now = m.unheard
		}
		t.silent[cmd.Seed] = now - t.heard[op.Worker]
	}
}
