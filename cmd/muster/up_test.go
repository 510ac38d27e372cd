package main

import (
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

// cluster is a `muster up` that runs.
type cluster struct {
	*started
	url string
	// workers are by purpose, the last one of each.
	workers map[string]upWorker
	pids    []int
}

type upWorker struct {
	id  string
	pid int
}

var workerLine = regexp.MustCompile(`(?m)^(\w+) +(\w+-[0-9a-f]{20}@\S+) +(\d+)$`)

// beginUp starts a cluster on a free port. Memory is the load, so that a busy
// test machine is not full.
func beginUp(t *testing.T, args ...string) *cluster {
	t.Helper()
	c := &cluster{workers: map[string]upWorker{}}
	c.started = begin(t, append([]string{"up", "--listen", "127.0.0.1:0", "--load", "memory", "--media=false"}, args...)...)
	c.url = c.await(`Cluster \S+ at (nats://127\.0\.0\.1:\d+)\n`)[1]
	c.await("Ctrl-C ends")
	for _, m := range workerLine.FindAllStringSubmatch(c.out.String(), -1) {
		pid, err := strconv.Atoi(m[3])
		if err != nil {
			t.Fatal(err)
		}
		c.workers[m[1]] = upWorker{m[2], pid}
		c.pids = append(c.pids, pid)
	}
	t.Cleanup(func() { c.nobodyLeft() })
	return c
}

// nobodyLeft waits until no worker runs any more, once up has ended.
func (c *cluster) nobodyLeft() {
	c.t.Helper()
	_ = c.cmd.Process.Kill()
	for _, pid := range c.pids {
		eventually(c.t, "a worker outlives up", func() bool { return !alive(pid) })
	}
	<-c.gone
}

const impossible = `{"video":{"encode":["av1"],"decode":["vp8"]}}`

func TestUpAndTheVerbs(t *testing.T) {
	c := beginUp(t)
	if len(c.pids) != 4 || c.workers["webrtc"].id == "" || c.workers["video"].id == "" || c.workers["recording"].id == "" || c.workers["streaming"].id == "" {
		t.Fatalf("workers %v; want webrtc, video, recording and streaming", c.workers)
	}
	contains(t, c.out.String(), "workers --url "+c.url, "schedule webrtc room-1 --url "+c.url, "kill -9 ")
	webrtc := c.workers["webrtc"].id

	list := done(t, "workers", "--url", c.url)
	contains(t, list, "PURPOSE", webrtc, c.workers["video"].id, c.workers["recording"].id, "ready")
	if got := done(t, "workers", "webrtc", "--url", c.url); strings.Count(got, "\n") != 2 {
		t.Errorf("workers of webrtc: %s", got)
	}
	contains(t, refusedWith(t, 1, "workers", "sip", "--url", c.url).stderr, "no worker has the purpose")
	if got := decoded[[]muster.Worker](t, "workers", "--url", c.url); len(got) != 4 || got[0].Load <= 0 || got[0].Load >= 1 {
		t.Errorf("workers: %+v; want four with the memory's load", got)
	}

	contains(t, done(t, "tasks", "--url", c.url), "no tasks")
	for range 2 {
		contains(t, done(t, "schedule", "webrtc", "room-1", "--url", c.url), "webrtc room-1 is on "+webrtc)
	}
	contains(t, done(t, "why", "webrtc", "room-1", "--url", c.url),
		"webrtc room-1 was placed on "+webrtc, "1 of 1 workers could take it", "last-used", "SCORE")
	contains(t, done(t, "tasks", "--url", c.url), "room-1", webrtc, "reserved, ")
	tasks := decoded[[]client.Task](t, "tasks", "webrtc", "--url", c.url)
	if len(tasks) != 1 || tasks[0].Worker != webrtc || tasks[0].State != client.TaskReserved {
		t.Errorf("tasks: %+v; want room-1, reserved", tasks)
	}
	contains(t, done(t, "unschedule", "webrtc", "room-1", "--url", c.url), "no longer held on "+webrtc)
	contains(t, done(t, "tasks", "--url", c.url), "no tasks")
	contains(t, refusedWith(t, 1, "unschedule", "webrtc", "room-1", "--url", c.url).stderr, "No such a task")
	contains(t, refusedWith(t, 1, "why", "webrtc", "never", "--url", c.url).stderr, "No such a task")
	contains(t, refusedWith(t, 1, "schedule", "sip", "x", "--url", c.url).stderr, "No scheduler for purpose: sip")
}

func TestScheduleJSON(t *testing.T) {
	c := beginUp(t)
	placed := decoded[muster.Placement](t, "schedule", "video", "mix", "--url", c.url, "--reserve", "5m", "--region", "eu",
		"--preference", `{"labels":{"absent":{"exists":false}}}`)
	if placed.Purpose != "video" || placed.Task != "mix" || placed.Worker != c.workers["video"].id {
		t.Errorf("placed: %+v", placed)
	}
	info, err := muster.ParseInfo(placed.Info)
	if err != nil || info.Purpose != "video" || info.Capacity.Video != nil {
		t.Errorf("info: %s, %v; want the worker's own", placed.Info, err)
	}
	until := decoded[[]client.Task](t, "tasks", "--url", c.url)[0].Until.Time()
	if left := time.Until(until); left < 2*time.Minute || left > 5*time.Minute {
		t.Errorf("reserved for %v; want 5m", left)
	}
	why := decoded[muster.Explanation](t, "why", "video", "mix", "--url", c.url)
	if why.Chosen == nil || why.Chosen.Worker != placed.Worker || why.Workers != 1 || why.Candidates != 1 {
		t.Errorf("why: %+v", why)
	}
	gone := decoded[map[string]string](t, "unschedule", "video", "mix", "--url", c.url)
	if gone["worker"] != placed.Worker || gone["task"] != "mix" || gone["purpose"] != "video" {
		t.Errorf("unschedule: %v", gone)
	}
}

func TestRefusedTaskNamesTheRule(t *testing.T) {
	const reason = "Failed in scheduling video worker, reason: No worker matches the preference."
	c := beginUp(t)
	got := refusedWith(t, 1, "schedule", "video", "x", "--url", c.url, "--preference", impossible)
	if want := "muster: " + reason + "\n  codec: 1 of 1 workers\n"; got.stderr != want || got.stdout != "" {
		t.Errorf("stderr %q, stdout %q; want %q and nothing", got.stderr, got.stdout, want)
	}
	contains(t, done(t, "why", "video", "x", "--url", c.url), "video x was not placed", reason, "codec", "1 of 1")

	got = refusedWith(t, 1, "schedule", "video", "x", "--url", c.url, "--preference", impossible, "-o", "json")
	contains(t, got.stderr, reason, "codec: 1 of 1 workers")
	contains(t, got.stdout, `"error": "`+reason+`"`, `"codec": 1`)
}

// The worker is out at once, long before its silence would say so.
func TestKilledWorkerIsOutAtOnce(t *testing.T) {
	file := writeConfig(t, "[manager]\ncheck_alive_interval = 60000\ncheck_alive_count = 8\n")
	c := beginUp(t, "-c", file)
	victim := c.workers["recording"]
	done(t, "schedule", "recording", "r", "--url", c.url)
	if err := syscall.Kill(victim.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.await(regexp.QuoteMeta(victim.id) + ` \(pid \d+\) ended: signal: killed. Its tasks are released`)
	eventually(t, "the worker is still listed", func() bool {
		return !strings.Contains(done(t, "workers", "--url", c.url), victim.id)
	})
	contains(t, done(t, "workers", "--url", c.url), c.workers["webrtc"].id, c.workers["video"].id)
	contains(t, done(t, "tasks", "--url", c.url), "no tasks")
}

func TestInterruptEndsEverything(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			c := beginUp(t)
			c.signal(s)
			if status := c.ends(patience); status != 0 {
				t.Errorf("status %d, want 0", status)
			}
			for _, pid := range c.pids {
				if alive(pid) {
					t.Errorf("worker %d is left", pid)
				}
			}
			if out := c.out.String(); strings.Contains(out, "ended:") || strings.Contains(out, "level=") {
				t.Errorf("the end is not quiet: %s", out)
			}
		})
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	c := beginUp(t)
	// A worker that stands still keeps the first one waiting.
	if err := syscall.Kill(c.workers["webrtc"].pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.signal(syscall.SIGINT)
	c.await("muster: ending")
	c.signal(syscall.SIGINT)
	if status := c.ends(patience); status != cli.Interrupted {
		t.Errorf("status %d, want %d", status, cli.Interrupted)
	}
	c.nobodyLeft()
}

func TestStoppedWorkerDoesNotHoldUpTheEnd(t *testing.T) {
	c := beginUp(t)
	if err := syscall.Kill(c.workers["webrtc"].pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.signal(syscall.SIGINT)
	if status := c.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
	c.nobodyLeft()
}

func TestWorkersEndWhenUpIsKilled(t *testing.T) {
	c := beginUp(t)
	c.signal(syscall.SIGKILL)
	c.nobodyLeft()
}

func TestUpCyclesThroughThePurposes(t *testing.T) {
	c := beginUp(t, "--workers", "5", "--cluster", "five")
	for purpose, want := range map[string]int{"webrtc": 2, "video": 1, "recording": 1, "streaming": 1} {
		got := decoded[[]muster.Worker](t, "workers", purpose, "--url", c.url, "--cluster", "five")
		if len(got) != want {
			t.Errorf("%d workers for %s, want %d", len(got), purpose, want)
		}
	}
	contains(t, c.out.String(), "workers --url "+c.url+" --cluster five")
}

func TestUpWithoutWorkers(t *testing.T) {
	c := beginUp(t, "--workers", "0")
	contains(t, done(t, "workers", "--url", c.url), "no workers")
}

func TestPortTaken(t *testing.T) {
	c := beginUp(t, "--workers", "0")
	address := strings.TrimPrefix(c.url, "nats://")
	for _, verb := range []string{"up", "manager"} {
		got := refusedWith(t, 1, verb, "--listen", address)
		if want := "muster: " + address + " is taken, "; !strings.HasPrefix(got.stderr, want) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: %q; want one line that begins with %q", verb, got.stderr, want)
		}
		contains(t, got.stderr, "--listen")
	}
}

func TestFullWorkersAreTold(t *testing.T) {
	c := beginUp(t, "--workers", "1", "--max-load", "0.0001")
	contains(t, c.out.String(), "--load memory")
	got := refusedWith(t, 1, "schedule", "webrtc", "x", "--url", c.url)
	contains(t, got.stderr, "No worker available, all in full load.", "full: 1 of 1 workers")
	contains(t, done(t, "workers", "--url", c.url), " full ")
}
