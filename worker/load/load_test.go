package load

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fixed(v float64) Source { return Func(func() float64 { return v }) }

func failing(err error) Source {
	return sourceFunc(func(context.Context) (float64, error) { return 0, err })
}

// hanging is a source that gives up only at its deadline.
func hanging() Source {
	return sourceFunc(func(ctx context.Context) (float64, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	})
}

func TestFuncStaysWithinBounds(t *testing.T) {
	for given, want := range map[float64]float64{-1: 0, 0: 0, 0.5: 0.5, 1: 1, 7: 1, math.Inf(1): 1} {
		if got, err := fixed(given).Load(t.Context()); got != want || err != nil {
			t.Errorf("Func of %v: got %v, %v; want %v", given, got, err, want)
		}
	}
	if _, err := fixed(math.NaN()).Load(t.Context()); err == nil {
		t.Error("Func of NaN: no error")
	}
}

func TestWorstTakesTheHighest(t *testing.T) {
	got, err := Worst(fixed(0.2), fixed(0.9), fixed(0.4)).Load(t.Context())
	if got != 0.9 || err != nil {
		t.Errorf("got %v, %v; want 0.9", got, err)
	}
}

func TestWorstKeepsTheOthersWhenOneFails(t *testing.T) {
	broken := errors.New("broken")
	got, err := Worst(fixed(0.2), failing(broken), Worst(fixed(0.7), failing(broken))).Load(t.Context())
	var partial *PartialError
	if got != 0.7 || !errors.As(err, &partial) || !errors.Is(err, broken) {
		t.Errorf("got %v, %v; want 0.7 and a PartialError of %v", got, err, broken)
	}
}

func TestWorstKeepsTheOthersWhenOneHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	seen := sourceFunc(func(context.Context) (float64, error) { cancel(); return 0.3, nil })
	got, err := Worst(hanging(), seen).Load(ctx)
	var partial *PartialError
	if got != 0.3 || !errors.As(err, &partial) {
		t.Errorf("got %v, %v; want 0.3 and a PartialError", got, err)
	}
}

func TestWorstOfNothingGood(t *testing.T) {
	broken := errors.New("broken")
	_, err := Worst(failing(broken)).Load(t.Context())
	var partial *PartialError
	if !errors.Is(err, broken) || errors.As(err, &partial) {
		t.Errorf("all failed: got %v; want %v and no PartialError", err, broken)
	}
	if _, err := Worst().Load(t.Context()); err == nil {
		t.Error("no sources: no error")
	}
}

func TestThisMachine(t *testing.T) {
	for name, s := range map[string]Source{
		"CPU": CPU(), "Memory": Memory(), "Disk": Disk(t.TempDir()),
	} {
		got, err := s.Load(t.Context())
		if err != nil || got < 0 || got > 1 {
			t.Errorf("%s: got %v, %v; want a load", name, got, err)
		}
		t.Logf("%s: %.3f", name, got)
	}
	if got, err := Memory().Load(t.Context()); got == 0 || err != nil {
		t.Errorf("Memory: got %v, %v: some of it must be in use", got, err)
	}
}

func TestDiskNamesThePath(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := Disk(missing).Load(t.Context()); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v; want an error that names %s", err, missing)
	}
}

func TestProcessesCountsChildren(t *testing.T) {
	s := Processes(4)
	if got, err := s.Load(t.Context()); got != 0 || err != nil {
		t.Fatalf("no child: got %v, %v; want 0", got, err)
	}
	child := exec.Command("cat")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(t.Context()); got != 0.25 || err != nil {
		t.Errorf("one child of at most four: got %v, %v; want 0.25", got, err)
	}
	if err := errors.Join(stdin.Close(), child.Wait()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(t.Context()); got != 0 || err != nil {
		t.Errorf("the child is gone: got %v, %v; want 0", got, err)
	}
	if _, err := Processes(0).Load(t.Context()); err == nil {
		t.Error("no limit: no error")
	}
}

// fakeGPU puts an nvidia-smi into PATH that runs script.
func fakeGPU(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, gpuProgram), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

// asked makes the fake insist on the documented query.
const asked = `[ "$1 $2" = "--query-gpu=utilization.gpu,memory.used,memory.total --format=csv,noheader,nounits" ] || exit 9
`

func TestGPU(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   float64
		err    string
	}{
		"use":           {script: asked + `echo "37, 1024, 16384"`, want: 0.37},
		"memory":        {script: asked + `echo "37, 8192, 16384"`, want: 0.5},
		"several cards": {script: asked + `echo "5, 1, 10"; echo "91, 1, 10"; echo "7, 2, 10"`, want: 0.91},
		"unsupported":   {script: asked + `echo "[N/A], 4, 10"`, want: 0.4},
		"no figures":    {script: asked + `echo "[N/A], [N/A], [N/A]"`, err: "reports no utilization"},
		"no driver":     {script: `echo "NVIDIA-SMI has failed"; exit 9`, err: "NVIDIA-SMI has failed"},
	} {
		t.Run(name, func(t *testing.T) {
			fakeGPU(t, c.script)
			got, err := GPU().Load(t.Context())
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, %v; want %v, %q", got, err, c.want, c.err)
			}
		})
	}
}

func TestGPUAbsent(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := GPU().Load(t.Context())
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "nvidia-smi") {
		t.Errorf("got %v; want an error that names nvidia-smi", err)
	}
}
