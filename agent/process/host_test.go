//go:build unix

package process

import (
	"errors"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestOptionsAreChecked(t *testing.T) {
	dir := t.TempDir()
	for want, o := range map[string]Options{
		"Options.Dir":                {Agent: "a"},
		"Options.Agent":              {Dir: dir, Agent: "a/b"},
		"Options.LogSize":            {Dir: dir, Agent: "a", LogSize: -1},
		"Options.LogFiles":           {Dir: dir, Agent: "a", LogFiles: 1},
		"Options.LogNodes":           {Dir: dir, Agent: "a", LogNodes: -1},
		"Options.Limits.MemoryBytes": {Dir: dir, Agent: "a", Limits: Limits{MemoryBytes: -1}},
		"Options.Limits.CPUs":        {Dir: dir, Agent: "a", Limits: Limits{CPUs: math.NaN()}},
	} {
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want an error that names %s", err, want)
		}
	}
	if _, err := Open(Options{Dir: os.DevNull + "/x", Agent: "a"}); err == nil || !strings.Contains(err.Error(), "Options.Dir") {
		t.Errorf("a directory that cannot be: got %v; want an error that names Options.Dir", err)
	}
}

func TestOneHostADirectory(t *testing.T) {
	dir := t.TempDir()
	h := open(t, Options{Dir: dir})
	_, err := Open(Options{Dir: dir, Agent: "other"})
	if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "Options.Dir") {
		t.Errorf("got %v; want an error that names Options.Dir", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	open(t, Options{Dir: dir})
}

// Limits hold, or the host says once that they do not: it never refuses to
// work because of them.
func TestLimitsHoldOrAreToldOf(t *testing.T) {
	for _, bare := range []bool{false, true} {
		said := &logged{}
		h := open(t, Options{NoCgroups: bare, Limits: Limits{MemoryBytes: 64 << 20, CPUs: 0.5}, Logger: said.logger()})
		n := run(t, h, shell("head -c 300000000 /dev/zero | tail | wc -c")) // tail keeps all of it: there is no line
		err := end(t, n)
		warned := strings.Count(said.String(), "limits do not hold")
		held := h.opts.Limits.some()
		if held && (warned != 0 || err == nil || !strings.Contains(err.Error(), "memory limit")) {
			t.Errorf("limits hold: warned %d times, the node ended with %v", warned, err)
		}
		if !held && (warned != 1 || err != nil) {
			t.Errorf("limits do not hold: warned %d times, the node ended with %v", warned, err)
		}
	}
}

// A node that keeps a processor busy, in a child of its own, is seen.
func TestLoadOfNodes(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		source := h.Load()
		if got, err := source.Load(t.Context()); got != 0 || err != nil {
			t.Fatalf("the first: got %v, %v; want 0", got, err)
		}
		n := run(t, h, shell("(while :; do :; done) & wait"))
		late := time.Now().Add(patienceOfTests)
		for got := 0.0; got < 0.1/float64(runtime.NumCPU()); {
			var err error
			if got, err = source.Load(t.Context()); err != nil || got > 1 || time.Now().After(late) {
				t.Fatalf("got %v, %v; want the share of a busy node", got, err)
			}
		}
		n.Stop(0)
		if err := end(t, n); err != nil {
			t.Error(err)
		}
	})
}

func TestShare(t *testing.T) {
	before := map[string]time.Duration{"a": 5 * time.Second, "shrunk": 9 * time.Second, "gone": time.Second}
	after := map[string]time.Duration{"a": 6 * time.Second, "shrunk": time.Second, "new": time.Second}
	if got := share(before, after, 2*time.Second, 4); got != 0.25 {
		t.Errorf("2 s of 8: got %v; want 0.25", got)
	}
	if got := share(nil, map[string]time.Duration{"a": time.Hour}, time.Second, 1); got != 1 {
		t.Errorf("more than there is: got %v; want 1", got)
	}
}
