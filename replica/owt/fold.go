package owt

import (
	"errors"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/state"
)

// update makes happen what another manager says that happened. An error means
// that the event speaks of something that this copy does not have, or cannot
// be: what can be done of it is done.
func (l *ledger) update(at muster.Instant, e event) error {
	p := &e.Payload
	switch e.Type {
	case workerJoin:
		info, err := muster.ParseInfo(p.Info)
		if err != nil {
			return err
		}
		return l.carryOut(at, state.Join{Purpose: p.Purpose, Worker: p.Worker, Info: info})
	case workerQuit:
		return l.carryOut(at, state.Quit{Worker: p.Worker})
	case workerState:
		return l.carryOut(at, state.ReportState{Worker: p.Worker, State: *p.State})
	case workerLoad:
		return l.updateLoad(at, p.Worker, *p.Load)
	case workerPickUp:
		return l.updatePickUp(at, p.Worker, p.Tasks)
	case workerLayDown:
		return l.carryOut(at, state.LayDownTask{Worker: p.Worker, Task: p.Task})
	case scheduled:
		return l.updateScheduled(at, p)
	case unscheduled:
		return l.carryOut(at, state.Unschedule{Worker: p.Worker, Task: p.Task})
	}
	return fmt.Errorf("unknown update %q", e.Type)
}

// carryOut is for events that say as much as the command that caused them.
func (l *ledger) carryOut(at muster.Instant, op state.Op) error {
	result, _ := l.apply(state.Command{At: at, Op: op})
	return result.Err
}

func (l *ledger) updateLoad(at muster.Instant, worker string, load float64) error {
	if !l.state.Has(worker) {
		return muster.ReasonNoWorker(worker)
	}
	return l.carryOut(at, state.ReportLoad{Loads: []state.WorkerLoad{{Worker: worker, Load: load}}})
}

// updatePickUp believes the master: a task that it says is here is nowhere
// else.
func (l *ledger) updatePickUp(at muster.Instant, worker string, tasks []string) error {
	purpose, ok := l.state.PurposeOf(worker)
	if !ok {
		return muster.ReasonNoWorker(worker)
	}
	for _, task := range tasks {
		l.takeFromOthers(at, purpose, task, worker)
	}
	return l.carryOut(at, state.PickUpTasks{Worker: worker, Tasks: tasks})
}

func (l *ledger) updateScheduled(at muster.Instant, p *payload) error {
	if purpose, ok := l.state.PurposeOf(p.Worker); !ok || purpose != p.Purpose {
		return errors.New("scheduled to a worker that is unknown, or of another purpose")
	}
	l.takeFromOthers(at, p.Purpose, p.Task, p.Worker)
	reserve := reserveMillis(p.ReserveTime)
	if reserve == 0 {
		reserve = l.state.Config().ReserveMillis
	}
	l.fold(at, l.reserved(at, p.Purpose, p.Task, p.Worker, reserve))
	return nil
}

// takeFromOthers ends what holds the task on any worker but this one.
func (l *ledger) takeFromOthers(at muster.Instant, purpose, task, worker string) {
	if holder, err := l.state.Scheduled(purpose, task); err == nil && holder != worker {
		l.fold(at, muster.TaskReleased{Purpose: purpose, Task: task, Worker: holder, Reason: muster.ReleasedUnscheduled})
	}
}

// reserved is the event of a reservation that begins now. OWT says only how
// long it lasts.
func (l *ledger) reserved(at muster.Instant, purpose, task, worker string, reserve int64) muster.TaskReserved {
	reserve = min(reserve, state.MaxReserveMillis)
	return muster.TaskReserved{
		Purpose: purpose, Task: task, Worker: worker,
		ReserveMillis: reserve, Until: at + muster.Instant(reserve), Debit: l.debit(purpose),
	}
}

// debit is what a placement of the purpose adds to its worker.
func (l *ledger) debit(purpose string) float64 {
	for _, c := range l.state.Counts() {
		if c.Purpose == purpose {
			return c.Debit
		}
	}
	return 0
}
