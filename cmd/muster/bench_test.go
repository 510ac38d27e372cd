package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/cli"
)

// runBench runs a benchmark, which must succeed, and returns what it printed.
func runBench(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(append([]string{"bench"}, args...), &stdout, &stderr); status != cli.Done {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr is no terminal, so nothing belongs there; got %q", stderr.String())
	}
	return stdout.String()
}

// requireMembers fails for members that are missing, or not above 0.
func requireMembers(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	for _, name := range names {
		if n, ok := object[name].(float64); !ok || n <= 0 {
			t.Errorf("%s is %v, want a number above 0", name, object[name])
		}
	}
}

func TestBenchPlacePrintsOneObject(t *testing.T) {
	out := runBench(t, "place", "--workers", "100", "--tasks", "2000", "--isps", "1", "--regions", "1",
		"--strategy", "least-used", "-o", "json")
	var object map[string]any
	if err := json.Unmarshal([]byte(out), &object); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	requireMembers(t, object, "per_s", "p50_ns", "p99_ns", "max_over_mean", "workers", "tasks")
	if object["strategy"] != "least-used" || object["failed"] != 0.0 || object["max_over_mean"].(float64) > 1.1 {
		t.Errorf("got %s", out)
	}
}

func TestBenchPlacePrintsAnArrayForSeveralRuns(t *testing.T) {
	out := runBench(t, "place", "--workers", "10,20", "--tasks", "100", "--strategy", "all", "-o", "json")
	var array []map[string]any
	if err := json.Unmarshal([]byte(out), &array); err != nil || len(array) != 14 {
		t.Errorf("%d objects, %v; want 14, for 7 strategies and 2 fleets", len(array), err)
	}
}

func TestBenchPrintsTables(t *testing.T) {
	args := []string{"place", "--workers", "10,20", "--tasks", "1234"}
	if lines := strings.Split(runBench(t, args...), "\n"); len(lines) != 4 || !strings.Contains(lines[2], " 1,234 ") {
		t.Errorf("want a heading and two rows, got %q", lines)
	}
	lines := strings.Split(runBench(t, append(args, "-o", "markdown")...), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[1], "|---|") || !strings.Contains(lines[2], "| 10 | 1,234 |") {
		t.Errorf("want a Markdown table of two rows, got %q", lines)
	}
}

func TestBenchRPCPrintsOneObject(t *testing.T) {
	out := runBench(t, "rpc", "--workers", "20", "--inflight", "8", "--duration", "100ms", "--slice", "10ms", "-o", "json")
	var object map[string]any
	if err := json.Unmarshal([]byte(out), &object); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	requireMembers(t, object, "ceiling_per_s", "placements_per_s", "ratio",
		"ceiling_p50_ns", "ceiling_p99_ns", "p50_ns", "p99_ns",
		"ceiling_cpu_ns", "cpu_ns", "calls")
	if object["bus"] != "nats" || object["failed"] != 0.0 {
		t.Errorf("got %s", out)
	}
}

func TestBenchWritesAProfile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cpu.prof")
	runBench(t, "place", "--workers", "10", "--tasks", "100", "--cpuprofile", file)
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("the profile is not there: %v", err)
	}
}

func TestBenchUsedWrongly(t *testing.T) {
	for _, args := range []string{
		"place --strategy best", "place --workers 0", "place --debit 3", "place -o yaml", "place 7",
		"rpc --inflight 0", "rpc --duration 1ms", "rpc --via telepathy", "rpc --batch 0", "rpc --signs drums", "rpc --batch 1001", "nothing",
	} {
		var stdout, stderr bytes.Buffer
		if status := run(append([]string{"bench"}, strings.Fields(args)...), &stdout, &stderr); status != cli.WrongUsage {
			t.Errorf("bench %s: exit status %d, want %d; stderr %q", args, status, cli.WrongUsage, stderr.String())
		}
	}
}

func TestBenchOnABrokerThatIsNotThere(t *testing.T) {
	var stdout, stderr bytes.Buffer
	status := run([]string{"bench", "rpc", "--url", "nats://user:secret@127.0.0.1:1"}, &stdout, &stderr)
	if status != cli.Refused || !strings.Contains(stderr.String(), "127.0.0.1:1") {
		t.Errorf("exit status %d, stderr %q", status, stderr.String())
	}
	if strings.Contains(stderr.String(), "secret") {
		t.Errorf("the password is on stderr: %q", stderr.String())
	}
}

func TestThousandsAndShortTimes(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := cli.Thousands(n); got != want {
			t.Errorf("cli.Thousands(%d) = %q", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		999: "999ns", 12345: "12.3µs", 1234567: "1.23ms", 98765432109: "1m38.8s",
	} {
		if got := cli.ShortTime(d); got != want {
			t.Errorf("cli.ShortTime(%d) = %q, want %q", d, got, want)
		}
	}
}
