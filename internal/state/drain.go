package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/muster-fleet/muster"
)

// The operations of operators.
type (
	// Drain keeps new tasks from the workers that an order selects, until the
	// drain is called off. Workers that are in another drain move to this one.
	Drain struct{ Order muster.DrainOrder }
	// Undrain calls a drain off, by its number or by its selector; with any
	// other selector it takes the selected workers out of their drains.
	Undrain struct {
		Drain    uint64
		Selector muster.Selector
		By       muster.Operator
	}
	// StepDrains does what is due of drains, as of the command's At: deadlines,
	// drains that became empty, workers that are gone for long.
	StepDrains struct{}
)

// GoneMemory is for how many milliseconds a drain or a cordon remembers a worker
// that left: one that comes back in that time still gets no tasks.
const GoneMemory = 60 * 60 * 1000

// orderMemory is for how many milliseconds the same order counts as repeated.
const orderMemory = 60 * 1000

// drain is a drain. One that ended has no members.
type drain struct {
	id              uint64
	order           muster.DrainOrder
	since, deadline muster.Instant
	emptied, ended  muster.Instant
	state           muster.DrainState // DrainRunning while it is in force
	overdue         bool
	members         []*member // in the order of their inclusion
	byWorker        map[string]*member
	// workers and total count the members that were forgotten, and the tasks that
	// they had; remaining counts the tasks that were left when the drain ended, lost
	// those that workers had when they left the cluster.
	workers, total, remaining, lost int
}

// member is a worker in a drain.
type member struct {
	worker, purpose string
	total           int            // tasks when it was included
	off             bool           // taken out again
	gone            muster.Instant // since when it is not in the cluster, 0 while it is
}

func (d *drain) active() bool { return d.state == muster.DrainRunning }

// member finds a worker in the drain, nil where it is not.
func (d *drain) member(worker string) *member { return d.byWorker[worker] }

func (d *drain) add(m *member) {
	d.members = append(d.members, m)
	d.byWorker[m.worker] = m
}

// covers reports whether the drain includes a worker that joins.
func (d *drain) covers(w *worker) bool {
	if !d.active() {
		return false
	}
	if m := d.member(w.ID); m != nil {
		return !m.off
	}
	return d.order.Sticky && d.order.Selector.Matches(w.ID, w.purpose.name, w.Info())
}

// drain finds a drain by its number, nil where there is none.
func (s *State) drain(id uint64) *drain {
	i, ok := slices.BinarySearchFunc(s.drains, id, func(d *drain, id uint64) int { return cmp.Compare(d.id, id) })
	if !ok {
		return nil
	}
	return s.drains[i]
}

// selected returns the workers that a selector matches, in join order. A worker
// that is named must be there.
func (s *State) selected(sel muster.Selector) ([]*worker, error) {
	if sel.Worker != "" {
		w, err := s.worker(sel.Worker)
		if err != nil {
			return nil, err
		}
		if !sel.Matches(w.ID, w.purpose.name, w.Info()) {
			return nil, muster.ReasonNoneSelected
		}
		return []*worker{w}, nil
	}
	var found []*worker
	for _, w := range s.joinOrder() {
		if sel.Matches(w.ID, w.purpose.name, w.Info()) {
			found = append(found, w)
		}
	}
	return found, nil
}

// beginDrain is the operation Drain.
func (s *State) beginDrain(op Drain) Result {
	if err := op.Order.Check(); err != nil {
		return Result{Err: err}
	}
	if d := s.ordered(op.Order); d != nil {
		return Result{Drain: s.viewDrain(d, true)}
	}
	workers, err := s.selected(op.Order.Selector)
	if err == nil && len(workers) == 0 && !op.Order.Sticky {
		err = muster.ReasonNoneSelected
	}
	if err == nil {
		err = s.admitDrain(len(workers))
	}
	if err != nil {
		return Result{Err: err}
	}
	if lost := s.losses(workers); len(lost) > 0 && !op.Order.Force {
		return Result{Err: lossError(lost), Losses: lost}
	}
	before := s.heldText(workers)
	e := muster.DrainOrdered{Drain: s.lastDrain + 1, Order: op.Order}
	e.Order.Policy = cmp.Or(op.Order.Policy, muster.DrainWait)
	if op.Order.DeadlineMillis > 0 {
		e.Deadline = s.deadline(op.Order.DeadlineMillis)
	}
	s.do(e)
	for _, w := range workers {
		s.do(muster.WorkerDrained{Worker: w.ID, Drain: e.Drain})
	}
	s.endDeserted()
	s.record(op.Order.By, "drain", op.Order.Selector.String(), before, fmt.Sprintf("drain %d of %d workers, %s", e.Drain, len(workers), orderText(e.Order)))
	return Result{Drain: s.viewDrain(s.drain(e.Drain), true)}
}

// ordered returns the drain that the same order began a moment ago, nil where
// there is none: a caller repeats an order whose answer it did not get.
func (s *State) ordered(o muster.DrainOrder) *drain {
	for _, d := range slices.Backward(s.drains) {
		if d.active() && !d.deserted() && s.now-d.since < orderMemory && equalOrders(d.order, o) {
			return d
		}
	}
	return nil
}

func equalOrders(a, b muster.DrainOrder) bool {
	return a.Selector.Equal(b.Selector) && a.Sticky == b.Sticky && a.DeadlineMillis == b.DeadlineMillis &&
		a.Policy == cmp.Or(b.Policy, muster.DrainWait) && a.Force == b.Force && a.By == b.By
}

func orderText(o muster.DrainOrder) string {
	text := "no deadline"
	if o.DeadlineMillis > 0 {
		text = fmt.Sprintf("after %d ms %s", o.DeadlineMillis, o.Policy)
	}
	if o.Sticky {
		text += ", sticky"
	}
	if o.Force {
		text += ", forced"
	}
	return text
}

// admitDrain makes room for a drain of so many workers: the oldest one that
// ended goes first.
func (s *State) admitDrain(workers int) error {
	held := workers
	for _, d := range s.drains {
		held += len(d.members)
	}
	if held > muster.MaxSelected {
		return fmt.Errorf("drains must not have more than %d workers together", muster.MaxSelected)
	}
	if len(s.drains) >= muster.MaxDrains && !slices.ContainsFunc(s.drains, func(d *drain) bool { return !d.active() }) {
		return fmt.Errorf("drains in force must not be more than %d: call one off first", muster.MaxDrains)
	}
	return nil
}

// losses are the purposes that would have no worker left that may take tasks,
// and have one now.
func (s *State) losses(workers []*worker) []muster.Loss {
	taken := map[*purpose][]*worker{}
	for _, w := range workers {
		if !w.IsDraining() && !w.IsCordoned() {
			taken[w.purpose] = append(taken[w.purpose], w)
		}
	}
	var lost []muster.Loss
	for p, those := range taken {
		n := p.pool.Tally()
		if n.Workers-n.Draining-n.Cordoned > len(those) {
			continue
		}
		l := muster.Loss{Purpose: p.name, Workers: len(those)}
		for _, w := range those {
			l.Running, l.Reserved = l.Running+w.running.n, l.Reserved+w.reserved.n
		}
		lost = append(lost, l)
	}
	slices.SortFunc(lost, func(a, b muster.Loss) int { return cmp.Compare(a.Purpose, b.Purpose) })
	return lost
}

// lossError says what would be lost.
func lossError(lost []muster.Loss) error {
	text := ""
	for i, l := range lost {
		if i > 0 {
			text += "; "
		}
		if i == 3 && len(lost) > 4 {
			text += fmt.Sprintf("and %d more purposes", len(lost)-i)
			break
		}
		text += l.String()
	}
	return muster.ReasonLastWorkers(text)
}

func (s *State) foldOrdered(e muster.DrainOrdered) {
	if s.drain(e.Drain) != nil || e.Drain <= s.lastDrain {
		return
	}
	if len(s.drains) >= muster.MaxDrains {
		i := slices.IndexFunc(s.drains, func(d *drain) bool { return !d.active() })
		if i < 0 {
			return
		}
		s.drains = slices.Delete(s.drains, i, i+1)
	}
	s.lastDrain = e.Drain
	s.drains = append(s.drains, &drain{
		id: e.Drain, order: e.Order, since: s.now, deadline: e.Deadline, state: muster.DrainRunning, byWorker: map[string]*member{},
	})
}

func (s *State) foldDrained(e muster.WorkerDrained) {
	w := s.workers[e.Worker]
	if w == nil {
		return
	}
	if d := s.drain(e.Drain); d != nil && d.active() {
		s.move(w, d)
	} else if e.Drain == 0 {
		s.exempt(w)
	}
	w.SetHeld(w.drain != nil, w.IsCordoned())
}

// exempt takes a worker out of every drain, also of those that would include it
// when it joins again.
func (s *State) exempt(w *worker) {
	for _, d := range s.drains {
		if d.covers(w) {
			w.include(d).off = true
		}
	}
	w.drain = nil
}

// move puts a worker into a drain, and out of the one that it was in.
func (s *State) move(w *worker, d *drain) {
	for _, other := range s.drains {
		if m := other.member(w.ID); m != nil && other != d {
			m.off = true
		}
	}
	w.include(d).off = false
	w.drain = d
}

// include returns the worker's place in a drain.
func (w *worker) include(d *drain) *member {
	m := d.member(w.ID)
	if m == nil {
		m = &member{worker: w.ID, purpose: w.purpose.name, total: w.running.n + w.reserved.n}
		d.add(m)
	}
	return m
}

// hold applies drains and cordons to a worker that joined, or whose drain ended:
// it is in the newest drain that covers it.
func (s *State) hold(w *worker) {
	for _, d := range s.drains {
		if m := d.member(w.ID); m != nil {
			m.gone = 0
		}
	}
	for _, d := range slices.Backward(s.drains) {
		if d.covers(w) {
			s.move(w, d)
			break
		}
	}
	c := s.cordons[w.ID]
	if c != nil {
		c.gone = 0
	}
	w.SetHeld(w.drain != nil, c != nil)
}

// letGo notes that a worker left, with so many tasks. A sticky drain would include
// it again by its selector, and need not remember it.
func (s *State) letGo(w *worker, tasks int) {
	if w.drain != nil {
		w.drain.lost += tasks
	}
	for _, d := range s.drains {
		m := d.member(w.ID)
		if m == nil {
			continue
		}
		m.gone = s.now
		if d.order.Sticky && !m.off && d.order.Selector.Worker == "" {
			d.forget(func(o *member) bool { return o == m })
		}
	}
	if c := s.cordons[w.ID]; c != nil {
		c.gone = s.now
	}
}

// forget takes members off the list, and keeps them in the figures.
func (d *drain) forget(which func(*member) bool) {
	d.members = slices.DeleteFunc(d.members, func(m *member) bool {
		if !which(m) {
			return false
		}
		if !m.off {
			d.workers++
			d.total += m.total
		}
		delete(d.byWorker, m.worker)
		return true
	})
}

// undrain is the operation Undrain.
func (s *State) undrain(op Undrain) Result {
	ends, workers, err := s.calledOff(op)
	if err != nil {
		return Result{Err: err}
	}
	last := uint64(0)
	for _, d := range ends {
		s.end(d, muster.DrainCalledOff)
		last = d.id
	}
	n := 0
	for _, w := range workers {
		if w.drain != nil {
			last = w.drain.id
			s.do(muster.WorkerDrained{Worker: w.ID})
			n++
		}
	}
	s.endDeserted()
	if last == 0 {
		return s.undrained(op)
	}
	target := op.Selector.String()
	if op.Drain != 0 {
		target = fmt.Sprintf("drain %d", op.Drain)
	}
	s.record(op.By, "undrain", target, "", fmt.Sprintf("%d drains called off, %d workers taken out of others", len(ends), n))
	return Result{Drain: s.viewDrain(s.drain(last), true)}
}

// undrained answers an order that changes nothing: one that was repeated gets the
// drain that it called off.
func (s *State) undrained(op Undrain) Result {
	for _, d := range slices.Backward(s.drains) {
		if d.id == op.Drain || op.Drain == 0 && d.order.Selector.Equal(op.Selector) {
			return Result{Drain: s.viewDrain(d, true)}
		}
	}
	return Result{Err: muster.ReasonNoDrain}
}

// calledOff returns which drains end, and which workers leave theirs.
func (s *State) calledOff(op Undrain) (ends []*drain, workers []*worker, err error) {
	if op.Drain != 0 {
		if d := s.drain(op.Drain); d != nil && d.active() {
			ends = append(ends, d)
		}
		return ends, nil, op.By.Check()
	}
	if err := errors.Join(op.Selector.Check(), op.By.Check()); err != nil {
		return nil, nil, err
	}
	for _, d := range s.drains {
		if d.active() && d.order.Selector.Equal(op.Selector) {
			ends = append(ends, d)
		}
	}
	workers, err = s.selected(op.Selector)
	if len(ends) > 0 {
		err = nil // its worker may have left
	}
	return ends, workers, err
}

func (s *State) end(d *drain, state muster.DrainState) {
	s.do(muster.DrainEnded{Drain: d.id, State: state})
}

func (s *State) foldEnded(e muster.DrainEnded) {
	d := s.drain(e.Drain)
	if d == nil || !d.active() {
		return
	}
	d.state, d.ended = e.State, s.now
	freed := s.drained(d)
	for _, w := range freed {
		d.remaining += w.running.n + w.reserved.n
		w.drain = nil
	}
	d.forget(func(*member) bool { return true })
	for _, w := range freed {
		s.hold(w)
	}
}

// endDeserted ends the drains whose last worker was taken out.
func (s *State) endDeserted() {
	for _, d := range s.drains {
		if d.deserted() {
			s.end(d, muster.DrainCalledOff)
		}
	}
}

// deserted reports whether all workers were taken out of a drain.
func (d *drain) deserted() bool {
	return d.active() && !d.order.Sticky && !slices.ContainsFunc(d.members, func(m *member) bool { return !m.off })
}
