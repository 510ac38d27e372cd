package owt

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// errUnknown is the error of an update about something that this copy does not
// have, because it missed an earlier update.
var errUnknown = errors.New("update refers to something unknown here")

// update applies an event of another manager. Its error wraps errUnknown or
// errBounds, or says what is wrong with the update.
func (l *ledger) update(at muster.Instant, e event) error {
	p := &e.Payload
	switch e.Type {
	case workerJoin:
		info, err := muster.ParseInfo(p.Info)
		if err != nil {
			return err
		}
		if err := info.Check(); err != nil {
			return fmt.Errorf("%w: %w", errBounds, err)
		}
		return l.carryOut(at, state.Join{Purpose: p.Purpose, Worker: p.Worker, Info: info})
	case workerQuit:
		_ = l.carryOut(at, state.Quit{Worker: p.Worker}) // or it is gone already
		return nil
	}
	purpose, known := l.state.PurposeOf(p.Worker)
	if !known {
		return fmt.Errorf("%w: worker %q", errUnknown, p.Worker)
	}
	switch e.Type {
	case workerState:
		return l.carryOut(at, state.ReportState{Worker: p.Worker, State: *p.State})
	case workerLoad:
		return l.carryOut(at, state.ReportLoad{Loads: []state.WorkerLoad{{Worker: p.Worker, Load: *p.Load}}})
	case workerPickUp:
		return l.updatePickUp(at, purpose, p)
	case workerLayDown:
		if l.carryOut(at, state.LayDownTask{Worker: p.Worker, Task: string(p.Task)}) != nil {
			return fmt.Errorf("%w: worker %q runs no task %q", errUnknown, p.Worker, p.Task)
		}
	case scheduled:
		return l.updateScheduled(at, purpose, p)
	case unscheduled:
		_ = l.carryOut(at, state.Unschedule{Worker: p.Worker, Task: string(p.Task)}) // or it is gone already
	}
	return nil
}

// carryOut applies a command. It is for events that carry as much information as
// the command that caused them.
func (l *ledger) carryOut(at muster.Instant, op state.Op) error {
	result, _ := l.apply(state.Command{At: at, Op: op})
	return result.Err
}

// updatePickUp trusts the master: a task that runs on this worker runs nowhere
// else.
func (l *ledger) updatePickUp(at muster.Instant, purpose string, p *payload) error {
	tasks := names(p.Tasks)
	for _, task := range tasks {
		l.takeFromOthers(at, purpose, task, p.Worker)
	}
	return l.carryOut(at, state.PickUpTasks{Worker: p.Worker, Tasks: tasks})
}

func (l *ledger) updateScheduled(at muster.Instant, purpose string, p *payload) error {
	if purpose != p.Purpose {
		return fmt.Errorf("%w: a worker %q of purpose %q", errUnknown, p.Worker, p.Purpose)
	}
	task := string(p.Task)
	l.takeFromOthers(at, p.Purpose, task, p.Worker)
	reserve := cmp.Or(reserveMillis(p.ReserveTime), l.state.Config().ReserveMillis)
	l.fold(at, l.reserved(at, p.Purpose, task, p.Worker, reserve))
	return nil
}

// takeFromOthers releases the task from any worker but this one.
func (l *ledger) takeFromOthers(at muster.Instant, purpose, task, worker string) {
	if holder, err := l.state.Scheduled(purpose, task); err == nil && holder != worker {
		l.fold(at, muster.TaskReleased{Purpose: purpose, Task: task, Worker: holder, Reason: muster.ReleasedUnscheduled})
	}
}

// reserved returns the event of a reservation that begins now. OWT transmits only
// its length.
func (l *ledger) reserved(at muster.Instant, purpose, task, worker string, reserve int64) muster.TaskReserved {
	reserve = min(reserve, state.MaxReserveMillis)
	return muster.TaskReserved{
		Purpose: purpose, Task: task, Worker: worker,
		ReserveMillis: reserve, Until: at + muster.Instant(reserve), Debit: l.debit(purpose),
	}
}

// debit returns the load that a placement of the purpose adds to its worker.
func (l *ledger) debit(purpose string) float64 {
	for _, c := range l.state.Counts() {
		if c.Purpose == purpose {
			return c.Debit
		}
	}
	return 0
}
