package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/muster-fleet/muster"
)

// TestUsersOfAnOutsideServer: a nats-server with the printed configuration keeps
// users apart as the one inside a manager does.
func TestUsersOfAnOutsideServer(t *testing.T) {
	dir := t.TempDir()
	users, conf := filepath.Join(dir, "users"), filepath.Join(dir, "users.conf")
	done(t, "auth", "init", "--users", users)
	for _, add := range [][]string{{"worker", "video-1", "video-2"}, {"caller", "ann"}, {"manager", "m-1"}} {
		done(t, append([]string{"auth", "add", "--users", users, "--dir", dir}, add...)...)
	}
	if err := os.WriteFile(conf, []byte(done(t, "auth", "nats", "--users", users)), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.NoSigs = "127.0.0.1", server.RANDOM_PORT, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not listen")
	}
	url := s.ClientURL()
	as := func(name string, args ...string) []string {
		return append(args, "--url", url, "--credentials", filepath.Join(dir, name+".credentials"))
	}
	begin(t, as("m-1", "manager", "--initial-time", "0ms")...).await(`msg="manager takes requests"`)
	begin(t, as("video-1", "worker", "--purpose", "video", "--load", "memory", "--max-load", "1")...).await("(?m)^video-1$")
	eventually(t, "the worker is not ready", func() bool {
		for _, w := range decoded[[]muster.Worker](t, as("admin", "workers")...) {
			if w.ID == "video-1" && !w.NoLoad {
				return true
			}
		}
		return false
	})
	done(t, as("ann", "schedule", "video", "mix")...)
	contains(t, refusedWith(t, 1, as("ann", "drain", "video-1", "--force")...).stderr, "which may not do that")
	contains(t, refusedWith(t, 1, "status", "--url", url).stderr, "refuses this user")
}
