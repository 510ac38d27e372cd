package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

func TestOperatorsVerbs(t *testing.T) {
	c := beginUp(t, "--workers", "6")
	all := decoded[[]muster.Worker](t, "workers", "webrtc", "--url", c.url)
	if len(all) != 2 {
		t.Fatalf("%d workers of webrtc; want 2", len(all))
	}
	first, second := all[0].ID, all[1].ID
	watch := begin(t, "watch", "--url", c.url)
	lines := begin(t, "watch", "webrtc", "-o", "json", "--url", c.url)
	watch.await("muster: watching owt-cluster")
	lines.await("muster: watching owt-cluster")
	one := done(t, "schedule", "webrtc", "room-1", "--url", c.url)
	on := first
	if strings.Contains(one, second) {
		on = second
	}
	lines.await(`"type":"task.placed","purpose":"webrtc"`)

	follower := begin(t, "drain", on, "--follow", "--url", c.url)
	follower.await(`drain 1 of ` + regexp.QuoteMeta(on) + ` \(1 worker\): 1 of 1 task left`)
	contains(t, done(t, "workers", "--url", c.url), "DRAINING (1 left)", "LAST HEARD", "0s ago")
	contains(t, done(t, "workers", "--state", "draining", "--url", c.url), on)
	contains(t, done(t, "worker", on, "--url", c.url), "DRAINING (1 left)", "room-1", "last heard", "drain 1 of", "by ")
	if got := decoded[wholeWorker](t, "worker", on, "--url", c.url); got.Drained == nil || got.Drained.ID != 1 || len(got.Placed) != 1 {
		t.Errorf("worker: %+v", got)
	}
	contains(t, done(t, "drains", "--url", c.url), on, "draining", "1 of 1")
	contains(t, done(t, "drains", "1", "--url", c.url), "RESERVED", on)
	done(t, "schedule", "webrtc", "room-2", "--url", c.url)
	contains(t, done(t, "why", "webrtc", "room-2", "--url", c.url), "draining", "1 of 2", "are drained")
	refused := refusedWith(t, 1, "drain", "--purpose", "webrtc", "--url", c.url)
	contains(t, refused.stderr, "use --force", "purpose webrtc would have no worker left: 1 would take no more tasks, with 0 running and 1 reserved")
	refused = refusedWith(t, 1, "cordon", "--purpose", "webrtc", "-o", "json", "--url", c.url)
	contains(t, refused.stdout, `"code": "last-workers"`, `"losses": [`, `"reserved": 1`)
	done(t, "unschedule", "webrtc", "room-1", "--url", c.url)
	if status := follower.ends(patience); status != 0 {
		t.Errorf("the follower ended with status %d: %s", status, follower.out.String())
	}
	contains(t, follower.out.String(), "(1 worker): empty")
	watch.await("drain.empty +drain 1")
	contains(t, done(t, "undrain", "--drain", "1", "--url", c.url), "called off")
	contains(t, done(t, "cordon", "--purpose", "video", "--force", "--url", c.url), "2 workers take no new tasks")
	contains(t, refusedWith(t, 1, "schedule", "video", "mix", "--url", c.url).stderr, "cordoned: 2 of 2 workers")
	contains(t, done(t, "uncordon", "--purpose", "video", "--url", c.url), "2 workers take tasks again")
	contains(t, done(t, "strategy", "webrtc", "two-choices", "--url", c.url), "webrtc", "two-choices")
	contains(t, done(t, "strategy", "webrtc", "--reset", "--url", c.url), "webrtc", "last-used")
	contains(t, done(t, "strategy", "--debit", "fixed", "--debit-fixed", "0.25", "--url", c.url), "25.0%")
	contains(t, done(t, "audit", "--url", c.url), "drain", "undrain", "cordon", "uncordon", "two-choices", "fixed 0.25")
	done(t, "drain", "--purpose", "recording", "--sticky", "--force", "--url", c.url)
	contains(t, done(t, "drains", "--url", c.url), "recording, sticky")
	lines.await(`"type":"worker.drained","purpose":"webrtc","worker":"` + regexp.QuoteMeta(on) + `"`)
	checkAuditLines(t, done(t, "audit", "--after", "2", "-o", "json", "--url", c.url))
	contains(t, refusedWith(t, 1, "worker", "nosuch", "--url", c.url).stderr, `no worker has the id "nosuch"`)
	contains(t, refusedWith(t, 1, "drain", "nosuch", "--url", c.url).stderr, "Worker [nosuch] does NOT exist.")

	offered := invoke(t, "__complete", "--url", c.url, "why", "")
	contains(t, offered.stdout, "webrtc\n", "video\n")
	contains(t, invoke(t, "__complete", "--url", c.url, "why", "webrtc", "room").stdout, "room-2\n")
	contains(t, invoke(t, "__complete", "--url", c.url, "drain", "webrtc").stdout, first+"\n", second+"\n")
	contains(t, invoke(t, "__complete", "--url", c.url, "strategy", "webrtc", "two").stdout, "two-choices\n")
	for _, line := range strings.Split(strings.TrimSpace(lines.out.String()), "\n")[1:] {
		if e := new(watched); json.Unmarshal([]byte(line), e) != nil || e.Feed == "" || e.Type != "skipped" && e.Purpose != "webrtc" {
			t.Errorf("watch webrtc printed %s", line)
		}
	}
}

// checkAuditLines holds that each line is an entry, and that the numbers rise.
func checkAuditLines(t *testing.T, out string) {
	t.Helper()
	var numbers []uint64
	for line := range strings.Lines(out) {
		var e muster.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.By.Name == "" || e.Action == "" || e.At == 0 {
			t.Errorf("%v: %s", err, line)
		}
		numbers = append(numbers, e.Number)
	}
	if len(numbers) < 3 || numbers[0] != 3 || !slices.IsSorted(numbers) {
		t.Errorf("numbers %v", numbers)
	}
}

func TestRefusedScheduleHasACode(t *testing.T) {
	c := beginUp(t)
	for code, line := range map[string]string{
		"no-match":   "video x --preference " + impossible,
		"no-workers": "sip x",
		"cordoned":   "webrtc x",
	} {
		if code == "cordoned" {
			code = "full"
			done(t, "cordon", "--purpose", "webrtc", "--force", "--url", c.url)
		}
		got := refusedWith(t, 1, append(append([]string{"schedule"}, strings.Fields(line)...), "-o", "json", "--url", c.url)...)
		contains(t, got.stdout, fmt.Sprintf(`"code": %q`, code), `"error": `)
	}
}

func TestTopScreen(t *testing.T) {
	now := time.Unix(1000, 0)
	worker := func(id string, load float64, drain uint64) muster.Worker {
		return muster.Worker{ID: id, Load: load, Debit: 0.1, Drain: drain, RunningCount: 3, Info: muster.Info{MaxLoad: 1}, State: muster.StateReady}
	}
	m := topModel{rates: &rates{}, width: 110, height: 10}
	for i := range 20 {
		m.rates.add(now.Add(time.Duration(i)*250*time.Millisecond-5*time.Second), 5)
	}
	look := topLook{
		status: client.Status{
			Cluster: "c", State: "in-service", Managers: []muster.Member{{Addr: "a:1", Role: "follower"}, {Addr: "b:1", Role: "leader", Term: 7}},
			Purposes: []client.PurposeStatus{{Purpose: "video", Workers: 3, Running: 9, Strategy: muster.LeastUsed}, {Purpose: "webrtc", Workers: 1}},
		},
		workers: map[string][]muster.Worker{"video": {worker("v1", 0.5, 0), worker("v2", 1, 4)}, "webrtc": {worker("w1", 0, 0)}},
		drains:  []muster.Drain{{ID: 4, State: muster.DrainRunning, Left: 3, Total: 8, Workers: 1, EstimateMillis: 60_000, Selector: muster.Selector{Worker: "v2"}}},
	}
	next, _ := m.Update(look)
	m = next.(topModel)
	screen := m.screen(now)
	contains(t, screen, "leader b:1, term 7", "20.0 decisions/s", "drain 4 of v2 (1 worker): 3 of 8 tasks left, about 1m0s",
		"v1                           [####################++++                ]  50.0%     3+0    ready", "DRAINING (3 left)", "and 1 more")
	if n := strings.Count(screen, "\n") + 1; n != 10 || strings.Contains(screen, "w1") {
		t.Errorf("%d lines of 10:\n%s", n, screen)
	}
	for range 50 {
		m.scroll++
	}
	contains(t, m.screen(now), "w1 ")
	m.last.err = client.ErrOverloaded
	contains(t, m.screen(now), "! overloaded", "w1 ")
	if got := (&rates{}).perSecond(now); got != 0 {
		t.Errorf("nothing happened, at %v/s", got)
	}
}
