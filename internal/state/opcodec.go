package state

import (
	"encoding/json"

	"github.com/muster-fleet/muster"
)

func (Join) number() byte           { return opJoin }
func (Quit) number() byte           { return opQuit }
func (WorkerLost) number() byte     { return opWorkerLost }
func (ReportState) number() byte    { return opReportState }
func (ReportLoad) number() byte     { return opReportLoad }
func (ClaimTask) number() byte      { return opClaimTask }
func (Schedule) number() byte       { return opSchedule }
func (Expire) number() byte         { return opExpire }
func (ForgetPurposes) number() byte { return opForgetPurposes }
func (Configure) number() byte      { return opConfigure }

func (op PickUpTasks) number() byte {
	if op.Placements == nil {
		return opPickUpTasks
	}
	return opPickUpPlaced
}

func (op LayDownTask) number() byte {
	if op.Placement == 0 {
		return opLayDownTask
	}
	return opLayDownPlaced
}

func (op Unschedule) number() byte {
	if op.Placement == 0 {
		return opUnschedule
	}
	return opUnschedulePlaced
}

func (op Join) encode(w writer) {
	w.Text(op.Purpose)
	w.Text(op.Worker)
	w.info(&op.Info)
	w.Raw(op.Info.Raw)
}

func decodeJoin(r reader) Op {
	op := Join{Purpose: r.Text(), Worker: r.Text(), Info: r.info()}
	op.Info.Raw = r.Raw()
	return op
}

func (op Quit) encode(w writer) { w.Text(op.Worker) }
func decodeQuit(r reader) Op    { return Quit{Worker: r.Text()} }

func (op WorkerLost) encode(w writer) { w.Text(op.Worker) }
func decodeWorkerLost(r reader) Op    { return WorkerLost{Worker: r.Text()} }

func (op ReportState) encode(w writer) {
	w.Text(op.Worker)
	w.Int(int64(op.State))
}

func decodeReportState(r reader) Op {
	return ReportState{Worker: r.Text(), State: muster.WorkerState(r.Int())}
}

func (op ReportLoad) encode(w writer) {
	w.Uint(uint64(len(op.Loads)))
	for _, load := range op.Loads {
		w.Text(load.Worker)
		w.Float(load.Load)
	}
}

func decodeReportLoad(r reader) Op {
	var op ReportLoad
	for n := r.Count(); n > 0 && !r.Bad(); n-- {
		op.Loads = append(op.Loads, WorkerLoad{Worker: r.Text(), Load: r.Float()})
	}
	return op
}

func (op PickUpTasks) encode(w writer) {
	w.Text(op.Worker)
	w.Texts(op.Tasks)
	if op.Placements == nil {
		return
	}
	w.Uint(uint64(len(op.Placements)))
	for _, placement := range op.Placements {
		w.Uint(placement)
	}
}

func decodePickUpTasks(r reader) Op {
	return PickUpTasks{Worker: r.Text(), Tasks: r.Texts()}
}

func decodePickUpPlaced(r reader) Op {
	op := PickUpTasks{Worker: r.Text(), Tasks: r.Texts(), Placements: []uint64{}}
	for n := r.Count(); n > 0 && !r.Bad(); n-- {
		op.Placements = append(op.Placements, r.Uint())
	}
	return op
}

func (op ClaimTask) encode(w writer) {
	w.Text(op.Worker)
	w.Text(op.Incarnation)
	w.Text(op.Task)
	w.Uint(op.Placement)
}

func decodeClaimTask(r reader) Op {
	return ClaimTask{Worker: r.Text(), Incarnation: r.Text(), Task: r.Text(), Placement: r.Uint()}
}

func (op LayDownTask) encode(w writer) { w.onTask(op.Worker, op.Task, op.Placement) }
func (op Unschedule) encode(w writer)  { w.onTask(op.Worker, op.Task, op.Placement) }

// onTask writes a task and, if it is known, the number of its placement.
func (w writer) onTask(worker, task string, placement uint64) {
	w.Text(worker)
	w.Text(task)
	if placement != 0 {
		w.Uint(placement)
	}
}

func decodeLayDownTask(r reader) Op { return LayDownTask{Worker: r.Text(), Task: r.Text()} }
func decodeUnschedule(r reader) Op  { return Unschedule{Worker: r.Text(), Task: r.Text()} }

func decodeLayDownPlaced(r reader) Op {
	return LayDownTask{Worker: r.Text(), Task: r.Text(), Placement: r.Uint()}
}

func decodeUnschedulePlaced(r reader) Op {
	return Unschedule{Worker: r.Text(), Task: r.Text(), Placement: r.Uint()}
}

func (op Schedule) encode(w writer) {
	w.Text(op.Purpose)
	w.Text(op.Task)
	w.Raw(op.Preference)
	w.Int(op.ReserveMillis)
}

func decodeSchedule(r reader) Op {
	return Schedule{Purpose: r.Text(), Task: r.Text(), Preference: json.RawMessage(r.Raw()), ReserveMillis: r.Int()}
}

func (Expire) encode(writer)         {}
func decodeExpire(reader) Op         { return Expire{} }
func (ForgetPurposes) encode(writer) {}
func decodeForgetPurposes(reader) Op { return ForgetPurposes{} }

// encode writes the strategies so that nil stays distinct from none, unlike in
// a snapshot.
func (op Configure) encode(w writer) {
	var strategies map[string]string
	if op.Config.Strategies != nil {
		strategies = map[string]string{}
	}
	for purpose, strategy := range op.Config.Strategies {
		strategies[purpose] = string(strategy)
	}
	w.Pairs(strategies)
	w.defaults(&op.Config)
}

func decodeConfigure(r reader) Op {
	var c Config
	strategies := r.Pairs()
	if strategies != nil {
		c.Strategies = map[string]muster.Strategy{}
	}
	for purpose, strategy := range strategies {
		c.Strategies[purpose] = muster.Strategy(strategy)
	}
	r.defaults(&c)
	return Configure{Config: c}
}
