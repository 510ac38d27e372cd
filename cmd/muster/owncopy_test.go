package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A follower answers from its own copy what was placed through another manager. One
// that the others do not let in is not ready, although it could ask their leader.
func TestFollowersPages(t *testing.T) {
	_, url := beginManager(t, "--listen", "127.0.0.1:0", "--cluster", "the-queue-only")
	addrs, err := freeAddrs(4)
	if err != nil {
		t.Fatal(err)
	}
	c := &cohortTest{t: t, url: url, addrs: addrs}
	pages := map[string]string{}
	start := func(addr string, env ...string) {
		p := beginWith(t, env, "manager", "--initial-time", "0ms", "--url", url, "--raft", addr, "--peers", strings.Join(addrs[:3], ","), "--http", "127.0.0.1:0")
		pages[addr] = p.await(`msg="serving page and API".* url=(\S+)`)[1]
	}
	for _, addr := range addrs[:3] {
		start(addr)
	}
	c.awaitVoters(addrs[:3]...)
	w := begin(t, "worker", "--purpose", "video", "--id", "video-1", "--load", "memory", "--url", url)
	w.await("(?m)^video-1$")
	free(t, url, "video-1")
	start(addrs[3], "MUSTER_RAFT_SECRET="+randomSecret())

	leader := c.leader().Addr
	answers := func(addr string) string {
		_, metrics := fetch(t, pages[addr]+"/metrics", "")
		for line := range strings.Lines(metrics) {
			if count, ok := strings.CutPrefix(line, "muster_own_copy_answers_total "); ok {
				return strings.TrimSpace(count)
			}
		}
		return "none"
	}
	for i, addr := range addrs[:3] {
		task := fmt.Sprint("task-", i)
		done(t, "schedule", "video", task, "--url", url, "--timeout", "20s")
		before := answers(addr)
		if status, text := fetch(t, pages[addr]+"/v1/tasks/video/"+task+"/why", ""); status != http.StatusOK || !strings.Contains(text, "video-1") {
			t.Errorf("%s: %d %s", addr, status, text)
		}
		if after := answers(addr); (after != before) != (addr != leader) && c.leader().Addr == leader {
			t.Errorf("%s (leader %s) answered %s look-ups from its copy before, %s after", addr, leader, before, after)
		}
		eventually(t, "a manager of three is not ready", func() bool {
			status, _ := fetch(t, pages[addr]+"/readyz", "")
			return status == http.StatusOK
		})
	}
	stranger := pages[addrs[3]]
	if status, text := fetch(t, stranger+"/v1/tasks/video/task-0/why", ""); status != http.StatusOK {
		t.Errorf("a manager that is not let in asks the leader: %d %s", status, text)
	}
	if status, text := fetch(t, stranger+"/readyz", ""); status != http.StatusServiceUnavailable || !strings.Contains(text, "knows no leader") {
		t.Errorf("a manager that is not let in: %d %s", status, text)
	}
	if status, _ := fetch(t, stranger+"/healthz", ""); status != http.StatusOK {
		t.Errorf("it does not live: %d", status)
	}
}
