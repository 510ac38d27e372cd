package simtest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-fleet/muster/bus"
)

// setups are the steps that say what there is.
var setups = map[string]func(p *player, args []string) error{
	"managers": func(p *player, args []string) (err error) {
		p.opts.Durable = slices.Contains(args, "disk")
		p.opts.Managers, err = number(args, 0)
		return err
	},
	"workers": func(p *player, args []string) error {
		n, err := number(args, 0)
		if err != nil || len(args) < 2 {
			return errors.Join(err, errors.New("want: workers 4 webrtc [max 2]"))
		}
		g := group{Purpose: args[1], Count: n}
		if len(args) == 4 {
			g.MaxTasks, err = number(args, 3)
		}
		p.opts.Workers = append(p.opts.Workers, g)
		return err
	},
	"queue": func(p *player, args []string) error {
		p.opts.Lossy = slices.Equal(args, []string{"lossy"})
		return nil
	},
	"caller": func(p *player, args []string) error {
		p.callers = append(p.callers, args...)
		return nil
	},
	"seed": func(p *player, args []string) error {
		n, err := number(args, 0)
		p.opts.Seed = uint64(n)
		return err
	},
}

// verb does something, and checks what came of it.
type verb func(p *player, args []string, outcome string) error

// verbs are the steps that do something. init breaks the circle through "after".
var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"schedule": calledAs("schedule"), "look": calledAs("look"), "unschedule": calledAs("unschedule"), "await": awaited, "send": sent, "burst": burst,
		"begin": begunAs(true), "end": begunAs(false), "call": named, "expect": expected, "after": later,
		"kill": killed, "start": started, "pause": doneTo(machine.pause), "resume": doneTo(machine.resume),
		"drain": doneTo(func(w *simWorker) { w.drain(true) }),
		"cut":   cut, "split": split, "clock": clock, "slow": slow, "run": ran,
		"heal": func(p *player, _ []string, _ string) error {
			p.sim.heal()
			return nil
		},
		"forgetful": func(p *player, _ []string, _ string) error {
			p.sim.mayForget = true
			return nil
		},
	}
}

func number(args []string, i int) (int, error) {
	if i >= len(args) {
		return 0, errors.New("a number is missing")
	}
	return strconv.Atoi(args[i])
}

func duration(args []string, i int) (time.Duration, error) {
	if i >= len(args) {
		return 0, errors.New("a time such as 200ms is missing")
	}
	return time.ParseDuration(args[i])
}

// keyOf reads a purpose and a task.
func keyOf(args []string) (taskKey, error) {
	if len(args) < 2 {
		return taskKey{}, errors.New("a purpose and a task are missing")
	}
	return taskKey{args[0], args[1]}, nil
}

// call makes a call, and returns what will have come of it.
func (p *player) call(method string, key taskKey, reserve time.Duration) *told {
	t := p.told(key)
	t.outcome = ""
	answered := func(r bus.Reply, ok bool, yes string, no string) {
		switch {
		case !ok:
			t.outcome = "unanswered"
		case r.Failed:
			t.outcome = no
		default:
			t.outcome = yes
		}
	}
	switch method {
	case "schedule":
		p.caller.schedule(key, int(reserve.Milliseconds()), func(worker, refusal string, _ uint64) {
			t.place(worker)
			answered(bus.Reply{Failed: worker == ""}, refusal != "unanswered", "placed", "refused")
		})
	case "look":
		p.caller.operate("getScheduled", []taskKey{key}, []any{key.purpose, key.task}, func(r bus.Reply, ok bool) {
			t.place(text(r.Data))
			answered(r, ok, "placed", "nowhere")
		})
	case "unschedule":
		p.caller.release(key, t.worker, func(r bus.Reply, ok bool) { answered(r, ok, "ok", "refused") })
	}
	return t
}

// told is what is known of a task.
func (p *player) told(key taskKey) *told {
	t := p.answers[key.String()]
	if t == nil {
		t = &told{}
		p.answers[key.String()] = t
	}
	return t
}

func (t *told) place(worker string) {
	if t.worker = worker; t.first == "" {
		t.first = worker
	}
}

// answerTime is longer than a caller's own.
const answerTime = patience + time.Second

// wait waits for an answer, which must be the wanted one.
func (p *player) wait(key taskKey, t *told, want string) error {
	p.sim.until(answerTime, func() bool { return t.outcome != "" })
	if p.sim.err == nil && want != "" && t.outcome != want {
		return fmt.Errorf("%s: it is %s", key, t.outcome)
	}
	return nil
}

// request reads a call and makes it.
func (p *player) request(method string, args []string) (taskKey, *told, error) {
	key, err := keyOf(args)
	if err != nil {
		return key, nil, err
	}
	reserve := time.Minute
	if len(args) == 4 && args[2] == "for" {
		reserve, err = duration(args, 3)
	}
	return key, p.call(method, key, reserve), err
}

func calledAs(method string) verb {
	return func(p *player, args []string, outcome string) error {
		key, t, err := p.request(method, args)
		if err != nil {
			return err
		}
		return p.wait(key, t, outcome)
	}
}

func sent(p *player, args []string, _ string) error {
	if len(args) < 3 {
		return errors.New("want: send schedule webrtc t")
	}
	_, _, err := p.request(args[0], args[1:])
	return err
}

func burst(p *player, args []string, _ string) error {
	n, err := number(args, 1)
	if err != nil || len(args) != 3 {
		return errors.Join(err, errors.New("want: burst webrtc 100 b"))
	}
	for i := range n {
		p.call("schedule", taskKey{args[0], fmt.Sprintf("%s-%d", args[2], i+1)}, time.Minute)
	}
	return nil
}

func awaited(p *player, args []string, outcome string) error {
	key, err := keyOf(args)
	if err != nil {
		return err
	}
	prefix, all := strings.CutSuffix(key.String(), "*")
	found := false
	for _, name := range sortedKeys(p.answers) {
		if name == key.String() || all && strings.HasPrefix(name, prefix) {
			found = true
			purpose, task, _ := strings.Cut(name, " ")
			if err := p.wait(taskKey{purpose, task}, p.answers[name], outcome); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("no caller asked for %s", key)
	}
	return nil
}

// named gives a name to a manager or worker.
func named(p *player, args []string, _ string) error {
	switch {
	case len(args) == 2:
		name, err := p.resolve(args[0])
		p.names[args[1]] = name
		return err
	case len(args) == 4 && args[0] == "holder":
		key := taskKey{args[1], args[2]}
		w := p.sim.workerOf(p.sim.truth.on[key])
		if w == nil {
			return fmt.Errorf("%s is on no worker", key)
		}
		p.names[args[3]] = w.name
		return nil
	}
	return errors.New("want: call leader old, or call holder webrtc t w")
}

// resolve is the name of a machine.
func (p *player) resolve(x string) (string, error) {
	if name, ok := p.names[x]; ok {
		return name, nil
	}
	if x == "leader" {
		if lead := p.sim.leader(); lead != nil {
			return lead.name, nil
		}
		return "", errNoLeader
	}
	if x == queueName || p.sim.machines[x] != nil {
		return x, nil
	}
	return "", fmt.Errorf("there is no %s", x)
}

func (p *player) resolveAll(words []string) ([]string, error) {
	var names []string
	for _, x := range words {
		if x == "followers" {
			names = append(names, p.sim.without(p.sim.leader(), false)...)
			continue
		}
		name, err := p.resolve(x)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
