package simtest

import (
	"fmt"
	"strings"
	"time"
)

// Story is a simulation that is told step by step, in a small language: a step
// a line, # begins a comment. What comes first says what there is:
//
//	managers 3 [disk]                three managers, with disks
//	workers 4 webrtc [max 2]         four workers, which take two tasks each
//	queue lossy                      as NATS: it holds no requests
//	caller d                         a caller beside c, who is always there
//	seed 7                           of the network's times
//
// Then things are done. A caller's name and a colon before a step says who
// calls. X is m1 ..., leader, queue, a worker or caller, or a name given to one
// of them.
//
//	schedule webrtc t [for 400ms] -> placed | refused | unanswered
//	look webrtc t -> placed | nowhere | unanswered
//	unschedule webrtc t -> ok | refused | unanswered
//	send schedule webrtc t           the same, without waiting for the answer
//	burst webrtc 100 b               sends schedule for b-1 ... b-100
//	await webrtc t -> placed         the answer; b-* is the whole burst
//	begin webrtc t, end webrtc t     the worker picks it up, lays it down
//	call leader old                  gives a name; call holder webrtc t w
//	kill X, start X, start X empty   a process dies; starts; starts on a new disk
//	pause X, resume X                SIGSTOP, SIGCONT
//	cut X -> Y, split X Y | Z, heal  the network; followers are all of them
//	clock X +1h, slow X 300ms        its clock is wrong; its disk is slow
//	after 20ms kill leader           a step that is done later
//	run 500ms                        lets time pass
//	forgetful                        all managers may lose their logs
//	expect leader | leader X | leader not X | workers 4
//	expect placed | nowhere | kept webrtc t    kept: where it was answered first
//	expect once webrtc t             no caller had to ask for it again
//	expect spread webrtc 1.5         the most tasks on one, by the mean
//
// In the end all faults are mended, and the cluster must become well. Every
// check of a simulation holds at every step of a story, too.
type Story struct {
	name  string
	steps []step
}

// step is a line.
type step struct {
	line    int
	text    string
	words   []string
	outcome string // after ->
}

// ParseStory reads a story. Its name is for messages, such as a file's.
func ParseStory(name, text string) (*Story, error) {
	st := &Story{name: name}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		s := step{line: i + 1, text: line}
		words := line
		if !strings.Contains(line, "cut ") {
			words, s.outcome, _ = strings.Cut(line, "->")
			s.outcome = strings.TrimSpace(s.outcome)
		}
		s.words = strings.Fields(strings.ReplaceAll(words, ":", " : "))
		if verb := s.words[0]; len(s.words) < 2 || s.words[1] != ":" {
			if verbs[verb] == nil && setups[verb] == nil {
				return nil, fmt.Errorf("%s:%d: %q is no step", name, i+1, verb)
			}
		}
		st.steps = append(st.steps, s)
	}
	return st, nil
}

// Run plays the story. Its error begins with the file and the line at which
// something is not as it should be. The history is what happened until then.
func (st *Story) Run() (history string, err error) {
	p := &player{opts: options{Managers: 3, Record: true, Seed: 1}, names: map[string]string{}, answers: map[string]*told{}}
	for _, s := range st.steps {
		if err := p.play(s); err != nil {
			return p.history(), fmt.Errorf("%s:%d: %s: %w", st.name, s.line, s.text, err)
		}
	}
	p.sim.settle()
	if p.sim.err != nil {
		return p.history(), fmt.Errorf("%s: at the end: %w", st.name, p.sim.err)
	}
	return p.history(), nil
}

// player plays a story.
type player struct {
	opts    options
	callers []string
	sim     *Sim
	names   map[string]string
	answers map[string]*told // of the calls, by caller, verb and task
	caller  *simCaller       // of the step
}

// told is what came of a call.
type told struct {
	outcome string
	worker  string
	first   string // the worker of the first answer
}

func (p *player) history() string {
	if p.sim == nil {
		return ""
	}
	return p.sim.told()
}

// play does a step.
func (p *player) play(s step) error {
	words := s.words
	who := "c"
	if len(words) > 2 && words[1] == ":" {
		who, words = words[0], words[2:]
	}
	if f := setups[words[0]]; f != nil && p.sim == nil {
		return f(p, words[1:])
	}
	if p.sim == nil {
		if err := p.begin(); err != nil {
			return err
		}
	}
	f := verbs[words[0]]
	if f == nil {
		return fmt.Errorf("%q belongs to the beginning, or is no step", words[0])
	}
	if c, ok := p.sim.machines[who].(*simCaller); ok {
		p.caller = c
	}
	p.sim.logf("--- %s", s.text)
	if err := f(p, words[1:], s.outcome); err != nil {
		return err
	}
	return p.sim.err
}

// startTime is how long a cluster may take to be ready for a story.
const startTime = 5 * time.Second

// begin makes the simulation, and waits until the cluster is ready.
func (p *player) begin() error {
	p.sim = newSim(p.opts)
	for _, name := range append([]string{"c"}, p.callers...) {
		p.sim.addCaller(name, true)
	}
	ready := p.sim.until(startTime, func() bool { return p.sim.ill() == nil && p.sim.leader().stepped.InService() })
	if !ready {
		return fmt.Errorf("the cluster is not ready after %v: %w", startTime, p.sim.ill())
	}
	p.sim.logf("--- the cluster is ready")
	return nil
}
