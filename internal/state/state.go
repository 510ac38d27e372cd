package state

import (
	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// State is the cluster: its workers, their tasks and reservations, and all
// that the next decision depends on. It has one owner; nothing here is safe
// for concurrent use.
type State struct {
	cfg      Config
	fixed    sched.Units // cfg.Debit.Fixed
	floor    sched.Units // cfg.Debit.Floor
	now      muster.Instant
	purposes map[string]*purpose
	workers  map[string]*worker
	tasks    *taskTable
	joins    uint64 // how many workers ever joined: the join order
	order    nameOrder
	// placements is the highest placement number that was given.
	placements uint64
	wheel      wheel
	last       decisions
	events     []muster.Event
	free       *task
	limits     sched.Limits
	steering   steering
	drains     []*drain           // by number
	lastDrain  uint64             // the highest number that was given
	cordons    map[string]*cordon // by worker
	audit      []muster.AuditEntry
	audited    uint64 // the number of the last entry
	departed   []departed
	// quiet leaves the events of tasks out of what Apply returns; leftOut is how
	// many were.
	quiet    bool
	leftOut  int
	applying bool // inside of Apply
	// snapshotting is the snapshot that is being written, nil where there is none.
	snapshotting *Snapshotting
}

// New returns an empty cluster. A member of cfg that Validate would refuse
// counts as its default.
func New(cfg Config) *State {
	s := &State{
		purposes: map[string]*purpose{}, workers: map[string]*worker{}, tasks: newTaskTable(),
		cordons: map[string]*cordon{}, limits: sched.DefaultLimits(),
	}
	s.steering.strategies = map[string]muster.Strategy{}
	s.last.limit = maxDecisions
	s.configure(cfg.repaired())
	return s
}

// Apply carries a command out and returns what it came to, and the events that
// change another copy of the state alike. The events are valid until the next
// Apply. Result.Explanation is valid until 65,536 more decisions were made.
func (s *State) Apply(cmd Command) (Result, []muster.Event) {
	s.advance(cmd.At)
	clear(s.events)
	s.events = s.events[:0]
	s.applying = true
	result := s.apply(cmd)
	s.applying = false
	return result, s.events
}

// TaskEvents says whether Apply returns the events of tasks: most of all events,
// each of which costs an allocation. It does by default. A copy
// that is folded, and whoever watches tasks, needs them. All others, and
// TaskRefused, are returned in any case. It is no part of a snapshot.
func (s *State) TaskEvents(wanted bool) { s.quiet = !wanted }

// LeftOut returns how many events were left out since the last call.
func (s *State) LeftOut() int {
	n := s.leftOut
	s.leftOut = 0
	return n
}

// Torn reports whether a panic ended Apply half-way: the state must not be used
// any more.
func (s *State) Torn() bool { return s.applying }

func (s *State) apply(cmd Command) Result {
	if cmd.Op == nil {
		return Result{Err: errNoOp}
	}
	return cmd.Op.apply(s, cmd.Seed)
}

// Fold changes this copy as the copy was changed whose Apply returned the
// event, without deciding anything. An event about a worker or a task that
// this copy does not have is ignored.
//
// Workers, tasks, loads, debits and learned costs are then equal. What events do
// not carry is not: the configuration, weight-robin's credits, the worker that
// two-choices keeps in mind, and how long tasks last. A copy that must decide exactly alike is given
// the commands, or a snapshot.
func (s *State) Fold(at muster.Instant, ev muster.Event) {
	s.advance(at)
	s.fold(ev)
}

// do makes an event happen. Apply changes nothing but by do, doTask, release and
// reserve, so that a copy that is fed the events is equal by construction.
func (s *State) do(ev muster.Event) {
	s.events = append(s.events, ev)
	s.fold(ev)
}

// doTask is do for the events of tasks, which may not be wanted. fold is what fold
// would call. Being generic, it allocates nothing where the event is
// left out.
func doTask[E muster.Event](s *State, ev E, fold func(*State, E)) {
	note(s, ev)
	fold(s, ev)
}

// note adds an event of a task to those that Apply returns.
func note[E muster.Event](s *State, ev E) {
	if s.quiet {
		s.leftOut++
		return
	}
	s.events = append(s.events, ev)
}

func (s *State) fold(ev muster.Event) {
	switch e := ev.(type) {
	case muster.TaskReserved:
		s.foldReserved(e)
	case muster.TaskPickedUp:
		s.foldPickedUp(e)
	case muster.TaskClaimed:
		s.foldClaimed(e)
	case muster.TaskLaidDown:
		s.foldLaidDown(e)
	case muster.TaskReleased:
		s.foldReleased(e)
	case muster.WorkerLoadChanged:
		s.foldLoad(e)
	case muster.WorkerStateChanged:
		s.foldState(e)
	case muster.WorkerJoined:
		s.foldJoined(e)
	case muster.WorkerLeft:
		s.foldLeft(e)
	case muster.PurposeForgotten:
		s.foldForgotten(e)
	case muster.TaskRefused: // nothing happened
	default:
		s.foldOperator(ev)
	}
}

// foldOperator is fold for the events of what operators do.
func (s *State) foldOperator(ev muster.Event) {
	switch e := ev.(type) {
	case muster.DrainOrdered:
		s.foldOrdered(e)
	case muster.WorkerDrained:
		s.foldDrained(e)
	case muster.WorkerCordoned:
		s.foldCordoned(e)
	case muster.DrainOverdue:
		s.foldOverdue(e)
	case muster.DrainEmptied:
		s.foldEmptied(e)
	case muster.DrainTrimmed:
		s.foldTrimmed(e)
	case muster.DrainEnded:
		s.foldEnded(e)
	case muster.StrategyChanged:
		s.foldStrategy(e)
	case muster.DebitChanged:
		s.foldDebit(e)
	case muster.Audited:
		s.foldAudited(e)
	}
}

// advance moves the time of the state, never back.
func (s *State) advance(at muster.Instant) { s.now = max(s.now, at) }

// deadline is the end of a reservation that begins now.
func (s *State) deadline(reserve int64) muster.Instant {
	const end = 1<<63 - 1
	if int64(s.now) > end-reserve {
		return end
	}
	return s.now + muster.Instant(reserve)
}

// reserveMillis is the length of a reservation for which asked was asked.
func (s *State) reserveMillis(asked int64) int64 {
	if asked <= 0 {
		return s.cfg.ReserveMillis
	}
	return min(asked, MaxReserveMillis)
}
