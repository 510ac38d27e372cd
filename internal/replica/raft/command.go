package raft

import (
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// The operations by their number in the log. A number is never used again for
// something else.
const (
	opJoin = iota + 1
	opQuit
	opWorkerLost
	opReportState
	opReportLoad
	opPickUpTasks
	opLayDownTask
	opSchedule
	opUnschedule
	opExpire
	opConfigure
	opClaimTask
	// The forms with placement numbers. Without any, the older form is written.
	opPickUpPlaced
	opLayDownPlaced
	opUnschedulePlaced
	opForgetPurposes

	opTop = opForgetPurposes // the highest that is known
)

// op writes the number of an operation, and remembers the highest.
func (w *writer) op(number byte) {
	w.byte(number)
	w.top = max(w.top, number)
}

// command writes a command. It reports an operation that it does not know.
func (w *writer) command(c *state.Command) error {
	w.int(int64(c.At))
	w.fixed(c.Seed)
	switch op := c.Op.(type) {
	case state.Schedule:
		w.op(opSchedule)
		w.text(op.Purpose)
		w.text(op.Task)
		w.raw(op.Preference)
		w.int(op.ReserveMillis)
	case state.PickUpTasks:
		w.pickUp(op)
	case state.ClaimTask:
		w.op(opClaimTask)
		w.text(op.Worker)
		w.text(op.Incarnation)
		w.text(op.Task)
		w.uint(op.Placement)
	case state.LayDownTask:
		w.ofPlacement(opLayDownTask, opLayDownPlaced, op.Worker, op.Task, op.Placement)
	case state.Unschedule:
		w.ofPlacement(opUnschedule, opUnschedulePlaced, op.Worker, op.Task, op.Placement)
	case state.ReportLoad:
		w.op(opReportLoad)
		w.loads(op.Loads)
	default:
		return w.rareCommand(c.Op)
	}
	return nil
}

func (w *writer) rareCommand(op state.Op) error {
	switch op := op.(type) {
	case state.ReportState:
		w.op(opReportState)
		w.text(op.Worker)
		w.int(int64(op.State))
	case state.Join:
		w.op(opJoin)
		w.text(op.Purpose)
		w.text(op.Worker)
		w.info(&op.Info)
	case state.Quit:
		w.op(opQuit)
		w.text(op.Worker)
	case state.WorkerLost:
		w.op(opWorkerLost)
		w.text(op.Worker)
	case state.Expire:
		w.op(opExpire)
	case state.ForgetPurposes:
		w.op(opForgetPurposes)
	case state.Configure:
		w.op(opConfigure)
		w.config(&op.Config)
	default:
		return fmt.Errorf("raft: command %T has no form in the log", op)
	}
	return nil
}

func (w *writer) pickUp(op state.PickUpTasks) {
	if op.Placements == nil {
		w.op(opPickUpTasks)
	} else {
		w.op(opPickUpPlaced)
	}
	w.text(op.Worker)
	w.texts(op.Tasks)
	if op.Placements != nil {
		w.uint(uint64(len(op.Placements)))
		for _, n := range op.Placements {
			w.uint(n)
		}
	}
}

// ofPlacement writes an operation on a task, in the form with the number of the
// placement where there is one.
func (w *writer) ofPlacement(plain, placed byte, worker, task string, placement uint64) {
	if placement == 0 {
		w.op(plain)
	} else {
		w.op(placed)
	}
	w.text(worker)
	w.text(task)
	if placement != 0 {
		w.uint(placement)
	}
}

func (w *writer) loads(loads []state.WorkerLoad) {
	w.uint(uint64(len(loads)))
	for _, load := range loads {
		w.text(load.Worker)
		w.float(load.Load)
	}
}

func (w *writer) info(info *muster.Info) {
	w.text(info.IP)
	w.text(info.Hostname)
	w.int(int64(info.Port))
	w.text(info.Purpose)
	w.int(int64(info.State))
	w.float(info.MaxLoad)
	w.texts(info.Capacity.ISPs)
	w.texts(info.Capacity.Regions)
	w.bool(info.Capacity.Video != nil)
	if video := info.Capacity.Video; video != nil {
		w.texts(video.Encode)
		w.texts(video.Decode)
	}
	w.texts(info.Capacity.Algorithms)
	w.pairs(info.Labels)
	w.int(int64(info.MaxTasks))
	w.raw(info.Raw)
}

func (w *writer) config(c *state.Config) {
	var strategies map[string]string
	if c.Strategies != nil {
		strategies = map[string]string{}
	}
	for purpose, strategy := range c.Strategies {
		strategies[purpose] = string(strategy)
	}
	w.pairs(strategies)
	w.text(string(c.General))
	w.int(c.ReserveMillis)
	w.text(string(c.Debit.Mode))
	w.float(c.Debit.Fixed)
	w.float(c.Debit.Floor)
}

// command reads a command.
func (r *reader) command() state.Command {
	c := state.Command{At: muster.Instant(r.int()), Seed: r.fixed()}
	switch r.byte() {
	case opSchedule:
		c.Op = state.Schedule{Purpose: r.text(), Task: r.text(), Preference: r.raw(), ReserveMillis: r.int()}
	case opPickUpTasks:
		c.Op = state.PickUpTasks{Worker: r.text(), Tasks: r.texts()}
	case opPickUpPlaced:
		c.Op = state.PickUpTasks{Worker: r.text(), Tasks: r.texts(), Placements: r.numbers()}
	case opClaimTask:
		c.Op = state.ClaimTask{Worker: r.text(), Incarnation: r.text(), Task: r.text(), Placement: r.uint()}
	case opLayDownTask:
		c.Op = state.LayDownTask{Worker: r.text(), Task: r.text()}
	case opLayDownPlaced:
		c.Op = state.LayDownTask{Worker: r.text(), Task: r.text(), Placement: r.uint()}
	case opUnschedule:
		c.Op = state.Unschedule{Worker: r.text(), Task: r.text()}
	case opUnschedulePlaced:
		c.Op = state.Unschedule{Worker: r.text(), Task: r.text(), Placement: r.uint()}
	case opReportLoad:
		c.Op = state.ReportLoad{Loads: r.loads()}
	case opReportState:
		c.Op = state.ReportState{Worker: r.text(), State: muster.State(r.int())}
	case opJoin:
		c.Op = state.Join{Purpose: r.text(), Worker: r.text(), Info: r.info()}
	case opQuit:
		c.Op = state.Quit{Worker: r.text()}
	case opWorkerLost:
		c.Op = state.WorkerLost{Worker: r.text()}
	case opExpire:
		c.Op = state.Expire{}
	case opForgetPurposes:
		c.Op = state.ForgetPurposes{}
	case opConfigure:
		c.Op = state.Configure{Config: r.config()}
	default:
		r.fail()
	}
	return c
}

func (r *reader) numbers() []uint64 {
	numbers := []uint64{}
	for range r.count() {
		if r.bad {
			break
		}
		numbers = append(numbers, r.uint())
	}
	return numbers
}

func (r *reader) loads() []state.WorkerLoad {
	var loads []state.WorkerLoad
	for range r.count() {
		if r.bad {
			break
		}
		loads = append(loads, state.WorkerLoad{Worker: r.text(), Load: r.float()})
	}
	return loads
}

func (r *reader) info() muster.Info {
	info := muster.Info{
		IP: r.text(), Hostname: r.text(), Port: int(r.int()), Purpose: r.text(),
		State: muster.State(r.int()), MaxLoad: r.float(),
	}
	info.Capacity.ISPs, info.Capacity.Regions = r.texts(), r.texts()
	if r.bool() {
		info.Capacity.Video = &muster.Formats{Encode: r.texts(), Decode: r.texts()}
	}
	info.Capacity.Algorithms = r.texts()
	info.Labels = r.pairs()
	info.MaxTasks = int(r.int())
	info.Raw = r.raw()
	return info
}

func (r *reader) config() state.Config {
	var c state.Config
	strategies := r.pairs()
	if strategies != nil {
		c.Strategies = map[string]muster.Strategy{}
	}
	for purpose, strategy := range strategies {
		c.Strategies[purpose] = muster.Strategy(strategy)
	}
	c.General = muster.Strategy(r.text())
	c.ReserveMillis = r.int()
	c.Debit = state.Debit{Mode: state.DebitMode(r.text()), Fixed: r.float(), Floor: r.float()}
	return c
}
