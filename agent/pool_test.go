package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
)

// script is a pool and what it did, in words.
type script struct {
	t    *testing.T
	pool *pool
	now  time.Time
	ref  uint64
	// extended is until when nodes asked to be waited for.
	extended time.Time
}

func newScript(t *testing.T, p Policy, alone bool) *script {
	s := &script{t: t, now: start0}
	s.pool = newPool(settings{
		agent: "a", purpose: "p", policy: p, alone: alone, readyTimeout: 10 * time.Second, answerWithin: 1500 * time.Millisecond,
	}, func(string) string { return "42 fps" }, func(string) time.Time { return s.extended })
	s.pool.tick(s.now)
	return s
}

// did compares what the pool did since the last time.
func (s *script) did(want ...string) {
	s.t.Helper()
	var got []string
	for _, a := range s.pool.take() {
		if word := inWords(a); word != "" {
			got = append(got, word)
		}
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("the pool did\n     %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func inWords(a action) string {
	switch a := a.(type) {
	case launch:
		return "launch " + a.spec.ID[2:] + a.spec.Task
	case stop:
		return "stop " + a.node[2:]
	case answer:
		return "answer " + strings.TrimPrefix(a.text, "a_")
	case refuse:
		return "refuse " + a.reason.Text
	case abnormal:
		return "crash " + a.node[2:]
	case notice:
		return "" // the key repeats what the other fields say
	case report:
		return fmt.Sprint("available ", a.available)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", a), "agent.")
}

func (s *script) get(room, task string) {
	s.ref++
	s.pool.getNode(s.now, s.ref, muster.TaskOrder{Room: room, Task: task})
}

func (s *script) recycle(n int, task string, result *muster.TaskResult) {
	s.ref++
	s.pool.recycle(s.now, s.ref, fmt.Sprint("a_", n), muster.TaskEnd{Task: task, Result: result})
}

func (s *script) ready(n int) { s.pool.nodeReady(s.now, fmt.Sprint("a_", n)) }

func (s *script) gone(n int, err error) { s.pool.nodeGone(s.now, fmt.Sprint("a_", n), err) }

func (s *script) pass(d time.Duration) {
	s.now = s.now.Add(d)
	s.pool.tick(s.now)
}

var errCrash = errors.New("signal: killed")

func TestFullAgentReuses(t *testing.T) {
	s := newScript(t, Policy{Prerun: 1, MaxNodes: 2, ReuseWhenFull: true}, false)
	s.ready(0)
	s.get("r1", "t1")
	s.ready(1)
	s.get("r2", "t2")
	s.did("launch 0", "pickUp", "answer 0", "launch 1", "pickUp", "answer 1")
	s.get("r3", "t3")
	s.get("r4", "t4")
	s.get("r3", "t5")
	s.did("pickUp", "answer 0", "pickUp", "answer 1", "pickUp", "answer 0")
}

func TestFullAgentRefuses(t *testing.T) {
	s := newScript(t, Policy{Prerun: 1, MaxNodes: 1}, false)
	s.ready(0)
	s.get("r1", "t1")
	s.get("r2", "t2")
	s.did("launch 0", "pickUp", "answer 0", "reject", "refuse No available node")
	// A place that is about to be free is waited for.
	s.recycle(0, "t1", nil)
	s.get("r2", "t2")
	s.did("stop 0", "answer ok")
	s.gone(0, errCrash)
	s.did("layDown", "launch 1")
	s.ready(1)
	s.did("pickUp", "answer 1")
	s.recycle(1, "t2", nil)
	s.get("r2", "t3")
	s.pass(1500 * time.Millisecond)
	s.did("stop 1", "answer ok", "reject", "refuse No available node")
}

func TestSlowNode(t *testing.T) {
	s := newScript(t, Policy{Prerun: 1, MaxNodes: NoLimit}, false)
	s.get("r1", "t1")
	s.did("launch 0", "launch 1")
	s.pass(1499 * time.Millisecond)
	s.did()
	s.pass(time.Millisecond)
	s.did("reject", "refuse node not ready", "stop 1")
	s.get("r1", "t1")
	s.did("launch 2")
	s.gone(0, errCrash)
	s.did("crash 0", "reject", "refuse node early recycled")
	s.get("r2", "t2")
	s.pass(100 * time.Millisecond)
	s.did("launch 3")
	s.pass(8500 * time.Millisecond)
	s.did("reject", "refuse node not ready", "stop 3")
	s.pass(time.Minute)
	s.did("crash 2", "stop 2")
}

// What the node says of a task at its end is remembered, however it ended.
func TestDetailOfAnEndedTask(t *testing.T) {
	s := newScript(t, Policy{Prerun: 2, MaxNodes: NoLimit, PerTask: true}, false)
	for n, state := range []muster.TaskState{muster.TaskDone, muster.TaskFailed} {
		s.ready(n)
		s.get(string(state), string(state))
		s.recycle(n, string(state), &muster.TaskResult{State: state, Detail: []byte(`{"frames":5}`)})
		s.gone(n, nil)
		if r, _ := s.pool.queryTask(s.now, string(state)); r.State != state || string(r.Detail) != `{"frames":5}` {
			t.Errorf("%s: %+v", state, r)
		}
	}
}

func TestNodesForOneTask(t *testing.T) {
	s := newScript(t, Policy{Prerun: 2, MaxNodes: NoLimit}, true)
	s.get("r", "t1")
	s.get("r", "t2")
	s.did("launch 0t1", "launch 1t2")
	s.ready(0)
	s.ready(1)
	s.did("pickUp", "answer 0", "pickUp", "answer 1")
	s.gone(0, nil)
	s.gone(1, errCrash)
	s.did("layDown", "reject", "crash 1", "layDown", "reject")
	for task, want := range map[string]muster.TaskState{"t1": muster.TaskDone, "t2": muster.TaskFailed} {
		if r, _ := s.pool.queryTask(s.now, task); r.State != want || r.Status != "42 fps" {
			t.Errorf("%s ended as %+v, want %s", task, r, want)
		}
	}
	// A bad task is not the agent's fault, however often it comes.
	for n := 2; n < 12; n++ {
		s.get("r", "bad")
		s.gone(n, errCrash)
	}
	if s.pool.unavailable {
		t.Error("the agent gave up because of one task")
	}
}

func TestBackOff(t *testing.T) {
	s := newScript(t, Policy{Prerun: 1, MaxNodes: NoLimit}, false)
	s.gone(0, errCrash)
	s.did("launch 0", "crash 0")
	s.pass(100 * time.Millisecond)
	s.did("launch 1")
	s.gone(1, errCrash)
	s.pass(200 * time.Millisecond)
	s.did("crash 1", "launch 2")
	s.gone(2, errCrash)
	s.did("crash 2", "available false")
	s.get("r", "t")
	s.did("reject", "refuse node not ready")
	for n := 3; n < 20; n++ {
		before := s.now
		s.now = s.pool.next()
		if pause := s.now.Sub(before); pause < firstPause*2 || pause > longestPause {
			t.Errorf("pause %d is %v", n, pause)
		}
		s.pass(0)
		s.gone(n, errCrash)
		s.did("launch "+fmt.Sprint(n), "crash "+fmt.Sprint(n))
	}
	s.pass(longestPause)
	s.ready(20)
	s.did("launch 20")
	s.pass(settleAfter)
	s.did("available true")
}

// In trouble, nodes are tried one at a time.
func TestTroubleTriesOneNode(t *testing.T) {
	s := newScript(t, Policy{Prerun: 2, MaxNodes: NoLimit}, false)
	s.gone(0, errCrash)
	s.gone(1, errCrash)
	s.pass(200 * time.Millisecond)
	s.gone(2, errCrash)
	s.gone(3, errCrash)
	s.pool.take()
	s.pass(longestPause)
	s.did("launch 4")
	s.ready(4)
	s.did("launch 5")
	s.pass(settleAfter)
	s.did("available true")
	if s.pool.trouble.failures != 0 {
		t.Errorf("%d failures are remembered of nodes that live", s.pool.trouble.failures)
	}
}

// Where a node is made for its task, a start that fails is the task's own
// affair: the caller gets the reason, and the agent goes on.
func TestTasksThatCannotBeStarted(t *testing.T) {
	s := newScript(t, Policy{Prerun: 2, MaxNodes: NoLimit}, true)
	for n := range 10 {
		s.get("r", "t")
		s.pool.notLaunched(s.now, fmt.Sprint("a_", n), errCrash)
		s.did("launch "+fmt.Sprint(n)+"t", "reject", "refuse node early recycled")
	}
	s.get("r", "t")
	s.pool.notLaunched(s.now, "a_10", fmt.Errorf("%w: NUL", process.ErrSpec))
	s.did("launch 10t", "reject", "refuse Invalid task")
	s.get("r", "good")
	s.ready(11)
	s.did("launch 11good", "pickUp", "answer 11")
}

func TestHistoryForgetsTheOldest(t *testing.T) {
	h := newHistory(2)
	for _, task := range []string{"a", "b", "a", "c"} {
		h.add(muster.TaskReport{Task: task})
	}
	if !slices.Equal(h.order, []string{"a", "c"}) || len(h.reports) != 2 {
		t.Errorf("remembered are %v", h.order)
	}
}

func TestDefaultPolicies(t *testing.T) {
	own := Policy{Prerun: 2, MaxNodes: -1, PerTask: true}
	room := Policy{Prerun: 2, MaxNodes: -1}
	shared := Policy{Prerun: 2, MaxNodes: -1, ReuseWhenFull: true}
	for purpose, want := range map[string]Policy{
		"audio": own, "video": own, "analytics": own, "conference": room, "sip": room,
		"webrtc": shared, "streaming": shared, "recording": shared, "portal": shared, "sample": shared,
	} {
		if got := DefaultPolicy(purpose); got != want || got.Validate() != nil {
			t.Errorf("%s: %+v, want %+v (%v)", purpose, got, want, got.Validate())
		}
	}
}

// A task counts until its program is gone, also one that the manager has given
// up and counts no more.
func TestADroppedTaskKeepsItsSlot(t *testing.T) {
	s := newScript(t, Policy{PerTask: true, MaxNodes: NoLimit}, true)
	s.pool.maxTasks = 1
	s.get("r1", "t1")
	s.ready(0)
	s.did("launch 0t1", "pickUp", "answer 0")
	s.get("r2", "t2")
	s.did("reject", "refuse worker has as many tasks as it takes")
	s.pool.drop(s.now, []string{"t1"})
	s.get("r2", "t2")
	s.did("stop 0")
	s.gone(0, nil)
	s.did("launch 1t2")
}

// A task for which another caller still waits stays claimed.
func TestAReservationIsKeptForWhoWaits(t *testing.T) {
	s := newScript(t, Policy{Prerun: 1, MaxNodes: 1}, false)
	s.get("r1", "t1")
	s.pass(time.Second)
	s.get("r1", "t1")
	s.did("launch 0")
	s.pass(500 * time.Millisecond)
	s.did("refuse node not ready")
	s.ready(0)
	s.did("pickUp", "answer 0")
}
