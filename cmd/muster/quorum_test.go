package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// Two managers of three stand still. What only looks is answered, and says of
// when it is; afterwards everything is as it was.
func TestQuorumIsLost(t *testing.T) {
	up := begin(t, "up", "--managers", "3", "--media=false", "--workers", "2", "--listen", "127.0.0.1:0", "--load", "memory")
	url := up.await(`Cluster owt-cluster at (\S+)`)[1]
	up.await("Ctrl-C ends")
	done(t, "schedule", "webrtc", "room", "--url", url)
	eventually(t, "not all managers vote", func() bool { return voters(decoded[client.Status](t, "status", "--url", url)) == 3 })
	var stopped []int
	for _, m := range decoded[client.Status](t, "status", "--url", url).Managers {
		if m.Role == "follower" {
			stopped = append(stopped, m.PID)
		}
	}
	signalAll(t, stopped, syscall.SIGSTOP)
	defer signalAll(t, stopped, syscall.SIGCONT)
	const mark = "muster: state of "
	eventually(t, "look-ups are not answered from the last state", func() bool {
		got := invoke(t, "tasks", "--url", url)
		return got.status == 0 && strings.Contains(got.stdout, "room") && strings.Contains(got.stderr, mark)
	})
	contains(t, invoke(t, "workers", "--url", url).stderr, "ago: the managers have no quorum")
	contains(t, invoke(t, "status", "--url", url).stdout, "is no-quorum", "No worker is given up", "candidate")
	contains(t, refusedWith(t, 1, "schedule", "webrtc", "later", "--url", url, "--timeout", "1s").stderr, "does not answer")

	signalAll(t, stopped, syscall.SIGCONT)
	done(t, "schedule", "webrtc", "later", "--url", url, "--timeout", "20s")
	s := decoded[client.Status](t, "status", "--url", url)
	if s.State != "in-service" || s.StaleMillis != 0 || s.Evictions.State == "no-quorum" {
		t.Errorf("with a quorum again: %+v", s)
	}
	if workers := decoded[[]muster.Worker](t, "workers", "--url", url); len(workers) != 2 {
		t.Errorf("%d workers are left of 2", len(workers))
	}
}

func voters(s client.Status) (n int) {
	for _, m := range s.Managers {
		if m.Voter && m.Active && m.Lag == 0 {
			n++
		}
	}
	return n
}

func signalAll(t *testing.T, pids []int, sig syscall.Signal) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Errorf("signal %v to %d: %v", sig, pid, err)
		}
	}
}
