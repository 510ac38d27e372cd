package manager

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// wanted is what a caller of schedule wants to know beside OWT's answer, which
// stays OWT's to the byte for everybody else.
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
	if wanted.choice && result.Explanation != nil {
		if why, err := json.Marshal(result.Explanation); err == nil {
			out = append(append(out, `,"explanation":`...), why...)
		}
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

func (c *core) getWorkerAttr(req *bus.Request, s *state.State, id string) {
	w, ok := s.Worker(id)
	if !ok {
		req.Refuse(muster.ReasonNoWorker(id))
		return
	}
	var reported *muster.WorkerState
	if w.State != muster.StateUnreported {
		reported = &w.State
	}
	if w.Purpose != "portal" {
		req.Reply(workerAttr{State: reported, Load: w.Load, Info: w.Info.Raw, Tasks: orEmpty(w.Tasks)})
		return
	}
	req.Reply(portalAttr{
		ID: id, Purpose: w.Purpose, IP: w.Info.IP, RPCID: id, State: reported, Load: w.Load,
		Hostname: w.Info.Hostname, Port: w.Info.Port, KeepAlive: c.alive.Absent(id),
	})
}

func getWorkers(req *bus.Request, s *state.State, purpose string) {
	req.Reply(orEmpty(s.Workers(purpose)))
}

func getTasks(req *bus.Request, s *state.State, worker string) {
	tasks, ok := s.Tasks(worker)
	if !ok {
		req.Refuse(muster.ReasonNoWorker(worker))
		return
	}
	req.Reply(orEmpty(tasks))
}

func getScheduled(req *bus.Request, s *state.State, purpose, task string) {
	worker, err := s.Scheduled(purpose, task)
	answer(req, worker, err)
}

func (c *core) clusterID(req *bus.Request) { req.Reply(c.opts.ClusterID) }

func why(req *bus.Request, s *state.State, purpose, task string) {
	explanation, ok := s.Why(purpose, task)
	if !ok {
		req.Refuse(muster.ReasonNoTask)
		return
	}
	if explanation.Chosen != nil {
		if gone, left := s.Departed(explanation.Chosen.Worker); left {
			explanation.Gone = &gone
		}
	}
	req.Reply(explanation)
}

func (c *core) listWorkers(req *bus.Request, s *state.State, purpose string) {
	workers := []muster.Worker{}
	for _, id := range s.Workers(purpose) {
		if w, ok := s.Worker(id); ok {
			w.HeardMillis = c.heard(id)
			workers = append(workers, w)
		}
	}
	req.Reply(workers)
}

// noteHeard notes a sign of life.
func (c *core) noteHeard(worker string) {
	if c.lastHeard == nil {
		c.lastHeard = map[string]muster.Instant{}
	}
	c.lastHeard[worker] = c.now()
}

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

func listTasks(req *bus.Request, s *state.State, purpose string) {
	if purpose == "all" {
		purpose = ""
	}
	tasks := []listedTask{}
	for _, t := range s.AllTasks(purpose) {
		tasks = append(tasks, listedOf(t))
	}
	req.Reply(tasks)
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
