package manager

import (
	"testing"

	"github.com/muster-fleet/muster/bus"
)

func TestLinkTellsItsLossOnce(t *testing.T) {
	var l link
	steps := []struct {
		change *bool
		want   linkState
	}{
		{nil, linkDown}, {is(true), linkUp}, {nil, linkUp},
		{is(false), linkDown}, {nil, linkDown}, {is(true), linkBack}, {nil, linkUp},
	}
	for i, s := range steps {
		if s.change != nil {
			l.set(bus.Status{Connected: *s.change})
		}
		if got := l.look(); got != s.want {
			t.Errorf("look %d found %d, want %d", i, got, s.want)
		}
	}
	// A loss between two looks counts, however short.
	l.set(bus.Status{})
	l.set(bus.Status{Connected: true})
	if got := l.look(); got != linkBack {
		t.Errorf("a short loss: look found %d, want %d", got, linkBack)
	}
}

func is(up bool) *bool { return &up }

// No worker is given up while the queue is away, however long, and afterwards
// not before each had the time to be heard again.
func TestNobodyIsGivenUpWhileTheQueueIsAway(t *testing.T) {
	opts := DefaultOptions()
	opts.StaleAfter, opts.CheckAliveCount = 0, 3
	c, _ := newScene(opts)
	c.alive.SetLimit(3, 1)
	check := func() { c.step((*core).check) }
	ask(t, c, "join", `["conference","c-1",`+testInfo+`]`)
	c.connection(bus.Status{Connected: true})
	for range 3 {
		check()
	}
	c.connection(bus.Status{})
	for range 100 {
		check()
	}
	c.connection(bus.Status{Connected: true})
	for i := range 4 { // the first of them finds the queue back
		if check(); !c.stateNow().Has("c-1") {
			t.Fatalf("lost at count %d after the queue came back", i)
		}
	}
	if check(); c.stateNow().Has("c-1") {
		t.Error("a worker that stays silent is never lost")
	}
}
