package client

import (
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster"
)

// Task is a task that is on a worker.
type Task struct {
	Purpose string    `json:"purpose"`
	Task    string    `json:"task"`
	Worker  string    `json:"worker"`
	State   TaskState `json:"state"`
	// Until is when the reservation ends; 0 for a task that runs.
	Until muster.Instant `json:"until"`
	// Placement is the number of its placement, 0 where that is not known.
	Placement uint64 `json:"placement,omitempty"`
}

// TaskState says how a task is on its worker.
type TaskState string

const (
	// TaskReserved is a task that its worker has not picked up yet.
	TaskReserved TaskState = "reserved"
	// TaskRunning is a task that its worker runs.
	TaskRunning TaskState = "running"
)

// Status is how a cluster stands.
type Status struct {
	Cluster string `json:"cluster"`
	// State is "initializing", "in-service" or, where the managers have no
	// quorum, "no-quorum".
	State   string `json:"state"`
	Version string `json:"version"`
	// StaleMillis is how old the rest is without a quorum, in milliseconds; 0
	// means that it is up to date.
	StaleMillis int64     `json:"stale_ms,omitempty"`
	Evictions   Evictions `json:"evictions"`
	// Managers are those of the cluster, as the leader sees them.
	Managers []muster.Member `json:"managers"`
	// Purposes are those of which a worker ever joined.
	Purposes []PurposeStatus `json:"purposes"`
}

// Evictions is whether workers that are silent are given up.
type Evictions struct {
	// State is "normal"; "paced" while few are given up at a time, after one of
	// the others; or why none is: "too-many" are silent at once, "no-quorum",
	// "no-queue".
	State string `json:"state"`
	// Silent is how many workers are past their allowance, and kept.
	Silent int `json:"silent"`
}

// PurposeStatus counts the workers and tasks of a purpose.
type PurposeStatus struct {
	Purpose  string          `json:"purpose"`
	Strategy muster.Strategy `json:"strategy"`
	// Ready workers reported a load and may take tasks as far as they say; Full are
	// those of them that are at the limit of their load or of their tasks.
	Workers int `json:"workers"`
	Ready   int `json:"ready"`
	Full    int `json:"full"`
	// Draining and Cordoned are the workers that an operator keeps new tasks
	// from; they are not among the Ready ones.
	Draining int `json:"draining,omitempty"`
	Cordoned int `json:"cordoned,omitempty"`
	// Running and Reserved count tasks.
	Running  int `json:"running"`
	Reserved int `json:"reserved"`
	// Debit is the load that the next placement adds to its worker at once.
	Debit float64 `json:"debit"`
}

// workerAttr is the answer to getWorkerAttr, in both of its forms: a portal's
// has no info.
type workerAttr struct {
	Purpose  string              `json:"purpose"`
	State    *muster.WorkerState `json:"state"`
	Load     float64             `json:"load"`
	Tasks    []string            `json:"tasks"`
	Info     json.RawMessage     `json:"info"`
	IP       string              `json:"ip"`
	Hostname string              `json:"hostname"`
	Port     int                 `json:"port"`
}

func (a workerAttr) worker(id string) (muster.Worker, error) {
	w := muster.Worker{ID: id, Purpose: a.Purpose, State: muster.StateUnreported, Load: a.Load, Tasks: a.Tasks}
	if a.State != nil {
		w.State = *a.State
	}
	if a.Info == nil {
		w.Info = muster.Info{Purpose: a.Purpose, IP: a.IP, Hostname: a.Hostname, Port: a.Port, State: w.State}
		return w, nil
	}
	info, err := muster.ParseInfo(a.Info)
	if err != nil {
		return w, fmt.Errorf("client: getWorkerAttr: %w", err)
	}
	w.Info, w.Purpose = info, info.Purpose
	return w, nil
}
