package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The commands of the runbook in docs/owt.md do what it says, on a RabbitMQ.
func TestRunbookOfOWT(t *testing.T) {
	page, err := os.ReadFile("../../docs/owt.md")
	if err != nil {
		t.Fatal(err)
	}
	_, runbook, ok := strings.Cut(string(page), "## Runbook")
	if !ok {
		t.Fatal("docs/owt.md has no runbook")
	}
	host, port, err := net.SplitHostPort(rabbit.Broker(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(owtDir(t, map[string]string{
		"cluster_manager.toml": "[rabbit]\nhost = \"" + host + "\"\nport = " + port + "\n[manager]\nname = \"runbook\"\ninitial_time = 10 #ms\n",
	}), "cluster_manager.toml")
	var managers, others [][]string
	for _, match := range regexp.MustCompile("`muster ([^`]*-c cluster_manager.toml[^`]*)`").FindAllStringSubmatch(runbook, -1) {
		args := strings.Fields(strings.ReplaceAll(match[1], "cluster_manager.toml", file))
		same := func(other []string) bool { return slices.Equal(other, args) }
		switch {
		case slices.ContainsFunc(managers, same) || slices.ContainsFunc(others, same):
		case args[0] == "manager":
			managers = append(managers, args)
		default:
			others = append(others, args)
		}
	}
	if len(managers) < 2 || len(others) < 4 {
		t.Fatalf("the runbook has the managers %q and the other commands %q", managers, others)
	}
	for _, args := range managers {
		p := begin(t, args...)
		p.await(`msg="manager takes requests"`)
		if slices.Contains(args, "owt") {
			p.await(`role=master`)
		}
		eventually(t, "the manager is not in service", func() bool {
			return strings.Contains(done(t, "status", "-c", file), "in-service")
		})
		for _, other := range others {
			done(t, other...)
		}
		p.signal(syscall.SIGTERM)
		if status := p.ends(patience); status != 0 {
			t.Errorf("muster %q ends with %d", args, status)
		}
	}
}
