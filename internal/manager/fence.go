package manager

import (
	"encoding/json"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// placement reads the number of a placement, which may be absent.
func (r *reader) placement(i int) uint64 { return r.whole(i, "placement") }

// whole reads a whole number, 0 where it is absent.
func (r *reader) whole(i int, what string) uint64 {
	if r.raw(i) == nil {
		return 0
	}
	n := gjson.ParseBytes(r.raw(i))
	if n.Type != gjson.Number || n.Num < 0 {
		r.fail(i, what, "must be a number that is not negative")
	}
	return n.Uint()
}

// placements reads the numbers that go with the tasks of a pick-up.
func (r *reader) placements(i int) []uint64 {
	if r.raw(i) == nil {
		return nil
	}
	v := gjson.ParseBytes(r.raw(i))
	if !v.IsArray() {
		r.fail(i, "placements", "must be an array of numbers")
		return nil
	}
	var out []uint64
	v.ForEach(func(_, n gjson.Result) bool {
		out = append(out, n.Uint())
		return len(out) < muster.MaxTasks
	})
	return out
}

// decodeClaimTask reads claimTask(worker, {task, placement, incarnation}), with
// which a worker asks whether it may start a task: answered {"placement"}, or
// refused with one of muster's reasons.
func decodeClaimTask(r *reader) action {
	arg := gjson.ParseBytes(r.raw(1))
	task := taskOf(json.RawMessage(arg.Get("task").Raw))
	op := state.ClaimTask{
		Worker: r.name(0, "worker"), Task: r.checked(1, "task", task, muster.MaxTask),
		Placement: arg.Get("placement").Uint(),
	}
	if incarnation := arg.Get("incarnation").Str; incarnation != "" {
		op.Incarnation = r.checked(1, "incarnation", incarnation, muster.MaxName)
	}
	return fromWorker(op.Worker, func(c *core, req *bus.Request) {
		c.propose(req, op, func(result state.Result) {
			answer(req, json.RawMessage(fmt.Sprintf(`{"placement":%d}`, result.Placement)), result.Err)
		})
	})
}

// workerCheck is the answer to checkWorker: how a worker stands.
type workerCheck struct {
	// Tasks are those that the worker runs, as the manager knows, and
	// Placements the numbers by which it lays them down.
	Tasks      []string `json:"tasks"`
	Placements []uint64 `json:"placements,omitempty"`
	// Elsewhere are those of the tasks that were asked for that another worker
	// has.
	Elsewhere []string `json:"elsewhere,omitempty"`
	// Replaced reports that a later process has joined under the same id.
	Replaced bool `json:"replaced,omitempty"`
}

// decodeCheckWorker reads checkWorker(worker, {incarnation, tasks}).
func decodeCheckWorker(r *reader) query {
	worker := r.name(0, "worker")
	arg := gjson.ParseBytes(r.raw(1))
	incarnation := arg.Get("incarnation").Str
	var tasks []string
	arg.Get("tasks").ForEach(func(_, t gjson.Result) bool {
		tasks = append(tasks, taskOf(json.RawMessage(t.Raw)))
		return len(tasks) < muster.MaxTasks
	})
	return func(c *core, s *state.State) (any, error) {
		c.sign(worker)
		return checkWorker(s, worker, incarnation, tasks)
	}
}

func checkWorker(s *state.State, worker, incarnation string, asked []string) (any, error) {
	running, ok := s.Tasks(worker)
	if !ok {
		return nil, muster.ReasonNoWorker(worker)
	}
	now := s.IncarnationOf(worker)
	found := workerCheck{Tasks: orEmpty(running), Placements: s.Claims(worker), Replaced: incarnation != "" && now != "" && now != incarnation}
	purpose, _ := s.PurposeOf(worker)
	for _, task := range asked {
		if holder, err := s.Scheduled(purpose, task); err == nil && holder != worker {
			found.Elsewhere = append(found.Elsewhere, task)
		}
	}
	return found, nil
}

// refusedPickUp is a worker that runs a task that another one has.
func (c *core) refusedPickUp(e muster.TaskRefused) {
	c.log.Warn("task not picked up: it is on another worker",
		"purpose", e.Purpose, "task", e.Task, "worker", e.Worker, "holder", e.Holder)
	if c.replica.State().IncarnationOf(e.Worker) == "" {
		c.out.endTask(e.Worker, e.Task)
	}
}
