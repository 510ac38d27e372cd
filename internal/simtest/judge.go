package simtest

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// anywhere is the state of a task for which there was a call without an answer:
// nowhere or on any worker, as the next answer tells.
const anywhere = "?"

// model is one task that nothing ever took from its worker: nowhere, then on
// one for good.
var model = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		return placement(state.(string), input.(*attempt))
	},
}

func placement(state string, a *attempt) (legal bool, next string) {
	switch {
	case !a.answered && state == "" && !a.look:
		return true, anywhere
	case !a.answered:
		return true, state
	case a.worker == "":
		return state == "" || state == anywhere, state
	case state == "" && a.look:
		return false, state
	case state == "", state == anywhere:
		return true, a.worker
	}
	return state == a.worker, state
}

// judge holds what the callers saw against each other, without a look at what
// the managers say: for each task that was never released, there must be an
// order of the calls that explains the answers.
func (s *Sim) judge() {
	if s.judgeDrains(); s.err != nil {
		return
	}
	tasks := map[taskKey][]porcupine.Operation{}
	for i, c := range s.callers {
		for _, a := range c.attempts {
			if s.truth.broken[a.key] {
				continue
			}
			end := int64(a.end)
			if !a.answered {
				end = math.MaxInt64
			}
			tasks[a.key] = append(tasks[a.key], porcupine.Operation{ClientId: i, Input: a, Output: a, Call: int64(a.start), Return: end})
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(tasks), compareKeys) {
		if porcupine.CheckOperationsTimeout(model, tasks[key], 10*time.Second) == porcupine.Illegal {
			s.failf("the answers about %s contradict each other", key)
			return
		}
	}
}
