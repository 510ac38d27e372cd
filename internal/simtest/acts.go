package simtest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-fleet/muster/internal/state"
)

// machine is what a step can be done to.
type machine interface {
	boot()
	kill()
	pause()
	resume()
}

// target finds the machine that a step names first, which must be an M.
func target[M machine](p *player, args []string) (found M, err error) {
	if len(args) == 0 {
		return found, errors.New("it does not name a machine")
	}
	name, err := p.resolve(args[0])
	if err != nil {
		return found, err
	}
	found, ok := p.sim.machines[name].(M)
	if !ok {
		return found, fmt.Errorf("that cannot be done to %s", name)
	}
	return found, nil
}

// doneTo is the verb that does something to a machine.
func doneTo[M machine](do func(M)) verb {
	return func(p *player, args []string, _ string) error {
		m, err := target[M](p, args)
		if err == nil {
			do(m)
		}
		return err
	}
}

func killed(p *player, args []string, _ string) error {
	if len(args) > 0 && args[0] == queueName {
		d, err := duration(args, 1)
		p.sim.broker.restart(d)
		return err
	}
	return doneTo(machine.kill)(p, args, "")
}

func started(p *player, args []string, _ string) error {
	m, err := target[machine](p, args)
	if err != nil {
		return err
	}
	if manager, ok := m.(*simManager); ok && len(args) == 2 && args[1] == "empty" {
		manager.disk = disk{}
	}
	m.boot()
	return nil
}

func cut(p *player, args []string, _ string) error {
	if len(args) != 3 || args[1] != "->" {
		return errors.New("want: cut m1 -> m2")
	}
	names, err := p.resolveAll([]string{args[0], args[2]})
	if err == nil {
		p.sim.cut(names[0], names[1])
	}
	return err
}

func split(p *player, args []string, _ string) error {
	var groups [][]string
	for _, words := range strings.Split(strings.Join(args, " "), "|") {
		names, err := p.resolveAll(strings.Fields(words))
		if err != nil {
			return err
		}
		groups = append(groups, names)
	}
	p.sim.split(groups...)
	return nil
}

func clock(p *player, args []string, _ string) error {
	m, err := target[*simManager](p, args)
	if err != nil {
		return err
	}
	d, err := duration(args, 1)
	m.clock += d
	return err
}

func slow(p *player, args []string, _ string) error {
	m, err := target[*simManager](p, args)
	if err != nil {
		return err
	}
	m.slow, err = duration(args, 1)
	return err
}

func ran(p *player, args []string, _ string) error {
	d, err := duration(args, 0)
	p.sim.run(d)
	return err
}

// later has a step done after a while.
func later(p *player, args []string, outcome string) error {
	d, err := duration(args, 0)
	if err != nil || len(args) < 2 || verbs[args[1]] == nil {
		return errors.Join(err, errors.New("want: after 20ms kill leader"))
	}
	caller := p.caller
	p.sim.after(d, func() {
		p.caller = caller
		p.sim.logf("--- now: %v", args[1:])
		if err := verbs[args[1]](p, args[2:], outcome); err != nil {
			p.sim.failf("after %v: %w", d, err)
		}
	})
	return nil
}

// begunAs has the worker of a task begin it, or end it.
func begunAs(begin bool) verb {
	return func(p *player, args []string, _ string) error {
		key, err := keyOf(args)
		if err != nil {
			return err
		}
		w := p.sim.workerOf(p.told(key).worker)
		if len(args) == 4 && args[2] == "on" {
			if w, err = target[*simWorker](p, args[3:]); err != nil {
				return err
			}
		}
		switch {
		case w == nil || !w.up:
			return fmt.Errorf("no worker has %s", key)
		case begin:
			w.begin(key.task)
		default:
			w.finish(key.task)
		}
		return nil
	}
}

// expectTime is how long something that is expected may take.
const expectTime = answerTime

// expected waits until something holds.
func expected(p *player, args []string, _ string) error {
	if len(args) == 0 {
		return errors.New("it does not say what")
	}
	holds, err := p.expectation(args[0], args[1:])
	if err != nil {
		return err
	}
	var last error
	p.sim.until(expectTime, func() bool {
		last = holds()
		return last == nil
	})
	return last
}

func (p *player) expectation(what string, args []string) (func() error, error) {
	switch what {
	case "leader":
		return p.expectLeader(args)
	case "workers":
		n, err := number(args, 0)
		return func() error { return p.expectWorkers(n) }, err
	case "placed", "nowhere", "kept":
		key, err := keyOf(args)
		return func() error { return p.expectTask(what, key) }, err
	case "idle":
		w, err := target[*simWorker](p, args)
		return func() error { return w.expectIdle() }, err
	case "once":
		key, err := keyOf(args)
		return func() error { return p.expectOnce(key) }, err
	case "spread":
		if len(args) != 2 {
			return nil, errors.New("want: expect spread webrtc 1.5")
		}
		most, err := strconv.ParseFloat(args[1], 64)
		return func() error { return p.expectSpread(args[0], most) }, err
	}
	return nil, fmt.Errorf("nothing is known of %q", what)
}

// expectLeader looks at who leads in the highest term, if that is still up.
func (p *player) expectLeader(args []string) (func() error, error) {
	not := len(args) > 0 && args[0] == "not"
	if not {
		args = args[1:]
	}
	names, err := p.resolveAll(args)
	return func() error {
		lead := p.sim.leader()
		switch {
		case lead == nil || !lead.runs():
			return errNoLeader
		case len(names) == 1 && slices.Contains(names, lead.name) == not:
			return fmt.Errorf("%s leads", lead.name)
		}
		return nil
	}, err
}

func (p *player) expectWorkers(n int) error {
	st, err := p.sim.state()
	if err != nil {
		return err
	}
	if workers := st.Workers(state.AllPurposes); len(workers) != n {
		return fmt.Errorf("there are %v", workers)
	}
	return nil
}

func (p *player) expectTask(what string, key taskKey) error {
	st, err := p.sim.state()
	if err != nil {
		return err
	}
	worker, err := st.Scheduled(key.purpose, key.task)
	switch {
	case (err == nil) == (what == "nowhere"):
		return fmt.Errorf("%s is on %q", key, worker)
	case what == "kept" && worker != p.told(key).first:
		return fmt.Errorf("%s is on %s, the first answer was %s", key, worker, p.told(key).first)
	}
	return nil
}

func (w *simWorker) expectIdle() error {
	if tasks := w.stepped.Tasks(); len(tasks) > 0 {
		return fmt.Errorf("%s runs %v", w.name, tasks)
	}
	return nil
}

// expectOnce looks whether the callers had to call for the task only once.
func (p *player) expectOnce(key taskKey) error {
	n := 0
	for _, c := range p.sim.callers {
		for _, a := range c.attempts {
			if a.key == key && !a.look {
				n++
			}
		}
	}
	if n != 1 {
		return fmt.Errorf("%s was called for %d times", key, n)
	}
	return nil
}

// expectSpread holds the most tasks of a worker against the mean.
func (p *player) expectSpread(purpose string, most float64) error {
	st, err := p.sim.state()
	if err != nil {
		return err
	}
	all, top := 0, 0
	for _, id := range st.Workers(purpose) {
		w, _ := st.Worker(id)
		n := len(w.Tasks) + len(w.Reserved)
		all, top = all+n, max(top, n)
	}
	if mean := float64(all) / float64(len(st.Workers(purpose))); float64(top) > most*mean {
		return fmt.Errorf("the most is %d, the mean %.1f", top, mean)
	}
	return nil
}
