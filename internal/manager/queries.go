package manager

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// wanted is what a caller of schedule asks for in addition to OWT's answer. A caller
// that asks for nothing gets OWT's answer, byte for byte.
type wanted struct {
	placement bool // its number
	refusal   bool // why no worker was found
	choice    bool // why this worker was
}

// asSDK is what package client wants with every task, which is known by its bytes:
// reading it costs as much as reading the rest of the request.
const asSDK = `{"placement":true,"explain":"refusal"}`

// wantedIn reads the fifth argument of schedule: {"placement": true, "explain":
// true or "refusal"}.
func wantedIn(raw json.RawMessage) wanted {
	switch string(raw) {
	case "":
		return wanted{}
	case asSDK:
		return wanted{placement: true, refusal: true}
	}
	explain := gjson.GetBytes(raw, "explain")
	return wanted{
		placement: gjson.GetBytes(raw, "placement").Bool(),
		refusal:   explain.Bool() || explain.Str == "refusal",
		choice:    explain.Bool(),
	}
}

// answerSchedule answers as OWT does, and adds what else is wanted.
func answerSchedule(req *bus.Request, result state.Result, wanted wanted) {
	switch {
	case result.Err != nil && wanted.refusal && result.Explanation != nil:
		req.RefuseDetail(result.Err, result.Explanation)
	case result.Err != nil:
		req.Refuse(result.Err)
	default:
		req.Reply(placed(result, wanted))
	}
}

// placed is {"id", "info"} and what else is wanted, written by hand since it is
// the answer of every placement, and info is the worker's own JSON.
func placed(result state.Result, wanted wanted) json.RawMessage {
	out := make([]byte, 0, 64+len(result.Worker)+len(result.Info))
	out = append(out, `{"id":`...)
	out = gjson.AppendJSONString(out, result.Worker)
	out = append(out, `,"info":`...)
	out = append(out, result.Info...)
	if wanted.placement && result.Placement != 0 {
		out = strconv.AppendUint(append(out, `,"placement":`...), result.Placement, 10)
	}
	if wanted.choice {
		out = appendWhy(out, result.Explanation)
	}
	return append(out, '}')
}

// workerAttr is OWT's answer to getWorkerAttr.
type workerAttr struct {
	State *muster.WorkerState `json:"state,omitempty"`
	Load  float64             `json:"load"`
	Info  json.RawMessage     `json:"info"`
	Tasks []string            `json:"tasks"`
}

// portalAttr is the flat form of it that OWT has for portals.
type portalAttr struct {
	ID        string              `json:"id"`
	Purpose   string              `json:"purpose"`
	IP        string              `json:"ip"`
	RPCID     string              `json:"rpcID"`
	State     *muster.WorkerState `json:"state,omitempty"`
	Load      float64             `json:"load"`
	Hostname  string              `json:"hostname"`
	Port      int                 `json:"port"`
	KeepAlive int                 `json:"keepAlive"`
}

func decodeGetWorkerAttr(r *reader) query {
	id := r.name(0, "worker")
	return func(c *core, s *state.State) (any, error) {
		w, ok := s.Worker(id)
		if !ok {
			return nil, muster.ReasonNoWorker(id)
		}
		var reported *muster.WorkerState
		if w.State != muster.StateUnreported {
			reported = &w.State
		}
		if w.Purpose != "portal" {
			return workerAttr{State: reported, Load: w.Load, Info: w.Info.Raw, Tasks: orEmpty(w.Tasks)}, nil
		}
		return portalAttr{
			ID: id, Purpose: w.Purpose, IP: w.Info.IP, RPCID: id, State: reported, Load: w.Load,
			Hostname: w.Info.Hostname, Port: w.Info.Port, KeepAlive: c.alive.Absent(id),
		}, nil
	}
}

func decodeGetWorkers(r *reader) query {
	purpose := r.name(0, "purpose")
	return func(_ *core, s *state.State) (any, error) { return orEmpty(s.Workers(purpose)), nil }
}

func decodeGetTasks(r *reader) query {
	worker := r.name(0, "worker")
	return func(_ *core, s *state.State) (any, error) {
		tasks, ok := s.Tasks(worker)
		if !ok {
			return nil, muster.ReasonNoWorker(worker)
		}
		return orEmpty(tasks), nil
	}
}

func decodeGetScheduled(r *reader) query {
	purpose, task := r.name(0, "purpose"), r.task(1)
	return func(_ *core, s *state.State) (any, error) { return s.Scheduled(purpose, task) }
}

func (c *core) clusterID(req *bus.Request) { req.Reply(c.opts.ClusterID) }

func decodeWhy(r *reader) query {
	purpose, task := r.name(0, "purpose"), r.task(1)
	return func(_ *core, s *state.State) (any, error) {
		explanation, ok := s.Why(purpose, task)
		if !ok {
			return nil, muster.ReasonNoTask
		}
		if explanation.Chosen != nil {
			if gone, left := s.Departed(explanation.Chosen.Worker); left {
				explanation.Gone = &gone
			}
		}
		return explanation, nil
	}
}

func decodeListWorkers(r *reader) query {
	purpose, query := r.name(0, "purpose"), r.page(1)
	return func(c *core, s *state.State) (any, error) {
		if query != nil {
			return c.pageWorkers(s, purpose, query), nil
		}
		workers := []muster.Worker{}
		for _, id := range s.Workers(purpose) {
			if w, ok := s.Worker(id); ok {
				w.HeardMillis = c.heard(id)
				workers = append(workers, w)
			}
		}
		return workers, nil
	}
}

// noteHeard notes a sign of life.
func (c *core) noteHeard(worker string) { c.lastHeard[worker] = c.now() }

// heard is how long ago a worker was heard, in milliseconds. Only a leader knows.
func (c *core) heard(worker string) *int64 {
	at, ok := c.lastHeard[worker]
	if !ok {
		return nil
	}
	ago := max(int64(c.now()-at), 0)
	return &ago
}

// listedTask is a task in the answer to listTasks.
type listedTask struct {
	Purpose string `json:"purpose"`
	Task    string `json:"task"`
	Worker  string `json:"worker"`
	State   string `json:"state"`
	// Until is when a reservation ends, in milliseconds since 1970; 0 for a
	// task that runs.
	Until muster.Instant `json:"until"`
	// Placement is the number of its placement.
	Placement uint64 `json:"placement,omitempty"`
}

func decodeListTasks(r *reader) query {
	purpose, query := r.name(0, "purpose"), r.page(1)
	return func(_ *core, s *state.State) (any, error) {
		if query != nil {
			return pageTasks(s, purpose, query), nil
		}
		return allListed(s.AllTasks(oneOrAll(purpose))), nil
	}
}

// oneOrAll is a purpose as package state has it: "" for all of them.
func oneOrAll(purpose string) string {
	if purpose == state.AllPurposes {
		return ""
	}
	return purpose
}

func allListed(tasks []state.Task) []listedTask {
	listed := make([]listedTask, 0, len(tasks))
	for _, t := range tasks {
		listed = append(listed, listedOf(t))
	}
	return listed
}

func listedOf(t state.Task) listedTask {
	listed := listedTask{Purpose: t.Purpose, Task: t.Task, Worker: t.Worker, State: "reserved", Until: t.Until, Placement: t.Placement}
	if t.Running {
		listed.State, listed.Until = "running", 0
	}
	return listed
}

// orEmpty keeps a list that has nothing in it from being null in JSON.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
