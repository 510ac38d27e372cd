package agent

import (
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/worker"
)

// A caller of OWT may name a task by any JSON value: the agent picks it up
// under the name that the manager has for it.
func TestTasksOfAnyKind(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, _ := obedient()
	a := f.start(Options{Worker: worker.Options{Purpose: "sample"}, Launcher: launcher})
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	null := map[string]any{"room": "room1", "task": nil}
	f.is(`"sample-1_0"`, a, "getNode", null)
	f.managerHas(a, "null")
	f.is(`"sample-1_0"`, a, "getNode", map[string]any{"room": "room1", "task": 7})
	f.managerHas(a, "null", "7")
	f.is(`"ok"`, a, "recycleNode", "sample-1_0", null)
	f.managerHas(a, "7")
}
