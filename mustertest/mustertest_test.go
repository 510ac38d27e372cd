package mustertest_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/mustertest"
	"github.com/muster-fleet/muster/worker"
)

// Tasks are spread over the workers, and those of one that is killed go to others.
func TestFleet(t *testing.T) {
	fleet := mustertest.Fleet(t, mustertest.Workers("video", 3)...)
	on := map[string][]string{}
	place := func(task string) string {
		t.Helper()
		placed, err := fleet.Client.Schedule(t.Context(), client.Request{Purpose: "video", Task: task})
		if err != nil {
			t.Fatal(err)
		}
		return placed.Worker
	}
	for _, task := range []string{"a", "b", "c"} {
		w := place(task)
		on[w] = append(on[w], task)
	}
	if len(on) != 3 {
		t.Fatalf("tasks are on %v", on)
	}
	if err := fleet.Kill(t.Context(), "video-2"); err != nil {
		t.Fatal(err)
	}
	task := on["video-2"][0]
	if again := place(task); again == "video-2" {
		t.Errorf("%s is on the worker that was killed", task)
	}
	ids := func() (ids []string) {
		for _, w := range fleet.Workers() {
			ids = append(ids, w.ID())
		}
		return ids
	}
	if got := ids(); !slices.Equal(got, []string{"video-1", "video-3"}) {
		t.Errorf("workers %v", got)
	}
	w, err := fleet.Join(t.Context(), worker.Options{Purpose: "audio", Labels: map[string]string{"gpu": "no"}})
	if err != nil {
		t.Fatal(err)
	}
	placed, err := fleet.Client.Schedule(t.Context(), client.Request{Purpose: "audio", Task: "a", Preference: map[string]any{"labels": map[string]string{"gpu": "no"}}})
	if err != nil || placed.Worker != w.ID() {
		t.Errorf("placed on %v: %v", placed, err)
	}
	if err := fleet.Kill(t.Context(), "nosuch"); err == nil || !strings.Contains(err.Error(), "no worker nosuch") {
		t.Errorf("a worker that is not there: %v", err)
	}
}

// Two clusters do not meet, and nothing is left of one that was closed.
func TestClustersAreApart(t *testing.T) {
	before := goleak.IgnoreCurrent()
	first, err := mustertest.Start(t.Context(), mustertest.Workers("video", 1)...)
	if err != nil {
		t.Fatal(err)
	}
	second, err := mustertest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if known, err := second.Client.Workers(t.Context(), ""); err != nil || len(known) != 0 {
		t.Errorf("the other cluster has %v: %v", known, err)
	}
	conn, err := first.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*mustertest.Cluster{first, second, first} { // twice does no harm
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := conn.Publish(t.Context(), "x", "", 1); err == nil {
		t.Error("a connection outlives its cluster")
	}
	goleak.VerifyNone(t, before)
}

// Options that are wrong fail the start, and leave nothing.
func TestStartFails(t *testing.T) {
	before := goleak.IgnoreCurrent()
	if c, err := mustertest.Start(t.Context(), worker.Options{}); err == nil || c != nil {
		t.Errorf("a worker without a purpose: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := mustertest.Start(ended); err == nil || c != nil {
		t.Errorf("a context that is over: %v", err)
	}
	goleak.VerifyNone(t, before)
}
