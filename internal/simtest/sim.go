package simtest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-fleet/muster/internal/state"
)

// options say what a simulation is of.
type options struct {
	// Seed is where everything comes from that is left to chance.
	Seed uint64
	// Managers are 1, 3 or 5; Durable tells that they have disks.
	Managers int
	Durable  bool
	// Lossy is a queue that does not hold requests, as NATS, not RabbitMQ.
	Lossy bool
	// Workers are by purpose.
	Workers []group
	// Callers are how many make calls of their own.
	Callers int
	// Record keeps the history.
	Record bool
}

// group is workers of one purpose.
type group struct {
	Purpose  string
	Count    int
	MaxTasks int
}

// Sim is a simulation. It belongs to one goroutine.
type Sim struct {
	*loop
	opts     options
	net      network
	broker   *broker
	conns    []*conn
	managers []*simManager
	workers  []*simWorker
	callers  []*simCaller
	machines map[string]machine // all of these
	truth    *truth

	refused, dropped int // claims, and tasks that workers had to give up

	mayForget bool // all managers may lose their logs
	closing   bool // callers make no further calls
	history   []string
	err       error
}

// newSim returns a simulation at its beginning.
func newSim(opts options) *Sim {
	s := &Sim{loop: newLoop(opts.Seed), opts: opts, machines: map[string]machine{}}
	s.net.cuts, s.net.changed = map[[2]string]bool{}, map[string]time.Duration{}
	s.broker = &broker{sim: s, up: true, lossy: opts.Lossy}
	s.truth = newTruth(s)
	for _, name := range s.names() {
		m := newSimManager(s, name, opts.Durable)
		s.managers, s.machines[name] = append(s.managers, m), m
	}
	for _, m := range s.managers {
		m.boot()
	}
	for _, g := range opts.Workers {
		s.addWorkers(g)
	}
	for i := range opts.Callers {
		s.addCaller(fmt.Sprintf("c%d", i+1), false)
	}
	s.lookAtConns()
	return s
}

func (s *Sim) addCaller(name string, idle bool) {
	c := newSimCaller(s, name, idle)
	s.callers, s.machines[name] = append(s.callers, c), c
	c.boot()
}

func (s *Sim) addWorkers(g group) {
	for range g.Count {
		n := 1
		for _, w := range s.workers {
			if w.purpose == g.Purpose {
				n++
			}
		}
		w := newSimWorker(s, fmt.Sprintf("%s-%d", g.Purpose, n), g.Purpose, g.MaxTasks)
		s.workers, s.machines[w.name] = append(s.workers, w), w
		w.boot()
	}
}

// logf writes a line of history.
func (s *Sim) logf(format string, args ...any) {
	if s.opts.Record {
		s.history = append(s.history, millis(s.now)+"  "+fmt.Sprintf(format, args...))
	}
}

// millis is a virtual time in milliseconds.
func millis(d time.Duration) string {
	return fmt.Sprintf("%9.3f", float64(d.Microseconds())/1000)
}

// failf is something that must not be. The first counts.
func (s *Sim) failf(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("at %s ms: %w", strings.TrimSpace(millis(s.now)), fmt.Errorf(format, args...))
		s.logf("WRONG: %v", s.err)
	}
}

// run lets time pass, unless something is wrong.
func (s *Sim) run(d time.Duration) { s.until(d, func() bool { return false }) }

// until lets time pass until f holds, and tells whether it does. It asks often.
func (s *Sim) until(limit time.Duration, f func() bool) bool {
	end := s.now + limit
	for steps := 0; s.err == nil; steps++ {
		if steps%16 == 0 && f() {
			return true
		}
		if s.heap[0].at > end {
			s.now = end
			break
		}
		s.step()
	}
	return s.err == nil && f()
}

// told is what happened, a line each, by virtual milliseconds. It is empty
// without Record.
func (s *Sim) told() string {
	if !s.opts.Record {
		return ""
	}
	return strings.Join(s.history, "\n") + "\n"
}

// names are those of the managers.
func (s *Sim) names() []string {
	var names []string
	for i := range s.opts.Managers {
		names = append(names, fmt.Sprintf("m%d", i+1))
	}
	return names
}

// manager returns the manager of that name, nil if there is none.
func (s *Sim) manager(name string) *simManager {
	m, _ := s.machines[name].(*simManager)
	return m
}

// leader is who leads; of several who believe so, the one with the highest term.
func (s *Sim) leader() *simManager {
	var best *simManager
	for _, m := range s.managers {
		if m.leads() && (best == nil || m.link.Role().Term > best.link.Role().Term) {
			best = m
		}
	}
	return best
}

var errNoLeader = errors.New("no manager leads")

// state is that of the leader.
func (s *Sim) state() (*state.State, error) {
	lead := s.leader()
	if lead == nil {
		return nil, errNoLeader
	}
	return lead.link.State(), nil
}

// workerOf is the machine of a worker, by the worker's id in the cluster.
func (s *Sim) workerOf(id string) *simWorker {
	name, _, _ := strings.Cut(id, ".")
	w, _ := s.machines[name].(*simWorker)
	return w
}

// use has a worker run a task that was placed on it, for a while. A caller of
// OWT's has it begin at once; where that is wrong the worker is soon told.
func (s *Sim) use(key taskKey, id string, number uint64) {
	w := s.workerOf(id)
	if w == nil || w.id() != id || !w.up {
		return
	}
	if w.maxTasks == 0 && s.chance(300) {
		w.do(w.life, func() { w.begin(key.task) })
	} else {
		w.do(w.life, func() { w.claim(key.task, number) })
	}
	w.when(s.between(100*time.Millisecond, 2*time.Second), func() {
		if !s.closing {
			w.finish(key.task)
		}
	})
}

// purpose draws one.
func (s *Sim) purpose() string { return s.opts.Workers[s.rng.IntN(len(s.opts.Workers))].Purpose }
