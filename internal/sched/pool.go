package sched

import (
	"iter"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/purposes"
)

// Pool is the workers of one purpose, and who of them takes the next task.
type Pool struct {
	purpose  string
	rules    purposes.Purpose
	strategy muster.Strategy
	firm     bool // debits count against the limits of workers
	index    index

	seats    []seat  // in join order, empty where a worker left
	at       []int32 // where each of them is in its heap
	live     int
	statuses [numStatus]int

	classes   map[string]*class
	list      []*class        // all of them
	inhabited int             // those that have workers
	splits    map[string]bool // label keys that divide classes
	labelled  map[string]int  // how many workers have a label of that key
	views     views
	limits    Limits
	version   uint64 // changes with the membership

	cursor int32   // place in the join order of the last placement, -1 before
	last   *Worker // of the last placement, while it is there
	spare  *Worker // two-choices: the better one left over, while it is there

	picks            picks
	allFull, noMatch error
}

// NewPool returns an empty pool for tasks of the purpose.
func NewPool(purpose string, strategy muster.Strategy) *Pool {
	p := &Pool{
		purpose: purpose, rules: purposes.Of(purpose), strategy: strategy,
		classes: map[string]*class{}, splits: map[string]bool{}, labelled: map[string]int{},
		views:   views{byKey: map[string]*view{}, byRaw: map[string]parsed{}},
		limits:  DefaultLimits(),
		cursor:  -1,
		allFull: muster.ReasonNotScheduled(purpose, muster.ReasonAllFull),
		noMatch: muster.ReasonNotScheduled(purpose, muster.ReasonNoMatch),
	}
	p.index = p.newIndex()
	return p
}

// Limits bound what a pool keeps beside its workers. No answer depends on them.
type Limits struct {
	// Views is how many different requirements are remembered.
	Views int
	// Slack is how many empty places in the join order, and classes without
	// workers, are left alone in any case.
	Slack int
}

// DefaultLimits are those of NewPool.
func DefaultLimits() Limits { return Limits{Views: 1024, Slack: 64} }

// Limit changes the limits of an empty pool.
func (p *Pool) Limit(l Limits) { p.limits = l }

// Strategy is the one in force.
func (p *Pool) Strategy() muster.Strategy { return p.strategy }

// SetStrategy changes the strategy from the next placement on.
func (p *Pool) SetStrategy(s muster.Strategy) {
	if s != p.strategy {
		p.rebuild(func() { p.strategy = s })
	}
}

// SetFirm says whether debits count against the limits of the workers. In any
// case strategies compare loads with their debits.
func (p *Pool) SetFirm(firm bool) {
	if firm == p.firm {
		return
	}
	p.firm = firm
	for w := range p.All() {
		p.refresh(w)
	}
}

// Add takes a worker in, as the last of the join order. It has reported
// nothing yet.
func (p *Pool) Add(w *Worker, info muster.Info) {
	w.pool, w.ord = p, int32(len(p.seats))
	p.seats = append(p.seats, seat{worker: w, id: w.ID})
	w.join(info)
	p.at = append(p.at, 0)
	p.live++
	p.label(w)
	p.attach(w)
}

// Rejoin takes a worker in again with what it says of itself now. It keeps its
// place in the join order and its tasks. If it is the same process as before, its
// state and load stay, too; another has reported nothing yet.
func (p *Pool) Rejoin(w *Worker, info muster.Info, same bool) {
	p.detach(w)
	p.unlabel(w)
	if same {
		w.joinAgain(info)
	} else {
		w.join(info)
	}
	p.label(w)
	p.attach(w)
	p.tidy()
}

// Remove takes a worker out.
func (p *Pool) Remove(w *Worker) {
	p.detach(w)
	p.unlabel(w)
	p.seats[w.ord] = seat{}
	p.live--
	if p.last == w {
		p.last = nil
	}
	if p.spare == w {
		p.spare = nil
	}
	p.tidy()
}

// attach puts a worker into its class and into the counts and the index.
func (p *Pool) attach(w *Worker) {
	p.version++
	w.class = p.classOf(w.info)
	if w.class.size++; w.class.size == 1 {
		p.inhabited++
	}
	w.status = w.assess()
	p.count(w, 1)
	if w.status == available {
		p.index.enter(w)
	}
}

// detach undoes attach.
func (p *Pool) detach(w *Worker) {
	p.version++
	if w.status == available {
		p.index.leave(w)
	}
	p.count(w, -1)
	if w.class.size--; w.class.size == 0 {
		p.inhabited--
	}
	w.class = nil
}

func (p *Pool) count(w *Worker, n int) {
	p.statuses[w.status] += n
	w.class.statuses[w.status] += n
}

// refresh brings counts and index up to date after a worker's figures changed.
func (p *Pool) refresh(w *Worker) {
	was, is := w.status, w.assess()
	if was == is {
		if is == available {
			p.index.update(w)
		}
		return
	}
	if was == available {
		p.index.leave(w)
	}
	p.count(w, -1)
	w.status = is
	p.count(w, 1)
	if is == available {
		p.index.enter(w)
	}
}

// Tally is the workers of a pool in figures. A worker that is kept from taking
// tasks by more than one cause counts under the first.
type Tally struct{ Workers, Draining, Cordoned, NotReady, Full, NoSlots, Available int }

// Tally counts the workers.
func (p *Pool) Tally() Tally {
	return Tally{p.live, p.statuses[draining], p.statuses[cordoned], p.statuses[notReady], p.statuses[full], p.statuses[noSlots], p.statuses[available]}
}

// All yields the workers in join order.
func (p *Pool) All() iter.Seq[*Worker] {
	return func(yield func(*Worker) bool) {
		for i := range p.seats {
			if w := p.seats[i].worker; w != nil && !yield(w) {
				return
			}
		}
	}
}
