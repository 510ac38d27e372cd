package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// A whole flow on a queue that knows its users: a worker joins, a task is placed, the
// worker is drained; and each role is refused what is not its own.
func TestUsersOfTheQueue(t *testing.T) {
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	in := func(name string) string { return filepath.Join(dir, name+".credentials") }
	if got := strings.TrimSpace(done(t, "auth", "init", "--users", users)); got != in("admin") {
		t.Fatalf("the admin's credentials are %s", got)
	}
	contains(t, refusedWith(t, 1, "auth", "init", "--users", users).stderr, "muster auth add ROLE NAME")
	for _, add := range [][]string{{"worker", "video-1", "video-2"}, {"caller", "ann"}, {"viewer", "eye"}, {"operator", "op"}, {"manager", "web"}} {
		done(t, append([]string{"auth", "add", "--users", users, "--dir", dir}, add...)...)
	}
	contains(t, refusedWith(t, 2, "auth", "add", "caller", "ann", "--users", users, "--dir", dir).stderr, "is there twice")
	contains(t, refusedWith(t, 2, "auth", "add", "worker", "video-1_2", "--users", users, "--dir", dir).stderr, "like a node")
	refusedWith(t, 2, "auth", "add", "worker", "--users", users)
	m := begin(t, "manager", "--listen", "127.0.0.1:0", "--initial-time", "0ms", "--users", users)
	url := m.await(`msg="manager takes requests".* url=(\S+)`)[1]
	contains(t, refusedWith(t, 1, "status", "--url", url).stderr, "refuses this user")
	contains(t, refusedWith(t, 1, "worker", "--purpose", "video", "--url", url, "--credentials", in("ann")).stderr, "muster auth add worker ID")
	refusedWith(t, 2, "worker", "--purpose", "video", "--id", "video-2", "--url", url, "--credentials", in("video-1"))
	a := begin(t, "agent", "--purpose", "video", "--load", "memory", "--url", url, "--credentials", in("video-1"), "--dir", filepath.Join(dir, "agent"), "--", "sleep", "1000")
	w := begin(t, "worker", "--purpose", "audio", "--load", "memory", "--url", url, "--credentials", in("video-2"))
	w.await("(?m)^video-2$")
	as := func(name string, args ...string) []string {
		return append(args, "--url", url, "--credentials", in(name))
	}
	eventually(t, "the agent is not ready", func() bool {
		for _, one := range decoded[[]muster.Worker](t, as("eye", "workers")...) {
			if one.ID == "video-1" && !one.NoLoad {
				return true
			}
		}
		return false
	})
	if got := decoded[muster.Placement](t, as("ann", "schedule", "video", "mix")...); got.Worker != "video-1" {
		t.Errorf("placed on %s", got.Worker)
	}
	contains(t, refusedWith(t, 1, as("ann", "drain", "video-1", "--force")...).stderr, "ann has the role caller, which may not do that")
	contains(t, refusedWith(t, 1, as("eye", "schedule", "video", "other")...).stderr, "eye has the role viewer")
	contains(t, refusedWith(t, 1, as("op", "managers", "add", "127.0.0.1:1")...).stderr, "op has the role operator")
	done(t, as("op", "drain", "video-1", "--force")...)
	if entry := decoded[muster.AuditEntry](t, as("eye", "audit")...); entry.Action != "drain" || entry.By.Name != "op" {
		t.Errorf("audit: %+v", entry)
	}
	if got := decoded[client.Status](t, as("admin", "status")...); got.State != "in-service" {
		t.Errorf("status: %+v", got)
	}
	web := begin(t, "web", "--http", "127.0.0.1:0", "--url", url, "--credentials", in("web"))
	page := web.await(`msg="serving page and API".* url=(\S+)`)[1]
	if status, text := fetch(t, page+"/v1/workers", ""); status != 200 || !strings.Contains(text, "video-1") {
		t.Errorf("%d %s", status, text)
	}
	// Who is taken out of the file is refused from SIGHUP on.
	text, err := os.ReadFile(users)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "caller ann ") {
			left = append(left, line)
		}
	}
	if err := os.WriteFile(users, []byte(strings.Join(left, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	signalAll(t, []int{m.cmd.Process.Pid}, syscall.SIGHUP)
	m.await("users of the queue reloaded")
	contains(t, refusedWith(t, 1, as("ann", "tasks")...).stderr, "refuses this user")
	done(t, as("eye", "tasks")...)
	eventually(t, "the reload is not in the audit", func() bool {
		return strings.Contains(done(t, as("eye", "audit", "-o", "json")...), `"action":"reload-users","target":"`+url+`","before":"ann (caller)"`)
	})
	a.signal(syscall.SIGTERM)
	w.signal(syscall.SIGTERM)
}
