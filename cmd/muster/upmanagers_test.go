package main

import (
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// A manager of `muster up` is killed, and started again with the line that up
// prints: it votes again. So it is where the secret is in the environment.
func TestManagerOfUpStartsAgain(t *testing.T) {
	for name, env := range map[string][]string{"own secret": nil, "secret of the operator": {"MUSTER_RAFT_SECRET=a secret of the operator, 32 bytes"}} {
		t.Run(name, func(t *testing.T) {
			up := beginWith(t, env, "up", "--managers", "3", "--media=false", "--workers", "1", "--listen", "127.0.0.1:0", "--load", "memory")
			url := up.await(`Cluster owt-cluster at (\S+)`)[1]
			up.await("Ctrl-C ends")
			votes := func() bool { return voters(decoded[client.Status](t, "status", "--url", url)) == 3 }
			eventually(t, "not all managers vote", votes)
			killed := leaderOf(t, url)
			signalAll(t, []int{killed.PID}, syscall.SIGKILL)
			line := up.await(`To start it again:\n +muster (manager .*)\n`)[1]
			if again := regexp.MustCompile(`--raft (\S+)`).FindStringSubmatch(line); again == nil || again[1] != killed.Addr {
				t.Fatalf("the line is for another manager than %s: %s", killed.Addr, line)
			}
			beginWith(t, env, strings.Fields(line)...)
			eventually(t, "the manager that was started again does not vote", votes)
			managers := decoded[[]muster.Member](t, "managers", "--url", url)
			if len(managers) != 3 {
				t.Errorf("%d managers, want 3: %+v", len(managers), managers)
			}
			for _, m := range managers {
				if m.PID == killed.PID {
					t.Errorf("the killed process is still a manager: %+v", m)
				}
			}
		})
	}
}
