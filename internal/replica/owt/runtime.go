package owt

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/muster-fleet/muster"
)

// runtimeData is the state of a cluster in OWT's format. All lists are in the
// order of the JSON.
type runtimeData struct {
	schedulers []schedulerData
	// workers are the workers of all schedulers, in the order in which they joined.
	workers []workerData
	// invalid are the errors of parts that could not be read and were left out.
	invalid []error
}

type schedulerData struct {
	purpose string
	tasks   []taskData
}

type workerData struct {
	id, purpose string
	state       muster.WorkerState
	load        float64
	info        muster.Info
	tasks       []string // running
}

type taskData struct {
	task, worker string
	// reserve is in milliseconds, or noReserve if the task was never placed.
	reserve int64
}

// noReserve marks a task that was picked up without a placement: OWT has no
// reserve time for it.
const noReserve = -1

// parseRuntime parses the data of a runtimeData message. Workers and tasks that
// cannot be read are left out; only a document of another form is an error.
func parseRuntime(data json.RawMessage) (*runtimeData, error) {
	var top struct {
		Schedulers json.RawMessage `json:"schedulers"`
		Workers    json.RawMessage `json:"workers"`
	}
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, fmt.Errorf("runtimeData: %w", err)
	}
	d := &runtimeData{}
	scheduled := map[string]workerData{}
	err := members(top.Schedulers, func(purpose string, raw json.RawMessage) error {
		d.scheduler(purpose, raw, scheduled)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("runtimeData: schedulers: %w", err)
	}
	err = members(top.Workers, func(id string, _ json.RawMessage) error {
		if w, ok := scheduled[id]; ok {
			d.workers = append(d.workers, w)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("runtimeData: workers: %w", err)
	}
	return d, nil
}

// maxInvalid is how many errors of unreadable parts are kept.
const maxInvalid = 8

// reject records the error of a part that cannot be read, if there is one.
func (d *runtimeData) reject(where string, err error) {
	if err != nil && len(d.invalid) < maxInvalid {
		d.invalid = append(d.invalid, fmt.Errorf("%.300s: %w", where, err))
	}
}

func (d *runtimeData) scheduler(purpose string, raw json.RawMessage, found map[string]workerData) {
	var parts struct {
		Workers json.RawMessage `json:"workers"`
		Tasks   json.RawMessage `json:"tasks"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		d.reject(purpose, err)
		return
	}
	if err := muster.CheckName(purpose, muster.MaxName); err != nil {
		d.reject("a purpose", err)
		return
	}
	s := schedulerData{purpose: purpose}
	d.reject(purpose+".workers", members(parts.Workers, func(id string, raw json.RawMessage) error {
		w, err := parseWorker(raw)
		if err == nil {
			err = muster.CheckName(id, muster.MaxName)
		}
		if err != nil {
			d.reject(purpose+".workers."+id, err)
			return nil
		}
		w.id, w.purpose = id, purpose
		found[id] = w
		return nil
	}))
	d.reject(purpose+".tasks", members(parts.Tasks, func(task string, raw json.RawMessage) error {
		t, err := parseTask(raw)
		if err == nil {
			err = muster.CheckName(task, muster.MaxTask)
		}
		if err != nil {
			d.reject(purpose+".tasks."+task, err)
			return nil
		}
		t.task = task
		s.tasks = append(s.tasks, t)
		return nil
	}))
	d.schedulers = append(d.schedulers, s)
}

func parseWorker(raw json.RawMessage) (workerData, error) {
	var w struct {
		State *muster.WorkerState `json:"state"`
		Load  float64             `json:"load"`
		Info  json.RawMessage     `json:"info"`
		Tasks []taskName          `json:"tasks"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return workerData{}, err
	}
	info, err := muster.ParseInfo(w.Info)
	if err == nil {
		err = info.Check()
	}
	tasks := slices.DeleteFunc(names(w.Tasks), func(task string) bool { return muster.CheckName(task, muster.MaxTask) != nil })
	switch {
	case err != nil:
		return workerData{}, err
	case w.Load < 0 || math.IsInf(w.Load, 0):
		return workerData{}, fmt.Errorf("load %v: use a number from 0 to 1", w.Load)
	}
	state := muster.StateUnreported
	if w.State != nil {
		state = *w.State
		if state < muster.StateInitializing || state > muster.StateReady {
			return workerData{}, fmt.Errorf("state %d: use 0, 1 or 2", int(state))
		}
	}
	return workerData{state: state, load: w.Load, info: info, tasks: tasks}, nil
}

func parseTask(raw json.RawMessage) (taskData, error) {
	var t struct {
		Reserve *float64 `json:"reserve_time"`
		Worker  string   `json:"worker"`
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return taskData{}, err
	}
	if t.Worker == "" {
		return taskData{}, errors.New("a worker is wanted")
	}
	reserve := int64(noReserve)
	if t.Reserve != nil {
		reserve = reserveMillis(*t.Reserve)
	}
	return taskData{worker: t.Worker, reserve: reserve}, nil
}
