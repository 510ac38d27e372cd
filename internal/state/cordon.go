package state

import (
	"fmt"
	"maps"
	"slices"

	"github.com/muster-fleet/muster"
)

// Cordon keeps new tasks from the selected workers, or with Off lets them have
// tasks again. Unlike a drain it is not followed and has no deadline.
type Cordon struct {
	Selector muster.Selector
	Off      bool
	Force    bool
	By       muster.Operator
}

// cordon is a worker that is cordoned. gone is since when it is not in the
// cluster, 0 while it is.
type cordon struct{ gone muster.Instant }

// cordon is the operation Cordon.
func (s *State) cordon(op Cordon) Result {
	workers, err := s.cordonable(op)
	if err != nil {
		return Result{Err: err}
	}
	if op.Off {
		return s.uncordon(op, workers)
	}
	if len(s.cordons)+len(workers) > muster.MaxSelected {
		return Result{Err: fmt.Errorf("cordoned workers must not be more than %d", muster.MaxSelected)}
	}
	if lost := s.losses(workers); len(lost) > 0 && !op.Force {
		return Result{Err: lossError(lost), Losses: lost}
	}
	before := s.heldText(workers)
	result := Result{Workers: make([]string, 0, len(workers))}
	for _, w := range workers {
		result.Workers = append(result.Workers, w.ID)
		if !w.IsCordoned() {
			s.do(muster.WorkerCordoned{Worker: w.ID, Cordoned: true})
		}
	}
	s.record(op.By, "cordon", op.Selector.String(), before, fmt.Sprintf("%d workers cordoned", len(workers)))
	return result
}

func (s *State) cordonable(op Cordon) ([]*worker, error) {
	if err := op.Selector.Check(); err != nil {
		return nil, err
	}
	if err := op.By.Check(); err != nil {
		return nil, err
	}
	workers, err := s.selected(op.Selector)
	if op.Off && op.Selector.Worker != "" && s.cordons[op.Selector.Worker] != nil {
		return workers, nil // it may have left
	}
	if err == nil && len(workers) == 0 {
		err = muster.ReasonNoneSelected
	}
	return workers, err
}

func (s *State) uncordon(op Cordon, workers []*worker) Result {
	before := s.heldText(workers)
	result := Result{Workers: []string{}}
	free := func(id string) {
		if s.cordons[id] != nil {
			s.do(muster.WorkerCordoned{Worker: id})
			result.Workers = append(result.Workers, id)
		}
	}
	for _, w := range workers {
		free(w.ID)
	}
	free(op.Selector.Worker)
	s.record(op.By, "uncordon", op.Selector.String(), before, fmt.Sprintf("%d workers take tasks again", len(result.Workers)))
	return result
}

func (s *State) foldCordoned(e muster.WorkerCordoned) {
	w := s.workers[e.Worker]
	switch {
	case !e.Cordoned:
		delete(s.cordons, e.Worker)
	case w != nil && s.cordons[e.Worker] == nil:
		s.cordons[e.Worker] = &cordon{}
	}
	if w != nil {
		w.SetHeld(w.drain != nil, e.Cordoned)
	}
}

// forgetCordons forgets the cordons of workers that left for good.
func (s *State) forgetCordons() {
	for _, id := range slices.Sorted(maps.Keys(s.cordons)) {
		if isForgotten(s.cordons[id].gone, s.now) {
			s.do(muster.WorkerCordoned{Worker: id})
		}
	}
}

func heldCounts(workers, draining, cordoned int) string {
	return fmt.Sprintf("%d workers: %d draining, %d cordoned", workers, draining, cordoned)
}
