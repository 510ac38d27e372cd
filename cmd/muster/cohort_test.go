package main

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/client"
)

// leaderOf is the process of the manager that leads.
func leaderOf(t *testing.T, url string) muster.Member {
	t.Helper()
	for _, m := range decoded[client.Status](t, "status", "--url", url).Managers {
		if m.Role == "leader" {
			return m
		}
	}
	t.Fatal("no manager leads")
	return muster.Member{}
}

// A leader is killed while tasks are placed. Every call succeeds, and what was
// placed before is where it was.
func TestLeaderOfThreeIsKilled(t *testing.T) {
	up := begin(t, "up", "--managers", "3", "--media=false", "--listen", "127.0.0.1:0", "--load", "memory")
	url := up.await(`Cluster owt-cluster at (\S+)`)[1]
	up.await("Ctrl-C ends")
	eventually(t, "not all managers vote", func() bool {
		voters := 0
		for _, m := range decoded[client.Status](t, "status", "--url", url).Managers {
			if m.Voter && m.Active && m.Lag == 0 {
				voters++
			}
		}
		return voters == 3
	})
	placed := map[string]string{}
	place := func(n int) {
		for i := range n {
			task := fmt.Sprint("task-", i)
			got := decoded[muster.Placement](t, "schedule", "video", task, "--url", url, "--timeout", "10s")
			if before, ok := placed[task]; ok && before != got.Worker {
				t.Errorf("%s was on %s, and is on %s", task, before, got.Worker)
			}
			placed[task] = got.Worker
		}
	}
	place(10)
	killed := leaderOf(t, url)
	if err := syscall.Kill(killed.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	place(20)
	if now := leaderOf(t, url); now.PID == killed.PID || now.Term <= killed.Term {
		t.Errorf("%+v leads after %+v was killed", now, killed)
	}
	contains(t, done(t, "status", "--url", url), "leader", "follower")
	up.signal(syscall.SIGINT)
	if status := up.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}

func TestManagersInOWTsProtocol(t *testing.T) {
	_, url := beginManager(t, "--listen", "127.0.0.1:0", "--cluster", "the-queue-only")
	first := begin(t, "manager", "--replica", "owt", "--url", url, "--initial-time", "0s")
	first.await("role=leader")
	second := begin(t, "manager", "--replica", "owt", "--url", url, "--initial-time", "0s")
	second.await("role=follower")
	beginWorker(t, url, "sip-1@10.0.0.1", "--purpose", "sip")
	free(t, url, "sip-1@10.0.0.1")
	done(t, "schedule", "sip", "call", "--url", url)
	first.signal(syscall.SIGKILL)
	second.await("role=leader")
	contains(t, done(t, "schedule", "sip", "call", "--url", url), "is on sip-1@10.0.0.1")
	contains(t, done(t, "tasks", "--url", url), "call")
}

// A master of OWT's protocol is ended in good order while a program of OWT's
// calls, which asks once and waits for two seconds: no call is lost.
func TestMasterInOWTsProtocolHandsOver(t *testing.T) {
	url := "amqp://" + rabbit.Broker(t).Addr()
	args := []string{"manager", "--replica", "owt", "--url", url, "--cluster", "handed-over", "--initial-time", "0s"}
	first := begin(t, args...)
	first.await("role=leader")
	second := begin(t, args...)
	second.await("role=follower")
	beginWorker(t, url, "sip-1@10.0.0.1", "--purpose", "sip", "--cluster", "handed-over")
	eventually(t, "the worker is not ready", func() bool {
		workers := decoded[[]muster.Worker](t, "workers", "--url", url, "--cluster", "handed-over")
		return len(workers) == 1 && workers[0].Load < workers[0].Info.MaxLoad && workers[0].State.MayTake()
	})
	conn, err := connect.Open(t.Context(), bus.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	longest := time.Duration(0)
	call := func(n int) {
		began := time.Now()
		defer func() { longest = max(longest, time.Since(began)) }()
		ctx, cancel := context.WithTimeout(t.Context(), bus.DefaultTimeout*time.Millisecond)
		defer cancel()
		if _, err := conn.Call(ctx, "handed-over", "schedule", "sip", fmt.Sprint("call-", n), "preference", 60_000); err != nil {
			t.Errorf("call %d: %v", n, err)
		}
	}
	call(0)
	first.signal(syscall.SIGTERM)
	n := 1
	for ; alive(first.cmd.Process.Pid); n++ {
		call(n)
	}
	second.await("role=leader")
	call(n)
	if status := first.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
	contains(t, first.out.String(), "leaving as master", "role=follower") // it stayed until it heard the next one
	contains(t, done(t, "schedule", "sip", "call-1", "--url", url, "--cluster", "handed-over"), "is on sip-1@10.0.0.1")
	t.Logf("%d calls, the longest took %v", n+1, longest)
}
