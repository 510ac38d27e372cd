package main

import (
	"context"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/internal/roombench"
)

// The measurement of musterbench, with few people and a page: nobody is lost when
// the SFU's process is drained and killed, and the picture that is measured is one
// that moves. Its times are not judged here.
func TestRoomTrial(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	o := roombench.DefaultTrialOptions()
	o.Muster, o.People, o.Senders, o.Browser, o.Drains, o.Kills = program, 4, 2, true, 1, 1
	results, err := roombench.RunTrial(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range results {
		rows = append(rows, r.What)
		if r.Lost > 0 || r.Count == 0 {
			t.Errorf("%+v", r)
		}
	}
	contains(t, strings.Join(rows, "\n"), "join until the first frame", "drain: frames missing", "kill: largest gap, pion", "kill: largest gap, Chromium")
}
