package muster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// WorkerState is what a worker says of its own readiness.
type WorkerState int

// The states of OWT's wire. Only a worker that is Ready, or that never
// reported a state, may be given tasks.
const (
	StateUnreported   WorkerState = -1
	StateInitializing WorkerState = 0
	StateNotReady     WorkerState = 1
	StateReady        WorkerState = 2
)

// MayTake reports whether a worker in this state may be given tasks.
func (s WorkerState) MayTake() bool { return s == StateReady || s == StateUnreported }

func (s WorkerState) String() string {
	switch s {
	case StateUnreported:
		return "unreported"
	case StateInitializing:
		return "initializing"
	case StateNotReady:
		return "not-ready"
	case StateReady:
		return "ready"
	}
	return fmt.Sprintf("state %d", int(s))
}

// Formats are the codecs that a video worker offers, or that a task wants.
type Formats struct {
	Encode []string `json:"encode"`
	Decode []string `json:"decode"`
}

// Capacity is what a worker says that it can serve.
type Capacity struct {
	ISPs       []string `json:"isps"`
	Regions    []string `json:"regions"`
	Video      *Formats `json:"video,omitempty"`
	Algorithms []string `json:"algorithms,omitempty"`
}

// Info describes a worker when it joins: OWT's members, and
// Labels and MaxTasks beside them.
type Info struct {
	IP       string      `json:"ip,omitempty"`
	Hostname string      `json:"hostname,omitempty"`
	Port     int         `json:"port,omitempty"`
	Purpose  string      `json:"purpose,omitempty"`
	State    WorkerState `json:"state"`
	MaxLoad  float64     `json:"maxLoad"`
	Capacity Capacity    `json:"capacity"`

	// Labels are names and values of the operator's own choice, which a
	// preference can ask for.
	Labels map[string]string `json:"labels,omitempty"`
	// MaxTasks is the most tasks that the worker may hold at once, reserved
	// and running together. 0 means no limit.
	MaxTasks int `json:"max_tasks,omitempty"`

	// Raw is the JSON object exactly as the worker sent it, with the members
	// that are unknown here. It is what callers are given. It must not be
	// changed.
	Raw json.RawMessage `json:"-"`
}

// LabelWorker is the label of agents that has their own id, so that a preference
// can ask for some workers, or for all but one.
const LabelWorker = "muster.worker"

// ParseInfo reads what a worker sent on joining. Members that are absent get
// OWT's meaning (MaxLoad 1 where it is absent or not positive); a member of the
// wrong type is an error that names it. The workers of OWT 4.2 to 5.0 call
// maxLoad max_load; where both are there, maxLoad counts.
func ParseInfo(raw json.RawMessage) (Info, error) {
	info := plainInfo{State: StateUnreported}
	if t := bytes.TrimLeft(raw, " \t\r\n"); len(t) == 0 || t[0] != '{' {
		return Info{}, errors.New("info must be a JSON object")
	}
	if err := json.Unmarshal(raw, &info); err != nil {
		return Info{}, infoError(err)
	}
	if info.MaxTasks < 0 {
		return Info{}, errors.New("info.max_tasks must not be negative (0 means no limit)")
	}
	if info.MaxLoad <= 0 {
		var old struct {
			MaxLoad float64 `json:"max_load"`
		}
		if err := json.Unmarshal(raw, &old); err != nil {
			return Info{}, infoError(err)
		}
		info.MaxLoad = old.MaxLoad
	}
	if info.MaxLoad <= 0 {
		info.MaxLoad = 1
	}
	info.Raw = raw
	return Info(info), nil
}

func infoError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("info.%s must be a %s, not a %s", wrong.Field, wrong.Type, wrong.Value)
	}
	return fmt.Errorf("info: %w", err)
}

// plainInfo is an Info whose JSON is its fields.
type plainInfo Info

// MarshalJSON writes the info as the worker sent it where that is known, and
// else its fields.
func (i Info) MarshalJSON() ([]byte, error) {
	if i.Raw != nil {
		return i.Raw, nil
	}
	return json.Marshal(plainInfo(i))
}

// UnmarshalJSON is ParseInfo.
func (i *Info) UnmarshalJSON(data []byte) error {
	info, err := ParseInfo(bytes.Clone(data))
	*i = info
	return err
}

// Worker is a worker as the manager knows it.
type Worker struct {
	ID      string `json:"id"`
	Purpose string `json:"purpose"`
	// State is what it reported last, StateUnreported before that.
	State WorkerState `json:"state"`
	// Load is what it reported last, from 0 to 1. Before that it is its limit, as on
	// OWT's wire, and NoLoad is set: the worker gets no tasks yet.
	Load   float64 `json:"load"`
	NoLoad bool    `json:"no_load,omitempty"`
	// Debit is the load that recent placements are expected to add to Load.
	Debit float64 `json:"debit"`
	// Tasks are the tasks it runs, in the order in which it picked them up.
	Tasks []string `json:"tasks"`
	// Reserved are the tasks that are placed on it and not picked up yet.
	Reserved []string `json:"reserved"`
	// RunningCount and ReservedCount are how many they are, where a list has the
	// first of them only, or none.
	RunningCount  int `json:"running_count,omitempty"`
	ReservedCount int `json:"reserved_count,omitempty"`
	// Info is what it said when it joined.
	Info Info `json:"info"`
	// Drain is the number of the drain that keeps new tasks from it, 0 for none;
	// Cordoned reports that an operator does without a drain.
	Drain    uint64 `json:"drain,omitempty"`
	Cordoned bool   `json:"cordoned,omitempty"`
	// HeardMillis is how long ago the leader heard its last sign of life, in
	// milliseconds; nil where that is not known.
	HeardMillis *int64 `json:"heard_ms,omitempty"`
}

// Status is the worker's state in one word: "ready", "full" (its load is at its
// limit), "draining", "cordoned", "not-ready" or "initializing" (it said so, or
// reported no load yet).
func (w Worker) Status() string {
	switch {
	case w.Drain != 0:
		return "draining"
	case w.Cordoned:
		return "cordoned"
	case !w.State.MayTake():
		return w.State.String()
	case w.NoLoad:
		return StateInitializing.String()
	case w.Load >= w.Info.MaxLoad:
		return "full"
	}
	return StateReady.String()
}

// CountTasks returns how many tasks it runs, and how many more are placed on it.
func (w Worker) CountTasks() (running, reserved int) {
	return max(w.RunningCount, len(w.Tasks)), max(w.ReservedCount, len(w.Reserved))
}
