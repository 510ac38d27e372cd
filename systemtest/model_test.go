package systemtest

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/muster-fleet/muster/systemtest/history"
)

// anywhere is the state of a task for which there was a call without an answer:
// it is nowhere or on any worker, which the next answer tells.
const anywhere = "?"

// model is one task: nowhere, then on a worker for good. Its state is the worker.
var model = porcupine.Model{
	Partition: byTask,
	Init:      func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		return step(state.(string), input.(history.Call).Look, output.(history.Call))
	},
}

func step(state string, look bool, c history.Call) (legal bool, next string) {
	switch {
	case !c.Answered() && state == "" && !look:
		return true, anywhere
	case !c.Answered():
		return true, state
	case look && c.Worker == "":
		return state == "" || state == anywhere, state
	case state == "" && look:
		return false, state
	case state == "", state == anywhere:
		return true, c.Worker
	}
	return state == c.Worker, state
}

func byTask(all []porcupine.Operation) [][]porcupine.Operation {
	tasks := map[string][]porcupine.Operation{}
	for _, op := range all {
		task := op.Input.(history.Call).Task
		tasks[task] = append(tasks[task], op)
	}
	var parts [][]porcupine.Operation
	for _, ops := range tasks {
		parts = append(parts, ops)
	}
	return parts
}

// linearizable tells whether the calls have an order that the model allows. One
// without an answer may have been carried out at any time after its beginning.
func linearizable(calls []history.Call) bool {
	var ops []porcupine.Operation
	for i, c := range calls {
		op := porcupine.Operation{ClientId: i, Input: c, Output: c, Call: int64(c.Start), Return: int64(c.End)}
		if !c.Answered() {
			op.Return = math.MaxInt64
		}
		ops = append(ops, op)
	}
	return porcupine.CheckOperationsTimeout(model, ops, patience) == porcupine.Ok
}

func TestLinearizable(t *testing.T) {
	lost := errors.New("no answer")
	at := func(start, end time.Duration, c history.Call) history.Call {
		c.Task, c.Start, c.End = "t", start, end
		return c
	}
	on := func(w string) history.Call { return history.Call{Worker: w} }
	look := func(w string) history.Call { return history.Call{Look: true, Worker: w} }
	for name, c := range map[string]struct {
		want  bool
		calls []history.Call
	}{
		"one worker":                        {true, []history.Call{at(0, 1, on("a")), at(2, 3, on("a")), at(4, 5, look("a"))}},
		"two workers":                       {false, []history.Call{at(0, 1, on("a")), at(2, 3, on("b"))}},
		"looked up while it is placed":      {true, []history.Call{at(0, 3, on("a")), at(1, 2, look(""))}},
		"unknown after its answer":          {false, []history.Call{at(0, 1, on("a")), at(2, 3, look(""))}},
		"there before it was asked for":     {false, []history.Call{at(0, 1, look("a")), at(2, 3, on("a"))}},
		"not answered, yet placed":          {true, []history.Call{at(0, 1, history.Call{Err: lost}), at(2, 3, look("")), at(4, 5, look("a"))}},
		"not answered, then gone again":     {false, []history.Call{at(0, 1, history.Call{Err: lost}), at(2, 3, look("a")), at(4, 5, look(""))}},
		"not answered, then somewhere else": {false, []history.Call{at(0, 1, on("a")), at(2, 3, history.Call{Err: lost}), at(4, 5, on("b"))}},
	} {
		if got := linearizable(c.calls); got != c.want {
			t.Errorf("%s: linearizable %v, want %v", name, got, c.want)
		}
	}
}
