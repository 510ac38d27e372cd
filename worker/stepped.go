package worker

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
)

// Surroundings are what a Stepped worker has in place of a connection and a
// clock.
type Surroundings interface {
	// Call asks the manager. answered is to be called once, later: with what
	// bus.Conn.Call would return, after Options.CallTimeout at the latest.
	Call(method string, args []any, answered func(json.RawMessage, error))
	// Cast sends a report to the manager.
	Cast(method string, args []any) error
	// Rest has Tick called after that time, and not before.
	Rest(d time.Duration)
	// Dropped are tasks that the worker must end, Ended the end of it.
	Dropped(tasks []string)
	Ended(err error)
}

// Stepped is a worker's side of the protocol without a goroutine and a clock of
// its own: its caller says what happens when, so that a simulation can
// run many of them in one goroutine. It decides nothing that a Worker does not
// decide by the same code. Options.Handlers and callbacks are left alone. It is
// not safe for concurrent use.
type Stepped struct {
	w      *Worker
	around Surroundings
	now    func() time.Time
}

// NewStepped returns a worker that joins at the first Tick. opts needs an ID
// and an IP, lest they are made up.
func NewStepped(opts Options, around Surroundings, now func() time.Time) (*Stepped, error) {
	w, err := newWorker(nil, opts, fmt.Sprintf("%016x", now().UnixNano()))
	if err != nil {
		return nil, err
	}
	return &Stepped{w: w, around: around, now: now}, nil
}

// Tick is the time after Rest, or between two ticks, being over.
func (s *Stepped) Tick() {
	s.around.Rest(s.w.interval()) // an action may ask for another
	s.do((*machine).tick)
}

// LedIn gives the term of the next answer: see bus.OnTerm.
func (s *Stepped) LedIn(term uint64) { s.do(func(m *machine) { m.ledIn(term) }) }

// Measured takes in a load, from 0 to 1.
func (s *Stepped) Measured(load float64) { s.do(func(m *machine) { m.measured(load) }) }

// Reconnected reports that the connection was lost and made again.
func (s *Stepped) Reconnected() { s.do((*machine).reconnected) }

// AddTask, RemoveTask, RejectTask and ReportState are those of Worker.

// AddTask says that the worker runs these tasks now.
func (s *Stepped) AddTask(tasks ...string) { s.do(func(m *machine) { m.add(tasks) }) }

// Claim is Worker.Claim with a single try: ended gets nil if the task must be
// started, else the reason.
func (s *Stepped) Claim(task string, placement uint64, ended func(error)) {
	var ends int
	s.do(func(m *machine) { ends = m.beginClaim(task) })
	s.around.Call("claimTask", s.w.claimArgs(task, placement), func(raw json.RawMessage, err error) {
		o := outcomeOf(raw, err)
		s.do(func(m *machine) {
			if o, _ = m.tried(task, ends, o); o.retry {
				m.endClaim(task, o)
			}
		})
		ended(o.err)
	})
}

// RemoveTask says that it no longer runs the task.
func (s *Stepped) RemoveTask(task string) { s.do(func(m *machine) { m.remove(task) }) }

// RejectTask says that it will not take the task.
func (s *Stepped) RejectTask(task string) { s.do(func(m *machine) { m.reject(task) }) }

// ReportState says whether it may get tasks.
func (s *Stepped) ReportState(state muster.WorkerState) { s.do(func(m *machine) { m.setState(state) }) }

// Quit ends it, and reports that to the manager.
func (s *Stepped) Quit() { s.do(func(m *machine) { m.end(ErrQuit) }) }

// Tasks are those that it runs.
func (s *Stepped) Tasks() []string { return slices.Clone(s.w.machine.tasks) }

// Joined reports that it is a member, as far as it knows.
func (s *Stepped) Joined() bool { return s.w.machine.phase == joined }

func (s *Stepped) do(input func(*machine)) {
	m := &s.w.machine
	m.now = s.now()
	input(m)
	for actions := m.take(); len(actions) > 0; actions = m.take() {
		for _, a := range actions {
			s.perform(a)
		}
	}
}

func (s *Stepped) perform(a action) {
	if r, ok := s.w.request(a); ok {
		s.ask(r)
		return
	}
	switch a := a.(type) {
	case cast:
		if err := s.around.Cast(a.method, a.args); err != nil {
			s.w.machine.castFailed(err)
		}
	case rest:
		s.around.Rest(s.w.interval())
	case happenedDropped:
		s.around.Dropped(a.tasks)
		s.w.machine.dropping -= len(a.tasks)
	case giveUp:
		if a.quit {
			_ = s.around.Cast("quit", []any{s.w.opts.ID}) // a manager that misses it notices by itself
		}
		s.around.Ended(a.err)
	}
}

func (s *Stepped) ask(r request) {
	s.around.Call(r.method, r.args, func(raw json.RawMessage, err error) {
		answer, err := word(raw, err)
		s.do(func(m *machine) { r.answered(m, answer, err) })
	})
}
