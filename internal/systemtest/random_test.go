package systemtest

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

var (
	faults    = flag.Int("faults", 6, "how many faults TestFaultsAtRandom injects on each queue; `make soak` has many")
	faultSeed = flag.Uint64("faultseed", uint64(time.Now().UnixNano()), "which faults those are")
)

// perFault is more than a fault and its end take.
const perFault = 30 * time.Second

// Whatever happens to managers one after the other, in any order, callers notice
// nothing.
func TestFaultsAtRandom(t *testing.T) {
	apart := cluster.CanBeApart() == nil
	onQueues(t, func(t *testing.T, q queue) {
		t.Logf("-faultseed %d", *faultSeed)
		r := startRig(t, q, setup{apart: apart, faults: *faults})
		c := r.beginCounting()
		c.keep(2)
		random := rand.New(rand.NewPCG(*faultSeed, 0))
		for range *faults {
			r.injectRandom(random, apart)
		}
		c.finish()
		r.verify()
	})
}

func (r *rig) injectRandom(random *rand.Rand, apart bool) {
	r.Helper()
	kinds := []string{"kill", "stop", "end"}
	if apart {
		kinds = append(kinds, "mute", "deafen", "cut", "far away")
	}
	kind := kinds[random.IntN(len(kinds))]
	m := r.leader()
	if others := r.others(m); random.IntN(3) == 0 {
		m = others[random.IntN(len(others))]
	}
	r.Logf("%v: %s %s", r.load.Now().Round(time.Millisecond), kind, m.Addr)
	r.inject(kind, m)
	r.healed()
}

func (r *rig) inject(kind string, m *cluster.Manager) {
	r.Helper()
	switch kind {
	case "kill":
		r.Kill(m)
		r.must(r.Launch(m))
		return
	case "end":
		r.must(r.End(m))
		r.must(r.Launch(m))
		return
	case "stop":
		r.Stop(m)
		defer r.Continue(m)
	case "mute":
		r.mute(m)
	case "deafen":
		r.deafen(m)
	case "cut":
		r.mute(m)
		r.deafen(m)
	case "far away":
		for _, other := range r.others(m) {
			r.Disturb(m, other, farAway)
			r.Disturb(other, m, farAway)
		}
	}
	r.calm()
	if kind != "stop" {
		r.Settle()
	}
}
