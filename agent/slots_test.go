package agent

import (
	"encoding/json"
	"testing"

	"github.com/muster-fleet/muster"
)

// Tasks of one sort do not take the places of the other, and a task that is ending
// keeps its slot until its node is gone.
func TestSlotsOfEachSort(t *testing.T) {
	s := newScript(t, Policy{Prerun: 0, MaxNodes: NoLimit, PerTask: true}, false)
	s.pool.maxTasks = 3
	s.pool.slots = map[string]int{"": 2, "device": 1}
	s.pool.slotOf = func(spec json.RawMessage) string { return string(spec) }
	get := func(task, slot string) {
		s.ref++
		s.pool.getNode(s.now, s.ref, muster.TaskOrder{Task: task, Spec: json.RawMessage(slot)})
	}
	get("d1", "device")
	s.did("launch 0")
	get("d2", "device")
	s.did("reject", "refuse "+muster.ReasonNoSlot.Text)
	get("c1", "")
	get("c2", "")
	s.did("launch 1", "launch 2")
	get("c3", "")
	s.did("reject", "refuse "+muster.ReasonNoSlot.Text)
	get("d1", "device") // asked again, it has its slot
	s.did()
	s.ready(0)
	s.did("pickUp", "answer 0", "answer 0")
	s.recycle(0, "d1", nil)
	s.did("stop 0", "answer ok")
	get("d2", "device")
	s.did()
	s.gone(0, nil)
	s.did("layDown", "reject", "launch 3")
}
