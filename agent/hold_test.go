package agent

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
)

func (s *script) order(room, task, spec, by string) {
	s.ref++
	s.pool.getNode(s.now, s.ref, muster.TaskOrder{Room: room, Task: task, Spec: json.RawMessage(spec), By: by})
}

var taken = "refuse " + muster.ReasonTaskTaken.Text

// A request for the name of a task that exists, with another spec or room, is
// refused and changes nothing: neither the task nor its reservation.
func TestNameIsTaken(t *testing.T) {
	for _, alone := range []bool{false, true} {
		s := newScript(t, Policy{MaxNodes: NoLimit}, alone)
		s.order("r", "t", `{"a":1,"b":2}`, "first")
		s.pool.take()
		s.order("r", "t", `{"a":1,"b":3}`, "second") // waits for its node
		s.did(taken)
		s.ready(0)
		s.did("pickUp", "answer 0")
		s.order("r", "t", `{"a":1,"b":3}`, "second")
		s.order("other", "t", `{"a":1,"b":2}`, "second")
		s.order("r", "t", ``, "second")
		s.did(taken, taken, taken)
		s.order("r", "t", ` {"b":2.0, "a":1} `, "second") // the same in other words
		s.did("answer 0")
		// Only who began it ends it by its name.
		s.ref++
		s.pool.recycle(s.now, s.ref, "a_0", muster.TaskEnd{Task: "t", By: "second"})
		s.did("refuse " + muster.ReasonNotOwner.Text)
		if r, ok := s.pool.queryTask(s.now, "t"); !ok || r.State != muster.TaskRunning || r.By != "first" {
			t.Errorf("alone %v: the task is %+v", alone, r)
		}
		s.ref++
		s.pool.recycle(s.now, s.ref, "a_0", muster.TaskEnd{Task: "t", By: "first"})
		s.did("stop 0", "answer ok")
	}
}

// A caller who joined a task that is not ready yet cannot end it either: it is
// refused, and the place stays the other caller's.
func TestWaitingForATakenName(t *testing.T) {
	s := newScript(t, Policy{MaxNodes: NoLimit}, true)
	s.order("r", "t", `1`, "first")
	s.order("r", "t", `1`, "second")
	s.did("launch 0t")
	s.ref++
	s.pool.recycle(s.now, s.ref, "a_0", muster.TaskEnd{Task: "t", By: "second"})
	s.did("refuse node early recycled", "answer ok")
	s.ready(0)
	s.did("pickUp", "answer 0")
}

// A node that needs longer than its first caller waits is not killed: who asks
// again gets it. It is picked up meanwhile, since it may work already.
func TestSlowStarterKeepsItsTask(t *testing.T) {
	s := newScript(t, Policy{MaxNodes: NoLimit}, true)
	s.get("r", "t")
	s.pass(1500 * time.Millisecond)
	s.did("launch 0t", "pickUp", "refuse node not ready")
	for range 3 {
		s.get("r", "t")
		s.pass(1500 * time.Millisecond)
		s.did("refuse node not ready")
	}
	s.get("r", "t")
	s.ready(0)
	s.did("answer 0")
	s.pass(time.Hour)
	s.did()
}

func TestSlowStarterNobodyAsksFor(t *testing.T) {
	s := newScript(t, Policy{MaxNodes: NoLimit}, true)
	s.get("r", "t")
	s.pass(1500 * time.Millisecond)
	s.ready(0)
	s.did("launch 0t", "pickUp", "refuse node not ready")
	s.pass(claimTime)
	s.did("stop 0")
	s.gone(0, nil)
	s.did("layDown", "reject")
}

// A caller that was refused before the node failed gets the reason when it asks
// again, instead of another node.
func TestSlowStarterThatFails(t *testing.T) {
	s := newScript(t, Policy{MaxNodes: NoLimit}, true)
	s.get("r", "t")
	s.pass(1500 * time.Millisecond)
	s.gone(0, errCrash)
	s.did("launch 0t", "pickUp", "refuse node not ready", "crash 0", "layDown", "reject")
	s.get("r", "t")
	s.did("reject", "refuse node early recycled")
	s.get("r", "t")
	s.did("launch 1t")
}

// Where no node is kept ahead, one that was launched for a caller stays for who
// asks again.
func TestSlowSharedNode(t *testing.T) {
	s := newScript(t, Policy{MaxNodes: NoLimit}, false)
	s.get("r", "t")
	s.pass(1500 * time.Millisecond)
	s.did("launch 0", "reject", "refuse node not ready")
	s.get("r", "t")
	s.ready(0)
	s.did("pickUp", "answer 0")
	s.recycle(0, "t", nil)
	s.gone(0, nil)
	s.get("r", "t2")
	s.pass(1500 * time.Millisecond)
	s.ready(1)
	s.pass(claimTime)
	s.did("stop 0", "answer ok", "layDown", "launch 1", "reject", "refuse node not ready", "stop 1")
}

func TestExtendedReadyTimeout(t *testing.T) {
	s := newScript(t, Policy{MaxNodes: NoLimit, Prerun: 1}, false)
	s.extended = s.now.Add(25 * time.Second)
	s.pass(24 * time.Second)
	s.did("launch 0")
	if next := s.pool.next(); !next.Equal(s.extended) {
		t.Errorf("the next tick is wanted at %v, not %v", next, s.extended)
	}
	s.pass(time.Second)
	s.did("crash 0", "stop 0")
}

// A task keeps its place until its program has ended, and who stops it is
// answered then.
func TestPlaceIsFreeOnceTheProgramEnded(t *testing.T) {
	done := &muster.TaskResult{State: muster.TaskDone}
	s := newScript(t, Policy{MaxNodes: NoLimit}, true)
	s.get("r", "t")
	s.ready(0)
	s.did("launch 0t", "pickUp", "answer 0")
	s.recycle(0, "t", done)
	s.recycle(0, "t", done)
	s.did("stop 0")
	if r, _ := s.pool.queryTask(s.now, "t"); r.State != muster.TaskRunning {
		t.Errorf("the task is %q while its program runs", r.State)
	}
	s.order("r", "t", `2`, "") // the next of that name waits as well
	s.did()
	s.gone(0, nil)
	s.did("layDown", "reject", "answer ok", "answer ok", "launch 1t")
	if r, _ := s.pool.queryTask(s.now, "t"); r.State != muster.TaskDone {
		t.Errorf("the task is %q", r.State)
	}
}

// On nodes for many tasks, as OWT's, a task that comes back does not wait for
// its old node.
func TestTaskComesBackWhileItsNodeEnds(t *testing.T) {
	s := newScript(t, Policy{MaxNodes: NoLimit, Prerun: 1}, false)
	s.ready(0)
	s.get("r", "t")
	s.ready(1)
	s.recycle(0, "t", nil)
	s.did("launch 0", "pickUp", "answer 0", "launch 1", "stop 0", "answer ok")
	s.get("r", "t")
	s.did("layDown", "pickUp", "answer 1", "launch 2")
	s.gone(0, nil)
	s.did()
	if len(s.pool.tasks) != 1 || s.pool.tasks["t"].node.id != "a_1" {
		t.Errorf("the pool has %v", s.pool.tasks)
	}
}
