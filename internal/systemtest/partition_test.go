package systemtest

import (
	"os"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

// farAway is a bad way over land.
var farAway = cluster.Way{Delay: 50 * time.Millisecond, Loss: 0.05}

// onNetworks runs a test on each kind of queue with managers whose networks are
// apart.
func onNetworks(t *testing.T, test func(r *rig)) {
	t.Helper()
	onNetworksWith(t, "", test)
}

// onNetworksWith is onNetworks with more in the managers' configuration. Without
// the right to make networks it cannot run; CI must have it.
func onNetworksWith(t *testing.T, config string, test func(r *rig)) {
	t.Helper()
	if err := cluster.CanBeApart(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("NETWORKS ARE NOT TESTED, which CI must do as root: %v", err)
		}
		t.Skipf("NETWORKS ARE NOT TESTED: this needs Linux, root and the program ip: %v", err)
	}
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{apart: true, config: config})
		test(r)
		r.verify()
	})
}

// others are all managers but one.
func (r *rig) others(m *cluster.Manager) []*cluster.Manager {
	var all []*cluster.Manager
	for _, other := range r.Managers() {
		if other != m {
			all = append(all, other)
		}
	}
	return all
}

// mute lets the others hear nothing of a manager, deafen lets it hear nothing
// of them.
func (r *rig) mute(m *cluster.Manager) {
	for _, other := range r.others(m) {
		r.Disturb(m, other, cluster.Shut)
	}
}

func (r *rig) deafen(m *cluster.Manager) {
	for _, other := range r.others(m) {
		r.Disturb(other, m, cluster.Shut)
	}
}

func (r *rig) settle(*cluster.Manager) { r.Settle() }

func TestLeaderLosesTheOtherManagers(t *testing.T) {
	onNetworks(t, func(r *rig) {
		r.while(func(m *cluster.Manager) { r.mute(m); r.deafen(m) }, r.settle)
	})
}

func TestLeaderIsNotHeardByTheOthers(t *testing.T) {
	onNetworks(t, func(r *rig) { r.while(r.mute, r.settle) })
}

func TestLeaderDoesNotHearTheOthers(t *testing.T) {
	onNetworks(t, func(r *rig) { r.while(r.deafen, r.settle) })
}

// The other managers still see a healthy leader; callers do not reach it.
func TestLeaderLosesTheQueue(t *testing.T) {
	onNetworks(t, func(r *rig) {
		r.while(func(m *cluster.Manager) {
			r.Disturb(m, nil, cluster.Shut)
			r.Disturb(nil, m, cluster.Shut)
		}, r.settle)
	})
}

// A follower that only the leader reaches must not unseat it.
func TestFollowersLoseEachOther(t *testing.T) {
	onNetworks(t, func(r *rig) {
		followers := r.others(r.leader())
		r.Disturb(followers[0], followers[1], cluster.Shut)
		r.Disturb(followers[1], followers[0], cluster.Shut)
		r.calm()
		r.settle(nil)
		r.healed()
	})
}

// One follower is far away. The leader and the other one are a majority without
// it.
func TestFollowerIsFarAwayAndLosesPackets(t *testing.T) {
	onNetworks(t, func(r *rig) {
		leader := r.leader()
		far := r.others(leader)[0]
		for _, near := range r.others(far) {
			r.Disturb(far, near, farAway)
			r.Disturb(near, far, farAway)
		}
		r.calm()
		r.calm()
		r.settle(nil)
		r.healed()
	})
}

// Every way between the managers is slow and loses packets: who leads is heard
// late, and still leads. With the time-out for one network there would be one
// election after the other.
func TestManagersAreFarFromEachOther(t *testing.T) {
	onNetworksWith(t, "[raft]\nelection_timeout = \"1s\"\n", func(r *rig) {
		for _, from := range r.Managers() {
			for _, to := range r.others(from) {
				r.Disturb(from, to, farAway)
			}
		}
		r.calm()
		r.Kill(r.leader())
		r.calm()
		r.settle(nil)
	})
}
