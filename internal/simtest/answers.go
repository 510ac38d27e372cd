package simtest

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// verdict is what an answer says of a task.
type verdict int

const (
	saysNothing verdict = iota // such as "ask again"
	saysOn                     // it is on a worker
	saysNowhere
	saysElsewhere // it is not on that worker
)

// claim is what an answer says.
type claim struct {
	key    taskKey
	says   verdict
	worker string
	number uint64 // of the placement
}

// claimsOf reads an answer, which says something of several tasks if it is one
// to scheduleMany.
func claimsOf(l *letter, r bus.Reply) []claim {
	if l.method != "scheduleMany" {
		return []claim{claimOf(l, r)}
	}
	var asked []struct{ Purpose, Task string }
	var said struct {
		Tasks []json.RawMessage
	}
	if json.Unmarshal(l.args[0], &asked) != nil || r.Failed || json.Unmarshal(r.Data, &said) != nil || len(said.Tasks) != len(asked) {
		return make([]claim, len(asked))
	}
	claims := make([]claim, len(asked))
	for i, task := range asked {
		one := bus.Reply{Data: said.Tasks[i]}
		var refused struct{ Error string }
		if json.Unmarshal(one.Data, &refused) == nil && refused.Error != "" {
			one = bus.Reply{Failed: true, Err: refused.Error}
		}
		claims[i] = scheduleClaim(taskKey{task.Purpose, task.Task}, one)
	}
	return claims
}

// claimOf reads an answer about one task. The words are those of the wire.
func claimOf(l *letter, r bus.Reply) claim {
	switch l.method {
	case "schedule":
		return scheduleClaim(taskKey{arg(l, 0), arg(l, 1)}, r)
	case "getScheduled":
		c := claim{key: taskKey{arg(l, 0), arg(l, 1)}}
		switch {
		case !r.Failed:
			c.says, c.worker = saysOn, text(r.Data)
		case r.Err == muster.ReasonNoTask.Text, r.Err == muster.ReasonInvalidPurpose.Text:
			c.says = saysNowhere
		}
		return c
	case "unschedule":
		return unscheduleClaim(l, r)
	}
	return claim{}
}

func scheduleClaim(key taskKey, r bus.Reply) claim {
	c := claim{key: key}
	var placed struct {
		ID        string
		Placement uint64
	}
	switch {
	case !r.Failed && json.Unmarshal(r.Data, &placed) == nil:
		c.says, c.worker, c.number = saysOn, placed.ID, placed.Placement
	case strings.HasPrefix(r.Err, "Failed in scheduling"), strings.HasPrefix(r.Err, "No "):
		c.says = saysNowhere
	}
	return c
}

// unscheduleClaim: the purpose of the task is that of its worker.
func unscheduleClaim(l *letter, r bus.Reply) claim {
	purpose, _, _ := strings.Cut(arg(l, 0), "-")
	c := claim{key: taskKey{purpose, arg(l, 1)}, worker: arg(l, 0)}
	switch {
	case !r.Failed:
		c.says = saysOn
	case r.Err != muster.ReasonAskAgain.Text:
		c.says = saysElsewhere
	}
	return c
}

func arg(l *letter, i int) string { return text(l.args[i]) }

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // anything else is ""
	return s
}

// leaving is an answer that a manager sends. Who does not lead, as far as it
// can know, may say no more than that; but a look-up that it asked a majority
// for while it led is as true as before.
func (t *truth) leaving(m *simManager, l *letter, r bus.Reply) {
	t.note(m.name+" answers", l, r)
	t.alive(l, r)
	if r.Stale > 0 {
		t.stale(m, l, r)
	}
	if !m.leads() && !r.Failed && !strings.HasPrefix(l.method, "get") && l.method != "checkWorker" {
		t.sim.failf("%s does not lead, and answers %s: %s", m.name, l, short(r))
	}
	if !r.Failed && (l.method == "schedule" || l.method == "scheduleMany" || l.method == "unschedule") {
		key := [2]uint64{m.link.gen, m.link.Role().Term}
		t.acked[key] = max(t.acked[key], m.link.index)
	}
	t.check(l, r, "sends")
}

// answered is an answer that arrived.
func (t *truth) answered(l *letter, r bus.Reply) {
	t.note(l.from+" hears of", l, r)
	key := [2]any{l.from, l.number}
	if t.seen[key] {
		t.doubled++
	}
	t.seen[key] = true
	t.check(l, r, "hears")
}

// note writes an answer into the history, unless it is one of the many that all
// is well.
func (t *truth) note(who string, l *letter, r bus.Reply) {
	if t.sim.opts.Record && (l.method != "keepAlive" || string(r.Data) != `"ok"` && string(r.Data) != `"ok+load"`) {
		t.sim.logf("%s %s: %s", who, l, short(r))
	}
}

// check holds an answer against where its tasks were since the call: it must
// have been true at some time.
func (t *truth) check(l *letter, r bus.Reply, what string) {
	for _, c := range claimsOf(l, r) {
		if c.says != saysNothing {
			t.checkClaim(c, l, r, what)
		}
	}
}

func (t *truth) checkClaim(c claim, l *letter, r bus.Reply, what string) {
	t.answers++
	since := l.sent
	if r.Stale > 0 {
		since = l.known
	}
	ok := t.held(c.key, since, func(worker string) bool {
		switch c.says {
		case saysOn:
			return worker == c.worker
		case saysNowhere:
			return worker == ""
		}
		return worker != c.worker
	})
	if !ok {
		t.sim.failf("an answer that was never true since %s (%s): %s: %s; %s", millis(since), what, l, short(r), t.where(c.key))
	}
}

func short(r bus.Reply) string {
	if r.Failed {
		return "no: " + r.Err
	}
	if data := string(r.Data); len(data) < 40 {
		return data
	}
	return string(r.Data[:40]) + "..."
}

func compareKeys(a, b taskKey) int {
	return cmp.Or(cmp.Compare(a.purpose, b.purpose), cmp.Compare(a.task, b.task))
}
