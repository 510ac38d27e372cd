package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-fleet/muster/client"
)

// What was asked for and is not there is an error that says so.
func TestMisleadingAnswers(t *testing.T) {
	_, url := beginManager(t, "--listen", "127.0.0.1:0", "--initial-time", "0s")
	worker := begin(t, "worker", "--purpose", "video", "--id", "video-1", "--load", "memory", "--url", url)
	eventually(t, "the worker does not join", func() bool { return len(decoded[[]any](t, "workers", "--url", url)) == 1 })

	for _, verb := range []string{"workers", "tasks"} {
		contains(t, refusedWith(t, 1, verb, "NOSUCH", "--url", url).stderr, `no worker has the purpose "NOSUCH"`, "video")
		done(t, verb, "video", "--url", url)
	}
	for _, verb := range [][]string{{"room", "NOSUCH"}, {"rooms", "record", "NOSUCH"}, {"why", "participant", "NOSUCH", "alice"}} {
		contains(t, refusedWith(t, 1, append(verb, "--url", url)...).stderr, `room "NOSUCH" has no participants: 'muster rooms' lists the rooms`)
	}
	misspelled := refusedWith(t, 1, "schedule", "video", "room", "--preference", `{"lables":{"gpu":"a100"}}`, "--url", url)
	contains(t, misspelled.stderr, "preference.lables is unknown: did you mean labels?")
	eventually(t, "the task is not placed", func() bool {
		return invoke(t, "schedule", "video", "room", "--preference", `{"anything":1,"video":{"bitrate":2}}`, "--url", url).status == 0
	})
	contains(t, done(t, "why", "video", "room", "--url", url), "ignored", "anything, video.bitrate")

	signalAll(t, []int{worker.cmd.Process.Pid}, syscall.SIGSTOP)
	silent := refusedWith(t, 1, "stop", "video", "room", "--timeout", "2s", "--url", url)
	signalAll(t, []int{worker.cmd.Process.Pid}, syscall.SIGCONT)
	contains(t, silent.stderr, "worker video-1, which has video room, does not answer")
	if strings.Contains(silent.stderr, "the manager of") {
		t.Errorf("the manager answers: %s", silent.stderr)
	}

	s := decoded[client.Status](t, "status", "--url", url)
	if len(s.Managers) != 1 || s.Managers[0].Version != "v0.0.0-test" {
		t.Errorf("the version of the manager is not in its status: %+v", s.Managers)
	}
	contains(t, done(t, "--version"), "muster v0.0.0-test (go")

	drained := begin(t, "drain", "video-1", "--force", "--follow", "--url", url)
	drained.await(`1 of 1 task left`)
	signalAll(t, []int{worker.cmd.Process.Pid}, syscall.SIGTERM)
	<-worker.gone
	drained.await(`\(1 worker\): empty \(1 task lost with workers that left\)`)
	eventually(t, "the worker is not gone", func() bool {
		got := invoke(t, "workers", "video", "--url", url)
		return got.status == 1 || got.stdout == "no workers\n"
	})
	got := refusedWith(t, 1, "schedule", "video", "other", "--url", url)
	if got.status != 1 {
		t.Errorf("status %d", got.status)
	}
	contains(t, got.stderr, "no worker")
	if strings.Contains(got.stderr, "full load") {
		t.Errorf("nothing is full: %s", got.stderr)
	}
}

// A data directory on a read-only file system is named as that, and not as in use.
func TestDataDirectoryIsReadOnly(t *testing.T) {
	if _, err := exec.LookPath("unshare"); err != nil || os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("CI must run it as root on Linux: only root can mount a file system: %v", err)
		}
		t.Skip("only root can mount a file system, on Linux")
	}
	mount := t.TempDir()
	for _, dir := range []string{mount, filepath.Join(mount, "new")} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		manager := command("manager", "--raft", "127.0.0.1:0", "--peers", "127.0.0.1:0", "--data", dir, "--listen", "127.0.0.1:0")
		cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", `mount -t tmpfs -o ro none "$0" && exec "$@"`, mount}, manager.Args...)...)
		cmd.Env = manager.Env
		out, err := cmd.CombinedOutput()
		if err == nil || ctx.Err() != nil {
			t.Fatalf("the manager starts: %s", out)
		}
		contains(t, string(out), "data directory "+dir+" is on a read-only file system")
		if strings.Contains(string(out), "in use") {
			t.Errorf("misleading: %s", out)
		}
	}
}
