package systemtest

import (
	"testing"

	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

func TestLeaderIsKilled(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{})
		for range 3 {
			r.replace(r.leader())
		}
		r.verify()
	})
}

func TestLeaderIsStopped(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{})
		r.while(r.Stop, r.Continue)
		r.verify()
	})
}

func TestLeaderIsCutOff(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{cuttable: true})
		r.while(r.Cut, r.Heal)
		r.verify()
	})
}

// An unmodified program of OWT makes each call once. RabbitMQ holds it until it
// was answered. There are enough of them that some are under way at any time.
func TestLeaderIsKilledUnderCallersOfOWT(t *testing.T) {
	r := startRig(t, rabbit.Broker(t), setup{owt: true, rate: 1000})
	for range 3 {
		r.replace(r.leader())
	}
	r.verify()
}

// while does something to the leader until another one leads and answers.
func (r *rig) while(begin, end func(*cluster.Manager)) {
	r.Helper()
	for range 2 {
		leader := r.leader()
		begin(leader)
		_, err := r.AwaitLeader(r.ctx, leader)
		r.must(err)
		r.calm()
		end(leader)
		r.healed()
	}
}

// In the end none of the managers is there any more that placed the tasks.
func TestManagersAreReplaced(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{})
		leader := r.leader()
		for _, m := range r.Managers() {
			if m != leader {
				r.replace(m)
			}
		}
		r.replace(leader)
		r.verify()
	})
}

func (r *rig) replace(m *cluster.Manager) {
	r.Helper()
	r.Kill(m)
	r.must(r.Launch(m))
	r.healed()
}

func TestManagersAreRestartedInTurn(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{})
		for _, m := range r.Managers() {
			r.must(r.End(m))
			r.must(r.Launch(m))
			r.healed()
		}
		r.verify()
	})
}
