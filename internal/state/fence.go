package state

import (
	"encoding/json"

	"github.com/muster-fleet/muster"
)

// A placement number is the time of the placement in milliseconds, or one more
// than the last number where that is as late. So numbers rise also where a lone
// manager lost its state and began with an empty one.
func (s *State) nextPlacement() uint64 { return max(s.placements+1, uint64(max(s.now, 0))) }

// placedAs reports whether the task's placement may be the one with that number.
// 0 on either side is one that is not known.
func (t *task) placedAs(number uint64) bool {
	return number == 0 || t.placement == 0 || number == t.placement
}

// claimedAs reports whether the task may run by the claim with that number, or by
// a pick-up of that placement without a claim.
func (t *task) claimedAs(number uint64) bool {
	return number == 0 || number == t.claim || t.claim == 0 && t.placedAs(number)
}

// adopted is the number of a task that a worker runs and that is unknown here:
// its own, unless no placement can have had it.
func (s *State) adopted(op PickUpTasks, i int) uint64 {
	next := s.nextPlacement()
	if i < len(op.Placements) && op.Placements[i] > 0 && op.Placements[i] < next {
		return op.Placements[i]
	}
	return next
}

// claim is the operation ClaimTask. It may be repeated. Each one that is granted
// has a number of its own: a word that ends a run, and that a queue hands on
// late, must not end a later run of the same placement.
func (s *State) claim(op ClaimTask) Result {
	w, err := s.worker(op.Worker)
	if err != nil {
		return Result{Err: err}
	}
	t := s.find(w.purpose, op.Task)
	number := s.nextPlacement()
	switch {
	case w.incarnation != "" && op.Incarnation != "" && op.Incarnation != w.incarnation:
		return Result{Err: muster.ReasonReplaced}
	case t != nil && t.worker != w:
		s.do(muster.TaskRefused{Purpose: w.purpose.name, Task: op.Task, Worker: w.ID, Holder: t.worker.ID})
		return Result{Err: muster.ReasonTaskElsewhere}
	case t != nil && !t.placedAs(op.Placement), t == nil && op.Placement != 0:
		return Result{Err: muster.ReasonPlacementOver}
	case t == nil && !w.HasSlot():
		return Result{Err: muster.ReasonNoSlot}
	case t == nil:
		doTask(s, muster.TaskPickedUp{Purpose: w.purpose.name, Task: op.Task, Worker: w.ID, Placement: number}, (*State).foldPickedUp)
	case !t.running:
		doTask(s, muster.TaskPickedUp{Purpose: w.purpose.name, Task: op.Task, Worker: w.ID, Placement: t.placement}, (*State).foldPickedUp)
	}
	doTask(s, muster.TaskClaimed{Purpose: w.purpose.name, Task: op.Task, Worker: w.ID, Number: number}, (*State).foldClaimed)
	return Result{Worker: w.ID, Placement: number}
}

func (s *State) foldClaimed(e muster.TaskClaimed) {
	s.placements = max(s.placements, e.Number)
	if w := s.workers[e.Worker]; w != nil {
		if t := s.on(w, e.Task); t != nil {
			w.keep()
			t.claim = e.Number
		}
	}
}

// maxIncarnation is the longest incarnation that counts, in bytes.
const maxIncarnation = 64

// Incarnation reads the member "incarnation" of the info that a worker joins
// with: a text that distinguishes its process from others with the same id. Of two
// processes the later one has the greater text. It is "" where there is none.
func Incarnation(info json.RawMessage) string {
	var members struct{ Incarnation any }
	if json.Unmarshal(info, &members) != nil {
		return ""
	}
	text, _ := members.Incarnation.(string)
	if len(text) > maxIncarnation {
		return ""
	}
	return text
}

// IncarnationOf returns the process that has the worker's id.
func (s *State) IncarnationOf(worker string) string {
	if w := s.workers[worker]; w != nil {
		return w.incarnation
	}
	return ""
}
