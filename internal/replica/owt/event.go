package owt

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/taskname"
)

// The types of OWT's events.
const (
	workerJoin    = "worker_join"
	workerQuit    = "worker_quit"
	workerState   = "worker_state"
	workerLoad    = "worker_load"
	workerPickUp  = "worker_pickup"
	workerLayDown = "worker_laydown"
	scheduled     = "scheduled"
	unscheduled   = "unscheduled"
)

// event is an event in OWT's format.
type event struct {
	Type    string  `json:"type"`
	Payload payload `json:"payload"`
}

// payload has the members of all events; each event uses some of them.
type payload struct {
	Purpose string              `json:"purpose"`
	Worker  string              `json:"worker"`
	Info    json.RawMessage     `json:"info"`
	State   *muster.WorkerState `json:"state"`
	Load    *float64            `json:"load"`
	Task    taskName            `json:"task"`
	Tasks   []taskName          `json:"tasks"`
	// ReserveTime is in milliseconds. OWT adds none to a call without one.
	ReserveTime float64 `json:"reserve_time"`
}

// taskName is the name of a task, which OWT's managers pass on as the JSON value
// that their caller sent.
type taskName string

func (n *taskName) UnmarshalJSON(raw []byte) error {
	*n = taskName(taskname.Of(raw))
	return nil
}

// names returns the names that a state can hold.
func names(tasks []taskName) []string {
	var out []string
	for _, t := range tasks {
		if t != "" {
			out = append(out, string(t))
		}
	}
	return out
}

// parseEvent reads the data of an update.
func parseEvent(data json.RawMessage) (event, error) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return event{}, fmt.Errorf("update: %w", err)
	}
	err := e.check()
	if err == nil {
		err = e.Payload.checkNames()
	}
	if err != nil {
		return event{}, fmt.Errorf("update %.40q: %w", e.Type, err)
	}
	return e, nil
}

// check returns an error unless the event has the members that its type needs.
func (e *event) check() error {
	p := &e.Payload
	switch e.Type {
	case workerJoin:
		return need(p.Purpose != "", "a purpose", p.Worker)
	case workerQuit, workerPickUp:
		return need(true, "", p.Worker)
	case workerState:
		return need(p.State != nil, "a state", p.Worker)
	case workerLoad:
		return need(p.Load != nil, "a load", p.Worker)
	case workerLayDown, unscheduled:
		return need(p.Task != "", "a task", p.Worker)
	case scheduled:
		return need(p.Task != "" && p.Purpose != "", "a task and a purpose", p.Worker)
	}
	return errors.New("unknown type")
}

// errBounds is the error of an update with a name that our managers refuse. Its
// worker or task is left out of the state; requesting the state would not help.
var errBounds = errors.New("out of bounds")

// checkNames returns an error that wraps errBounds if a name is not acceptable.
func (p *payload) checkNames() error {
	if p.Purpose != "" {
		if err := muster.CheckName(p.Purpose, muster.MaxName); err != nil {
			return fmt.Errorf("%w: purpose %w", errBounds, err)
		}
	}
	if err := muster.CheckName(p.Worker, muster.MaxName); err != nil {
		return fmt.Errorf("%w: worker %w", errBounds, err)
	}
	for _, task := range names(append(p.Tasks, p.Task)) {
		if err := muster.CheckName(task, muster.MaxTask); err != nil {
			return fmt.Errorf("%w: task %w", errBounds, err)
		}
	}
	return nil
}

func need(ok bool, what, worker string) error {
	if worker == "" {
		return errors.New("payload: a worker is wanted")
	}
	if !ok {
		return fmt.Errorf("payload: %s is wanted", what)
	}
	return nil
}

// reserveMillis returns a reserve time as a whole number. The state caps
// excessive ones.
func reserveMillis(f float64) int64 {
	if !(f > 0) {
		return 0
	}
	return int64(math.Min(f, math.MaxInt32))
}

// updates returns the bodies that publish the events to the other managers. OWT
// has no message for a reservation that expired: each manager watches the time
// itself.
func updates(events []muster.Event) []json.RawMessage {
	var bodies []json.RawMessage
	for i := 0; i < len(events); i++ {
		if first, ok := events[i].(muster.TaskPickedUp); ok {
			n := pickedUpTogether(events[i:], first.Worker)
			bodies = append(bodies, pickUpBody(first.Worker, events[i:i+n]))
			i += n - 1
			continue
		}
		if body := updateBody(events[i]); body != nil {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// pickedUpTogether returns how many tasks the worker picked up in a row.
func pickedUpTogether(events []muster.Event, worker string) int {
	for i, ev := range events {
		if e, ok := ev.(muster.TaskPickedUp); !ok || e.Worker != worker {
			return i
		}
	}
	return len(events)
}

func pickUpBody(worker string, events []muster.Event) json.RawMessage {
	tasks := appendList(nil, "[]", events, func(dst []byte, ev muster.Event) []byte {
		return appendString(dst, ev.(muster.TaskPickedUp).Task)
	})
	return update(workerPickUp, object{}.text("worker", worker).with("tasks", tasks))
}

// updateBody returns nil for events that OWT does not transmit.
func updateBody(ev muster.Event) json.RawMessage {
	switch e := ev.(type) {
	case muster.WorkerJoined:
		return update(workerJoin, object{}.text("purpose", e.Purpose).text("worker", e.Worker).with("info", infoJSON(e.Info)))
	case muster.WorkerLeft:
		return update(workerQuit, object{}.text("worker", e.Worker))
	case muster.WorkerStateChanged:
		return update(workerState, object{}.text("worker", e.Worker).number("state", int64(e.State)))
	case muster.WorkerLoadChanged:
		return update(workerLoad, object{}.text("worker", e.Worker).with("load", appendFloat(nil, e.Load)))
	case muster.TaskLaidDown:
		return update(workerLayDown, onWorker(e.Worker, e.Task))
	case muster.TaskReserved:
		return reservedBody(e)
	case muster.TaskReleased:
		if e.Reason == muster.ReleasedUnscheduled || e.Reason == muster.ReleasedDrained {
			return update(unscheduled, onWorker(e.Worker, e.Task))
		}
	}
	return nil
}

// reservedBody publishes a reservation. One of zero length is a running task
// that its caller has unscheduled.
func reservedBody(e muster.TaskReserved) json.RawMessage {
	if e.ReserveMillis == 0 {
		return update(unscheduled, onWorker(e.Worker, e.Task))
	}
	p := object{}.text("purpose", e.Purpose).text("task", e.Task).text("worker", e.Worker)
	return update(scheduled, p.number("reserve_time", e.ReserveMillis))
}

func onWorker(worker, task string) object { return object{}.text("worker", worker).text("task", task) }

func update(kind string, payload object) json.RawMessage {
	return envelope(typeUpdate, object{}.text("type", kind).with("payload", payload.end()).end(), nil)
}

// infoJSON returns a worker's info, unchanged if the worker sent one.
func infoJSON(info muster.Info) json.RawMessage {
	if info.Raw != nil {
		return info.Raw
	}
	raw, err := json.Marshal(info)
	if err != nil {
		return json.RawMessage("{}")
	}
	return raw
}
