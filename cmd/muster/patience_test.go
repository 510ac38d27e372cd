package main

import (
	"strings"
	"syscall"
	"testing"
)

// TestProgramsWaitForTheirQueue: those that run on outlast a queue that is not there
// yet, and say where its address comes from.
func TestProgramsWaitForTheirQueue(t *testing.T) {
	addr := unused(t)
	url := "nats://" + addr
	manager := beginWith(t, []string{"MUSTER_BUS_URL=" + url}, "manager", "-c", writeConfig(t, placeAtOnce), "--cluster", "late")
	agent := begin(t, "agent", "--purpose", "thumbs", "--url", url, "--cluster", "late", "--id", "a-1", "--load", "memory", "--max-load", "1", "--dir", t.TempDir(), "--", "true")
	file := writeConfig(t, "[bus]\nurl = \""+url+"\"\n")
	worker := begin(t, "worker", "--purpose", "webrtc", "-c", file, "--cluster", "late", "--id", "w-1", "--load", "memory", "--max-load", "1")
	for p, origin := range map[*started]string{manager: "MUSTER_BUS_URL", agent: "--url", worker: file + ":2"} {
		p.await(`msg="waiting for the message queue" err="nothing answers at ` + url + `.*the address is from: .*` + origin)
	}
	beginManager(t, "--listen", addr, "-c", writeConfig(t, placeAtOnce))
	manager.await(`msg="manager takes requests"`)
	agent.await("(?m)^a-1$")
	worker.await("(?m)^w-1$")
	contains(t, done(t, "workers", "--url", url, "--cluster", "late"), "a-1", "w-1")
}

// TestWaitingEnds: a program that waits ends when it is asked to, and does not wait for
// what will not mend itself.
func TestWaitingEnds(t *testing.T) {
	w := begin(t, "worker", "--purpose", "webrtc", "--url", "nats://"+unused(t))
	w.await("waiting for the message queue")
	w.signal(syscall.SIGTERM)
	if status := w.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
	_, url := beginManager(t, "-c", writeConfig(t, placeAtOnce+"[bus]\nuser = \"me\"\npassword = \"right\"\n"), "--listen", "127.0.0.1:0")
	contains(t, refusedWith(t, 1, "worker", "--purpose", "webrtc", "--url", url).stderr, "the broker refuses this user")
	got := refusedWith(t, 1, "workers", "--url", strings.Replace(url, "nats://", "nats://me:right@", 1), "--cluster", "other", "--timeout", "300ms")
	contains(t, got.stderr, `no manager serves the cluster "other"`, "the cluster is from: flag --cluster", "the address is from: flag --url")
}
