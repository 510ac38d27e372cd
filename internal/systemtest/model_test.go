package systemtest

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/muster-fleet/muster/internal/systemtest/history"
)

// anywhere is the state of a task for which there was a call without an answer:
// it is nowhere or on any worker, which the next answer shows.
const anywhere = "?"

// model is one task: nowhere, then on a worker until it ends, and then nowhere
// again. Its state is the worker.
var model = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, _, output any) (bool, any) {
		c := output.(history.Call)
		if c.Over {
			return true, ""
		}
		return step(state.(string), c.Look, c)
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

// linearizable reports whether the calls have an order that the model allows. One
// without an answer may have been carried out at any time after its beginning, as
// may the end of a task.
func linearizable(calls []history.Call) bool { return len(disordered(calls)) == 0 }

// disordered is the calls of a task that have no such order, nil where there is
// none.
func disordered(calls []history.Call) []history.Call {
	tasks := map[string][]history.Call{}
	for _, c := range calls {
		tasks[c.Task] = append(tasks[c.Task], c)
	}
	for _, calls := range tasks {
		if porcupine.CheckOperationsTimeout(model, operations(calls), patience) != porcupine.Ok {
			return calls
		}
	}
	return nil
}

func operations(calls []history.Call) []porcupine.Operation {
	var ops []porcupine.Operation
	for i, c := range calls {
		op := porcupine.Operation{ClientId: i, Input: c, Output: c, Call: int64(c.Start), Return: int64(c.End)}
		if !c.Answered() || c.Over {
			op.Return = math.MaxInt64
		}
		ops = append(ops, op)
	}
	return ops
}

func TestLinearizable(t *testing.T) {
	lost := errors.New("no answer")
	at := func(start, end time.Duration, c history.Call) history.Call {
		c.Task, c.Start, c.End = "t", start, end
		return c
	}
	on := func(w string) history.Call { return history.Call{Worker: w} }
	over := history.Call{Over: true}
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
		"over":                              {true, []history.Call{at(0, 1, on("a")), at(2, 2, over), at(3, 4, look("a")), at(5, 6, look(""))}},
		"gone before it was over":           {false, []history.Call{at(0, 1, on("a")), at(2, 3, look("")), at(4, 4, over)}},
		"back after it was gone":            {false, []history.Call{at(0, 1, on("a")), at(2, 2, over), at(3, 4, look("")), at(5, 6, look("a"))}},
		"over, and placed anew":             {true, []history.Call{at(0, 1, on("a")), at(2, 2, over), at(3, 4, on("b")), at(5, 6, look("b"))}},
		"moved before it was over":          {false, []history.Call{at(0, 1, on("a")), at(2, 3, on("b")), at(4, 4, over)}},
	} {
		if got := linearizable(c.calls); got != c.want {
			t.Errorf("%s: linearizable %v, want %v", name, got, c.want)
		}
	}
}
