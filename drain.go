package muster

import "fmt"

// DrainPolicy says what becomes of the tasks that are left when the deadline of
// a drain has passed.
type DrainPolicy string

const (
	// DrainWait leaves them alone: the drain goes on until they end.
	DrainWait DrainPolicy = "wait"
	// DrainHandBack gives them back to their callers: a notice asks these to
	// schedule the task again, and a caller that does gets another worker. Until then
	// the task stays where it is.
	DrainHandBack DrainPolicy = "hand-back"
	// DrainEnd has agents end them. The tasks of workers that are no agents are
	// handed back.
	DrainEnd DrainPolicy = "end"
)

// DrainPolicies lists every policy there is.
var DrainPolicies = []DrainPolicy{DrainWait, DrainHandBack, DrainEnd}

// ParseDrainPolicy returns the policy of that name, DrainWait for "". Its error
// lists the names that exist.
func ParseDrainPolicy(name string) (DrainPolicy, error) {
	if name == "" {
		return DrainWait, nil
	}
	return parseName("policy", name, DrainPolicies)
}

// DrainState is how far a drain is.
type DrainState string

const (
	// DrainRunning: tasks are left.
	DrainRunning DrainState = "draining"
	// DrainEmpty: no tasks are left, and the workers still get no new ones.
	DrainEmpty DrainState = "empty"
	// DrainCalledOff: the workers take tasks again, or are in another drain.
	DrainCalledOff DrainState = "called-off"
	// DrainOver: its workers have been gone from the cluster for long.
	DrainOver DrainState = "over"
)

// IsActive reports whether the drain still keeps tasks from its workers.
func (s DrainState) IsActive() bool { return s == DrainRunning || s == DrainEmpty }

// DrainOrder is the order to drain workers.
type DrainOrder struct {
	Selector Selector `json:"selector"`
	// Sticky includes workers that join later and match the selector.
	Sticky bool `json:"sticky,omitempty"`
	// DeadlineMillis is after how many milliseconds Policy applies; 0 is never.
	DeadlineMillis int64       `json:"deadline_ms,omitempty"`
	Policy         DrainPolicy `json:"policy,omitempty"`
	// Force drains also the last workers of a purpose.
	Force bool     `json:"force,omitempty"`
	By    Operator `json:"by"`
}

// Drain is a drain and how far it is.
type Drain struct {
	// ID numbers the drains of a cluster from 1.
	ID       uint64      `json:"id"`
	Selector Selector    `json:"selector"`
	Sticky   bool        `json:"sticky,omitempty"`
	Policy   DrainPolicy `json:"policy"`
	Forced   bool        `json:"forced,omitempty"`
	By       Operator    `json:"by"`
	State    DrainState  `json:"state"`
	// Since is when it was ordered, Deadline when Policy applies, 0 if never;
	// Overdue that it does by now.
	Since    Instant `json:"since"`
	Deadline Instant `json:"deadline,omitempty"`
	Overdue  bool    `json:"overdue,omitempty"`
	// Emptied is when the last task ended, Ended when the drain was called off
	// or over; each is 0 before that.
	Emptied Instant `json:"emptied,omitempty"`
	Ended   Instant `json:"ended,omitempty"`
	// Left is how many tasks are on its workers, Total how many were when each
	// of them was included.
	Left  int `json:"left"`
	Total int `json:"total"`
	// Lost is how many tasks its workers had when they left the cluster: these did
	// not end, even where no task is left.
	Lost int `json:"lost,omitempty"`
	// EstimateMillis is in how many milliseconds it will probably be empty, as
	// tasks of these purposes lasted before; -1 where too few have ended to say.
	EstimateMillis int64 `json:"estimate_ms"`
	// Workers counts the workers in it. Members are they, and only in the answer
	// for one drain.
	Workers int             `json:"workers"`
	Members []DrainedWorker `json:"members,omitempty"`
}

// DrainedWorker is a worker in a drain.
type DrainedWorker struct {
	ID      string `json:"id"`
	Purpose string `json:"purpose"`
	// Running and Reserved are the tasks that are left on it, Total is how many
	// there were when it was included.
	Running  int `json:"running"`
	Reserved int `json:"reserved"`
	Total    int `json:"total"`
	// Gone is since when it is not in the cluster, 0 while it is.
	Gone Instant `json:"gone,omitempty"`
}

// Check returns what is wrong with an order, naming the member.
func (o DrainOrder) Check() error {
	if err := o.Selector.Check(); err != nil {
		return err
	}
	if _, err := ParseDrainPolicy(string(o.Policy)); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	if o.DeadlineMillis < 0 || o.DeadlineMillis > MaxDeadline {
		return fmt.Errorf("deadline_ms must be 0 (none) to %d", int64(MaxDeadline))
	}
	return o.By.Check()
}
