package load

import (
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// Own counts what this process computes, and nothing of a process beside it.
func TestOwn(t *testing.T) {
	other := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	source := Own()
	if _, err := source.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	used := func() float64 {
		seconds, err := readOwn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seconds
	}
	const work = 0.5 // seconds; the kernel counts in hundredths
	began, before := time.Now(), used()
	for used() < before+work {
	}
	got, err := source.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	share := (used() - before) / time.Since(began).Seconds() / float64(runtime.GOMAXPROCS(0))
	if got < share/2 || got > share*1.5 {
		t.Errorf("the load is %v, and this process used %v of the processors", got, share)
	}
}
