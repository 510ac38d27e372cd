package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/mediabench"
	"github.com/muster-fleet/muster/internal/peers"
)

// program is the muster that is measured, with a musterbench beside it.
var program string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "musterbench-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "muster")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "../muster", "../../internal/peers/leastnats", ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	return m.Run()
}

func TestFailoverPrintsOneObject(t *testing.T) {
	var stdout, stderr bytes.Buffer
	status := run([]string{"failover", "--muster", program, "--kills", "1", "-o", "json"}, &stdout, &stderr)
	if status != cli.Done {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	var result struct {
		Bus    string  `json:"bus"`
		Kills  int     `json:"kills"`
		Lost   int     `json:"lost"`
		GapMax float64 `json:"gap_ms_max"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		t.Fatalf("%v in %s", err, stdout.String())
	}
	if result.Bus != "nats" || result.Kills != 1 || result.Lost != 0 || result.GapMax <= 0 {
		t.Errorf("got %s", stdout.String())
	}
}

func TestPeersMeasuresAllContenders(t *testing.T) {
	cmd := exec.Command(filepath.Join(filepath.Dir(program), "musterbench"), // a process of the run is this program
		"peers", "--servers", "3", "--inflight", "8", "--callers", "1,2", "--batch", "1,4",
		"--workers", "10", "--duration", "400ms", "--slice", "100ms", "-o", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []peers.Result
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(results) != 8 {
		t.Fatalf("%d results, want one of 3 contenders, of Muster two, with 1 and 2 callers: %s", len(results), out)
	}
	for i, r := range results {
		if want := []int{1, 4, 1, 1}[i%4]; r.Batch != want || r.BatchRatio <= 0 || r.Batch == 4 && r.BatchRatio != 1 {
			t.Errorf("want calls of %d tasks, got %+v", want, r)
		}
		if r.PerS <= 0 || r.Ratio <= 0 || r.Failed > 0 || r.Tries < 1 || r.P99 < r.P50 || r.Servers != 3 {
			t.Errorf("got %+v", r)
		}
	}
}

func TestFillCountsElectionsAndMemory(t *testing.T) {
	cmd := exec.Command(filepath.Join(filepath.Dir(program), "musterbench"),
		"fill", "--managers", "3", "--workers", "10", "--tasks", "500", "--inflight", "8", "-o", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []peers.FillResult
	if err := json.Unmarshal(out, &results); err != nil || len(results) != 1 {
		t.Fatalf("%v in %s", err, out)
	}
	if r := results[0]; r.Managed != 3 || r.Failed != 0 || r.Leader <= 0 || r.LeaderPeak < r.Leader || r.Follower <= 0 {
		t.Errorf("got %+v", r)
	}
}

func TestStartMeasuresBoth(t *testing.T) {
	cmd := exec.Command(filepath.Join(filepath.Dir(program), "musterbench"), "start", "--pairs", "2", "-o", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []peers.StartResult
	if err := json.Unmarshal(out, &results); err != nil || len(results) != 2 {
		t.Fatalf("%v in %s", err, out)
	}
	for _, r := range results {
		if r.Pairs != 2 || r.Wall <= 0 || r.CPU <= 0 || r.WallRatio <= 0 || r.CPURatio <= 0 {
			t.Errorf("got %+v", r)
		}
	}
}

func TestMediaMeasuresBoth(t *testing.T) {
	var stdout, stderr bytes.Buffer
	status := run([]string{"media", "--muster", program, "--clips", "2", "--seconds", "2", "--size", "320x180", "--height", "90", "--rounds", "1", "-o", "json"}, &stdout, &stderr)
	if status != cli.Done {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	var results []mediabench.Result
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil || len(results) != 1 {
		t.Fatalf("%v in %s", err, stdout.String())
	}
	if r := results[0]; r.Clips != 2 || r.MusterCPU <= 0 || r.XargsCPU <= 0 || r.WallRatio <= 0 || r.CPURatio <= 0 {
		t.Errorf("got %+v", r)
	}
}

func TestUsedWrongly(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for line, want := range map[string]struct {
		status int
		text   string
	}{
		"nothing":                      {cli.WrongUsage, `unknown command "nothing"`},
		"failover --how kick":          {cli.Refused, "--muster"}, // found first: there is none on PATH
		"failover --muster x --how no": {cli.WrongUsage, "how must be one of"},
		"media --clips 0":              {cli.WrongUsage, "--clips"},
		"failover --kills many":        {cli.WrongUsage, "invalid argument"},
	} {
		var stdout, stderr bytes.Buffer
		if status := run(strings.Fields(line), &stdout, &stderr); status != want.status || !strings.Contains(stderr.String(), want.text) {
			t.Errorf("%s: exit status %d, want %d with %q; stderr %q", line, status, want.status, want.text, stderr.String())
		}
	}
}

func TestMusterBesideThisProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(filepath.Dir(self), "muster")
	if err := os.WriteFile(beside, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := findMuster(""); err != nil || got != beside {
		t.Errorf("found %q, %v; want %q", got, err, beside)
	}
	if got, err := findMuster("named"); err != nil || got != "named" {
		t.Errorf("found %q, %v; want what was named", got, err)
	}
}
