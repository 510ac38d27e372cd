package httpapi

import (
	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// Worker is a worker as the API shows it.
type Worker struct {
	ID      string `json:"id" example:"video-1f0c62b2d8e6a3b7c915@host"`
	Purpose string `json:"purpose" example:"video"`
	Status  string `json:"status" enum:"ready,full,draining,cordoned,not-ready,initializing" doc:"Whether it may be given tasks."`
	// Loads are shares of a worker, from 0 to 1.
	Load     float64           `json:"load" doc:"What it reported last, from 0 to 1."`
	Debit    float64           `json:"debit" doc:"Load that recent placements are expected to add."`
	MaxLoad  float64           `json:"max_load" doc:"Load from which it gets no further tasks."`
	Running  int               `json:"running" doc:"Tasks that it runs."`
	Reserved int               `json:"reserved" doc:"Tasks that are placed on it and not picked up yet."`
	MaxTasks int               `json:"max_tasks" doc:"The most tasks that it may hold, 0: no limit."`
	Regions  []string          `json:"regions" nullable:"false"`
	ISPs     []string          `json:"isps" nullable:"false"`
	Labels   map[string]string `json:"labels"`
	Address  string            `json:"address,omitempty" doc:"IP address or host name that it reported."`
	Drain    uint64            `json:"drain" doc:"Number of the drain that it is in, 0: none."`
	Cordoned bool              `json:"cordoned"`
	HeardMs  *int64            `json:"heard_ms,omitempty" doc:"How long ago the leader heard its last sign of life."`
}

func workerOf(w muster.Worker) Worker {
	running, reserved := w.CountTasks()
	v := Worker{
		ID: w.ID, Purpose: w.Purpose, Status: w.Status(), Load: w.Load, Debit: w.Debit, MaxLoad: w.Info.MaxLoad,
		Running: running, Reserved: reserved, MaxTasks: w.Info.MaxTasks,
		Regions: append([]string{}, w.Info.Capacity.Regions...), ISPs: append([]string{}, w.Info.Capacity.ISPs...), Labels: w.Info.Labels,
		Address: w.Info.Hostname, Drain: w.Drain, Cordoned: w.Cordoned, HeardMs: w.HeardMillis,
	}
	if v.Labels == nil {
		v.Labels = map[string]string{}
	}
	if v.Address == "" {
		v.Address = w.Info.IP
	}
	return v
}

// WorkerDetail is everything about a worker.
type WorkerDetail struct {
	Worker
	Tasks         []string `json:"tasks" nullable:"false" doc:"The first 100 tasks that it runs; /v1/tasks?worker= has all."`
	ReservedTasks []string `json:"reserved_tasks" nullable:"false" doc:"The first 100 tasks that are reserved on it."`
	Info          any      `json:"info" doc:"What it said when it joined, unchanged."`
}

// Task is a task that is on a worker.
type Task struct {
	Purpose   string `json:"purpose" example:"video"`
	Task      string `json:"task" example:"mix-1"`
	Worker    string `json:"worker"`
	State     string `json:"state" enum:"reserved,running"`
	Until     int64  `json:"until" doc:"When the reservation ends, in milliseconds since 1970; 0 for a task that runs."`
	Placement uint64 `json:"placement" doc:"Number of the placement, 0 if unknown."`
}

func taskOf(t client.Task) Task {
	return Task{Purpose: t.Purpose, Task: t.Task, Worker: t.Worker, State: string(t.State), Until: int64(t.Until), Placement: t.Placement}
}

// Explanation is why a task was placed where it was, or nowhere.
type Explanation struct {
	Purpose    string      `json:"purpose"`
	Task       string      `json:"task"`
	At         int64       `json:"at" doc:"In milliseconds since 1970."`
	Strategy   string      `json:"strategy" example:"least-used"`
	Workers    int         `json:"workers" doc:"Workers of the purpose."`
	Excluded   []Exclusion `json:"excluded" nullable:"false"`
	Candidates int         `json:"candidates" doc:"Workers that no rule excluded."`
	Chosen     *Candidate  `json:"chosen,omitempty" doc:"The worker that was taken."`
	Others     []Candidate `json:"others" nullable:"false" doc:"The best of the other candidates, at most three."`
	Ignored    []string    `json:"ignored" nullable:"false" doc:"Members of the preference that Muster does not know."`
	Reason     string      `json:"reason,omitempty" doc:"Why none was taken."`
}

// Exclusion is how many workers a rule excluded, each under the first rule that did.
type Exclusion struct {
	Rule    string `json:"rule" example:"label"`
	Workers int    `json:"workers"`
	Meaning string `json:"meaning" example:"lack a wanted label"`
}

// Candidate is a worker that could take the task.
type Candidate struct {
	Worker string  `json:"worker"`
	Load   float64 `json:"load"`
	Debit  float64 `json:"debit"`
	Score  float64 `json:"score" doc:"What the strategy compared."`
}

// Manager is a manager, and where its HTTP server is if it has one.
type Manager struct {
	muster.Member
	HTTP string `json:"http,omitempty" example:"http://127.0.0.1:8080"`
}

// Status is how the cluster stands.
type Status struct {
	Cluster   string                 `json:"cluster"`
	State     string                 `json:"state" enum:"initializing,in-service,no-quorum"`
	Version   string                 `json:"version"`
	StaleMs   int64                  `json:"stale_ms" doc:"How old the rest is while no manager leads, 0 if it is up to date."`
	Evictions client.Evictions       `json:"evictions"`
	Managers  []Manager              `json:"managers" nullable:"false"`
	Purposes  []client.PurposeStatus `json:"purposes" nullable:"false"`
	// Servers are the HTTP servers of the cluster.
	Servers []Peer `json:"servers" nullable:"false" doc:"The cluster's HTTP servers, this one among them."`
	Self    string `json:"self" doc:"The address of this server."`
	Manager string `json:"manager" doc:"The manager that this server is beside, empty for one that stands alone."`
	User    string `json:"user" doc:"Who you are, empty without tokens."`
	Role    string `json:"role" enum:"viewer,caller,operator,admin" doc:"What you may do."`
}
