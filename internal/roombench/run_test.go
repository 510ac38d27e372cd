package roombench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"testing"
	"time"
)

// TestMain is a server of the measurement too.
func TestMain(m *testing.M) {
	if len(os.Args) != 3 || os.Args[1] != "serve" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := Serve(ctx, os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := DefaultOptions()
	o.Server, o.Shapes, o.Rounds, o.Duration = []string{self, "serve"}, []string{"1x2", "3x3"}, 1, 300*time.Millisecond
	results, err := Run(ctx, o)
	if err != nil || len(results) != 4 {
		t.Fatalf("%+v, %v", results, err)
	}
	for _, r := range results {
		if r.PerCPUSecond <= 0 || r.Ratio <= 0 || r.Memory <= 0 {
			t.Errorf("%+v", r)
		}
	}
	o.Shapes = []string{"many"}
	if _, err := Run(ctx, o); err == nil {
		t.Error("a shape that is none is measured")
	}
}

func TestShapes(t *testing.T) {
	for text, want := range map[string]shape{
		"1x20": {1, 20, false}, "10x10": {10, 10, false}, "1x20s": {1, 20, true},
		"": {}, "s": {}, "1x": {}, "0x3": {}, "3x0": {}, "-1x3": {},
	} {
		got, err := parseShape(text)
		if want.publishers == 0 {
			if err == nil {
				t.Errorf("%q is a shape: %+v", text, got)
			}
		} else if got != want || err != nil {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestLiveKit(t *testing.T) {
	program, err := exec.LookPath("livekit-server")
	if err != nil {
		t.Skip("livekit-server is not on PATH")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := DefaultOptions()
	o.LiveKit, o.Kinds, o.Shapes, o.Rounds, o.Duration = program, []string{LiveKit}, []string{"1x2", "2x3", "1x1s"}, 1, 300*time.Millisecond
	results, err := Run(ctx, o)
	if err != nil || len(results) != 3 {
		t.Fatalf("%+v, %v", results, err)
	}
	for _, r := range results {
		if r.PerCPUSecond <= 0 || r.ToLiveKit != 1 || r.Memory <= 0 || r.Lost > 0.5 {
			t.Errorf("%+v", r)
		}
	}
}
