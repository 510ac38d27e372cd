package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-fleet/muster"
)

// oracleDrain is a drain as lists of names. Which drain a worker is in is not
// kept: it is the newest one that covers it.
type oracleDrain struct {
	id       uint64
	order    muster.DrainOrder
	since    muster.Instant
	deadline muster.Instant
	in, off  []string // workers, in the order of their inclusion
	gone     map[string]muster.Instant
	overdue  bool
	ended    bool
	lost     int
}

// oracleHeld is what operators did.
type oracleHeld struct {
	drains     []*oracleDrain
	cordoned   map[string]muster.Instant // since when the worker is gone, 0 while it is there
	strategies map[string]muster.Strategy
	debit      *Debit
}

func newOracleHeld() oracleHeld {
	return oracleHeld{cordoned: map[string]muster.Instant{}, strategies: map[string]muster.Strategy{}}
}

func (o *oracle) strategy(purpose string) muster.Strategy {
	return cmp.Or(o.operators.strategies[purpose], o.cfg.Strategies[purpose], o.cfg.General)
}

func (o *oracle) debits() Debit {
	if o.operators.debit != nil {
		return *o.operators.debit
	}
	return o.cfg.Debit
}

// oracleSelects is the selector as a scan.
func oracleSelects(s muster.Selector, w *oracleWorker) bool {
	if s.Worker != "" && s.Worker != w.id || s.Purpose != "" && s.Purpose != w.purpose {
		return false
	}
	if s.Region != "" && !slices.Contains(w.info.Capacity.Regions, s.Region) {
		return false
	}
	for k, v := range s.Labels {
		if w.info.Labels[k] != v {
			return false
		}
	}
	return !s.IsEmpty()
}

func (o *oracle) drainOf(w *oracleWorker) *oracleDrain {
	for _, d := range slices.Backward(o.operators.drains) {
		if !d.ended && slices.Contains(d.in, w.id) {
			return d
		}
	}
	return nil
}

// enlist puts a worker that joined, or is freed, into the newest drain that
// covers it.
func (o *oracle) enlist(w *oracleWorker) {
	for _, d := range slices.Backward(o.operators.drains) {
		if d.ended || slices.Contains(d.off, w.id) {
			continue
		}
		if slices.Contains(d.in, w.id) || d.order.Sticky && oracleSelects(d.order.Selector, w) {
			o.put(d, w.id)
			return
		}
	}
}

// put moves a worker into a drain.
func (o *oracle) put(d *oracleDrain, id string) {
	for _, other := range o.operators.drains {
		if i := slices.Index(other.in, id); i >= 0 && other != d && !other.ended {
			other.in = slices.Delete(other.in, i, i+1)
			other.off = append(other.off, id)
		}
	}
	d.off = slices.DeleteFunc(d.off, func(x string) bool { return x == id })
	delete(d.gone, id)
	if !slices.Contains(d.in, id) {
		d.in = append(d.in, id)
	}
}

func (o *oracle) departed(id string) {
	for _, d := range o.operators.drains {
		if slices.Contains(d.in, id) || slices.Contains(d.off, id) {
			d.gone[id] = o.now
		}
		if d.order.Sticky && d.order.Selector.Worker == "" && slices.Contains(d.in, id) {
			d.drop(id)
		}
	}
	if _, ok := o.operators.cordoned[id]; ok {
		o.operators.cordoned[id] = o.now
	}
}

func (d *oracleDrain) drop(id string) {
	is := func(x string) bool { return x == id }
	d.in, d.off = slices.DeleteFunc(d.in, is), slices.DeleteFunc(d.off, is)
	delete(d.gone, id)
}

func (o *oracle) arrived(w *oracleWorker) {
	for _, d := range o.operators.drains {
		delete(d.gone, w.id)
	}
	if _, ok := o.operators.cordoned[w.id]; ok {
		o.operators.cordoned[w.id] = 0
	}
	o.enlist(w)
}

func (o *oracle) chosen(s muster.Selector) (ids []*oracleWorker) {
	for _, w := range o.workers {
		if oracleSelects(s, w) {
			ids = append(ids, w)
		}
	}
	return ids
}

// wouldLose reports whether a purpose has a worker that is not held, and none of
// these would be left.
func (o *oracle) wouldLose(chosen []*oracleWorker) bool {
	free := func(w *oracleWorker) bool {
		_, cordoned := o.operators.cordoned[w.id]
		return !cordoned && o.drainOf(w) == nil
	}
	for _, w := range chosen {
		if !free(w) {
			continue
		}
		if !slices.ContainsFunc(o.workers, func(v *oracleWorker) bool {
			return v.purpose == w.purpose && free(v) && !slices.Contains(chosen, v)
		}) {
			return true
		}
	}
	return false
}

func (o *oracle) drain(op Drain) Result {
	refused := Result{Err: fmt.Errorf("refused")}
	if op.Order.Policy == "" {
		op.Order.Policy = muster.DrainWait
	}
	for _, d := range o.operators.drains {
		if !d.ended && (d.order.Sticky || len(d.in) > 0) && o.now-d.since < orderMemory && fmt.Sprint(d.order) == fmt.Sprint(op.Order) {
			return Result{}
		}
	}
	chosen := o.chosen(op.Order.Selector)
	if len(chosen) == 0 && (!op.Order.Sticky || op.Order.Selector.Worker != "") || o.wouldLose(chosen) && !op.Order.Force {
		return refused
	}
	d := &oracleDrain{id: uint64(len(o.operators.drains) + 1), order: op.Order, since: o.now, gone: map[string]muster.Instant{}}
	if op.Order.DeadlineMillis > 0 {
		d.deadline = o.now + muster.Instant(op.Order.DeadlineMillis)
	}
	o.operators.drains = append(o.operators.drains, d)
	for _, w := range chosen {
		o.put(d, w.id)
	}
	o.endEmptyOnes()
	return Result{}
}

// endEmptyOnes ends the drains of which every worker was taken out.
func (o *oracle) endEmptyOnes() {
	for _, d := range o.operators.drains {
		if !d.ended && !d.order.Sticky && len(d.in) == 0 {
			o.endDrain(d)
		}
	}
}

func (o *oracle) endDrain(d *oracleDrain) {
	var freed []*oracleWorker
	for _, id := range d.in {
		if w := o.find(id); w != nil && o.drainOf(w) == d {
			freed = append(freed, w)
		}
	}
	d.ended, d.in, d.off = true, nil, nil
	for _, w := range freed {
		o.enlist(w)
	}
}

func (o *oracle) undrain(op Undrain) Result {
	did := false
	for _, d := range o.operators.drains {
		same := d.id == op.Drain || op.Drain == 0 && d.order.Selector.Equal(op.Selector)
		if same {
			did = true
			if !d.ended {
				defer func() { o.endEmptyOnes() }()
			}
		}
	}
	var ends []*oracleDrain
	for _, d := range o.operators.drains {
		if !d.ended && (d.id == op.Drain || op.Drain == 0 && d.order.Selector.Equal(op.Selector)) {
			ends = append(ends, d)
		}
	}
	if op.Drain == 0 && op.Selector.Worker != "" && len(o.chosen(op.Selector)) == 0 && len(ends) == 0 {
		return Result{Err: fmt.Errorf("refused")}
	}
	for _, d := range ends {
		o.endDrain(d)
	}
	if op.Drain == 0 {
		for _, w := range o.chosen(op.Selector) {
			if o.drainOf(w) == nil {
				continue
			}
			did = true
			for _, d := range o.operators.drains {
				if !d.ended && !slices.Contains(d.off, w.id) && (slices.Contains(d.in, w.id) || d.order.Sticky && oracleSelects(d.order.Selector, w)) {
					d.in = slices.DeleteFunc(d.in, func(x string) bool { return x == w.id })
					d.off = append(d.off, w.id)
				}
			}
		}
		o.endEmptyOnes()
	}
	if !did {
		return Result{Err: fmt.Errorf("refused")}
	}
	return Result{}
}

func (o *oracle) cordon(op Cordon) Result {
	refused := Result{Err: fmt.Errorf("refused")}
	chosen := o.chosen(op.Selector)
	_, known := o.operators.cordoned[op.Selector.Worker]
	if len(chosen) == 0 && !(op.Off && known) {
		return refused
	}
	if op.Off {
		delete(o.operators.cordoned, op.Selector.Worker)
		for _, w := range chosen {
			delete(o.operators.cordoned, w.id)
		}
		return Result{}
	}
	if o.wouldLose(chosen) && !op.Force {
		return refused
	}
	for _, w := range chosen {
		o.operators.cordoned[w.id] = 0
	}
	return Result{}
}

func (o *oracle) leftIn(d *oracleDrain) (n int) {
	for _, w := range o.workers {
		if o.drainOf(w) == d {
			held, _ := o.held(w)
			n += held
		}
	}
	return n
}

func (o *oracle) stepDrains() {
	old := func(at muster.Instant) bool { return at != 0 && o.now-at >= GoneMemory }
	for _, d := range o.operators.drains {
		if d.ended {
			continue
		}
		if d.deadline != 0 && o.now >= d.deadline && o.leftIn(d) > 0 {
			d.overdue = true
		}
		due := slices.ContainsFunc(slices.Collect(maps.Values(d.gone)), old)
		if due && !d.order.Sticky && !slices.ContainsFunc(d.in, func(id string) bool { return !old(d.gone[id]) }) {
			o.endDrain(d)
			continue
		}
		for id, at := range maps.Clone(d.gone) {
			if old(at) {
				d.drop(id)
			}
		}
	}
	o.endEmptyOnes()
	for id, at := range maps.Clone(o.operators.cordoned) {
		if old(at) {
			delete(o.operators.cordoned, id)
		}
	}
}

// handsBack reports whether a task goes to another worker when it is scheduled
// again.
func (o *oracle) handsBack(w *oracleWorker) bool {
	d := o.drainOf(w)
	return d != nil && d.overdue && d.order.Policy != muster.DrainWait
}

// dumpHeld is what operators did, as text.
func (o *oracle) dumpHeld() string {
	var b strings.Builder
	for _, w := range o.workers {
		id := uint64(0)
		if d := o.drainOf(w); d != nil {
			id = d.id
		}
		_, cordoned := o.operators.cordoned[w.id]
		fmt.Fprintf(&b, "%s drain %d cordoned %v\n", w.id, id, cordoned)
	}
	for _, d := range o.operators.drains {
		fmt.Fprintf(&b, "drain %d %v ended %v overdue %v lost %d", d.id, d.order, d.ended, d.overdue, d.lost)
		if !d.ended {
			fmt.Fprintf(&b, " left %d", o.leftIn(d))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *State) dumpHeld() string {
	var b strings.Builder
	for _, id := range s.Workers(AllPurposes) {
		w, _ := s.Worker(id)
		fmt.Fprintf(&b, "%s drain %d cordoned %v\n", w.ID, w.Drain, w.Cordoned)
	}
	for _, d := range s.drains {
		fmt.Fprintf(&b, "drain %d %v ended %v overdue %v lost %d", d.id, d.order, !d.active(), d.overdue, d.lost)
		if d.active() {
			fmt.Fprintf(&b, " left %d", s.viewDrain(d, true).Left)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
