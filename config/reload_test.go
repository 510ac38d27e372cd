package config

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

func TestReload(t *testing.T) {
	running := parse(t, "[manager]", "name = 'a'", "check_alive_count = 5", "[strategy]", "video = 'most-used'", "hologram = 'last-used'",
		"[bus]", "password = 'old'")
	next := parse(t, "[manager]", "name = 'b'", "initial_time = 1", "schedule_reserve_time = 2", "check_alive_interval = 30",
		"[strategy]", "general = 'two-choices'", "audio = 'least-used'", "[bus]", "password = 'new'", "[placement]", "debit = 'off'", "[rabbit]")
	applied, needRestart := Reload(running, next)
	if want := []string{"manager.name", "bus.password", "[rabbit]"}; !slices.Equal(needRestart, want) {
		t.Errorf("needs a restart: %v, want %v", needRestart, want)
	}
	if diff := cmp.Diff(next.Placement(), applied.Placement()); diff != "" {
		t.Error("placement, want -, got +", diff)
	}
	want := next.Manager
	want.Name = "a"
	if applied.Manager != want {
		t.Errorf("[manager]: got %+v, want %+v", applied.Manager, want)
	}
	if applied.Bus.Password != "old" || applied.BusKind() != Embedded || applied.Origin("bus.password").Line != 8 {
		t.Error("the bus was changed:", applied.Bus.Password.Reveal(), applied.BusKind(), applied.Origin("bus.password"))
	}
	if got := applied.Origin("manager.check_alive_count"); got.Source != FromDefault {
		t.Errorf("a key that went back to its default comes from %v", got)
	}
	if _, there := applied.Strategy.ByPurpose["hologram"]; there || running.Strategy.ByPurpose["hologram"] != muster.LastUsed {
		t.Error("a strategy that the new file lacks must go, and stay in the old configuration")
	}
}

func TestDiff(t *testing.T) {
	running := parse(t, "[bus]", "password = 'a'", "[labels]", "zone = 'x'")
	next := parse(t, "[bus]", "password = 'b'", "[strategy]", "hologram = 'last-used'", "[placement]", "debit = 0.5")
	want := []Change{
		{"strategy.hologram", "", "last-used", false},
		{"bus.password", "(hidden)", "(hidden)", true},
		{"placement.debit", "learned", "0.5", false},
		{"labels.zone", "x", "", true},
	}
	defer func() {
		if len(next.Labels) != 0 || len(running.Strategy.ByPurpose) != len(Default().Strategy.ByPurpose) {
			t.Error("Diff changed what it was given:", next.Labels, running.Strategy.ByPurpose)
		}
	}()
	Diff(next, running)
	if diff := cmp.Diff(want, Diff(running, next)); diff != "" {
		t.Error("want -, got +", diff)
	}
	if changes := Diff(next, next.clone()); len(changes) != 0 {
		t.Error("equal configurations differ:", changes)
	}
}

// After a reload, exactly the keys that need a restart differ from the new file.
func TestReloadLeavesOnlyRestarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		running, next := draw(t, "running"), draw(t, "next")
		applied, needRestart := Reload(running, next)
		var left []string
		for _, change := range Diff(applied, next) {
			if !change.Restart {
				t.Errorf("%s was not taken", change.Key)
			}
			left = append(left, change.Key)
		}
		if !slices.Equal(left, needRestart) {
			t.Errorf("needs a restart: %v, but %v differ", needRestart, left)
		}
	})
}

// draw returns a random valid configuration.
func draw(t *rapid.T, label string) *Config {
	c := Default()
	strategies := rapid.SampledFrom(muster.Strategies)
	words := rapid.StringMatching(`[a-zA-Z][a-z "'.#\\é=]{0,8}`)
	c.Manager.Name = words.Draw(t, label+" name")
	c.Manager.InitialTime = time.Duration(rapid.IntRange(0, 10_000).Draw(t, label+" initial")) * time.Millisecond
	c.Manager.CheckAliveCount = rapid.IntRange(1, 50).Draw(t, label+" count")
	c.Strategy.General = strategies.Draw(t, label+" general")
	c.Strategy.ByPurpose = rapid.MapOf(words.Filter(func(s string) bool { return s != "general" }), strategies).Draw(t, label+" strategies")
	c.Labels = rapid.MapOf(words, words).Draw(t, label+" labels")
	c.Rabbit.Port = rapid.IntRange(1, 65535).Draw(t, label+" port")
	c.Bus.Password = Secret(words.Draw(t, label+" password"))
	c.Debit.Mode = rapid.SampledFrom([]state.DebitMode{state.DebitFixed, state.DebitLearned, state.DebitOff}).Draw(t, label+" mode")
	if c.Debit.Mode == state.DebitFixed {
		c.Debit.Fixed = rapid.Float64Range(0, 1).Draw(t, label+" fixed")
	}
	c.Debit.Floor = rapid.Float64Range(0, 1).Draw(t, label+" floor")
	return c
}
