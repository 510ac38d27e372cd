package systemtest

import (
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/systemtest/cluster"
	"github.com/muster-fleet/muster/internal/systemtest/history"
)

// runs is what callers of OWT do: the first who gets a worker for a task has it
// picked up there.
type runs struct {
	*rig
	mu     sync.Mutex
	picked map[string]string
}

func startRuns(t *testing.T) *runs {
	r := &runs{picked: map[string]string{}}
	r.rig = startRig(t, rabbit.Broker(t), setup{replica: "owt", fleet: 5, first: r.pickUp})
	return r
}

// pickUp is called with each placement.
func (r *runs) pickUp(rig *rig, task, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, again := r.picked[task]; !again {
		r.picked[task] = id
		rig.fleet.byID[id].AddTask(task)
	}
}

// verifyRuns checks what OWT's protocol promises: in the end each task that runs
// is on one worker, and the master knows it there. Calls may be lost: see
// docs/decisions/owt-election.md.
func (r *runs) verifyRuns() {
	r.Helper()
	calls := r.load.End()
	doubled, unanswered := map[string]string{}, 0
	for _, c := range calls {
		if !c.Answered() {
			unanswered++
		}
	}
	for task, id := range r.picked {
		r.awaitOn(task, id)
	}
	for id, w := range r.fleet.byID {
		for _, task := range w.Tasks() {
			if r.picked[task] != id {
				doubled[task] = id
			}
		}
	}
	r.Logf("faults %d, calls %d, lost %d (OWT's protocol may), doubled in the end %d, longest gap %v",
		r.faults, len(calls), unanswered, len(doubled), history.Gap(calls, 0, r.load.Now()).Round(100*time.Microsecond))
	if len(doubled) != 0 {
		r.Errorf("tasks run on two workers: %v, before on %v", doubled, r.picked)
	}
}

func TestMasterOfOWTIsKilled(t *testing.T) {
	r := startRuns(t)
	for range 3 {
		r.replace(r.leader())
	}
	r.verifyRuns()
}

// A master that wakes up follows the one that took its place, and answers no call.
func TestMasterOfOWTIsStopped(t *testing.T) {
	r := startRuns(t)
	for range 2 {
		old := r.leader()
		r.Stop(old)
		next, err := r.AwaitLeader(r.ctx, old)
		r.must(err)
		r.calm()
		r.Continue(old)
		r.answersOnly(next)
		r.healed()
	}
	r.verifyRuns()
}

// answersOnly asks who leads, many times.
func (r *runs) answersOnly(m *cluster.Manager) {
	r.Helper()
	for range 100 {
		members, err := r.Members(r.ctx)
		if err != nil {
			continue
		}
		for _, member := range members {
			if member.PID != m.Process.PID {
				r.Fatalf("%+v answers, and %d leads", member, m.Process.PID)
			}
		}
	}
}
