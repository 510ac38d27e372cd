package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
	"pgregory.net/rapid"
)

// TestAgreesWithScanOnALargeFleet is TestAgreesWithScan with hundreds of
// workers, so that heaps are deep and sets are wide, of whom many leave.
func TestAgreesWithScanOnALargeFleet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		limits := sched.Limits{Views: rapid.IntRange(1, 20).Draw(t, "views"), Slack: 16}
		h := history{oracle: newOracle(cfg), state: New(cfg), twin: New(cfg), folded: New(cfg)}
		h.state.limits = limits
		crowd := &crowd{rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "crowd"), 1)), one(t, "webrtc", "sip", "video")}
		n := rapid.IntRange(65, 400).Draw(t, "workers")
		for i := range n {
			h.quiet(Command{Op: crowd.join(i)})
		}
		h.quiet(Command{Op: crowd.loads(n)})
		for i := range rapid.IntRange(10, 60).Draw(t, "length") {
			cmd := Command{At: h.oracle.now + 20, Seed: crowd.Uint64(), Op: crowd.op(n, i)}
			if rapid.IntRange(0, 9).Draw(t, "any") == 0 {
				cmd.Op = drawOp(t)
			}
			h.step(t, cmd)
		}
		h.restore(t, limits)
		for i := range 10 {
			h.step(t, Command{At: h.oracle.now + 20, Seed: crowd.Uint64(), Op: crowd.op(n, 100+i)})
		}
		h.finish(t)
	})
}

// quiet applies a command to every copy, without looking at what comes of it.
func (h *history) quiet(cmd Command) {
	h.oracle.apply(cmd)
	_, events := h.state.Apply(cmd)
	h.twin.Apply(cmd)
	for _, ev := range events {
		h.folded.Fold(cmd.At, ev)
	}
}

// crowd draws what many workers do.
type crowd struct {
	*rand.Rand
	purpose string
}

func (c *crowd) join(i int) Join {
	info := muster.Info{MaxLoad: 1, MaxTasks: c.IntN(4)}
	info.Capacity.ISPs = []string{testISPs[c.IntN(2)]}
	info.Capacity.Regions = []string{testRegions[c.IntN(3)]}
	info.Labels = map[string]string{"gpu": fmt.Sprint(c.IntN(3)), fmt.Sprint("own", i%7): "1"}
	return Join{Purpose: c.purpose, Worker: fmt.Sprintf("c%d", i), Info: info}
}

func (c *crowd) loads(n int) ReportLoad {
	var op ReportLoad
	for i := range n {
		op.Loads = append(op.Loads, WorkerLoad{fmt.Sprintf("c%d", i), float64(c.IntN(12)) / 11})
	}
	return op
}

func (c *crowd) op(n, i int) Op {
	worker := fmt.Sprintf("c%d", c.IntN(n))
	switch c.IntN(12) {
	case 0:
		return c.join(c.IntN(n))
	case 1, 2:
		return Quit{worker}
	case 3:
		return c.loads(n / 2)
	case 4:
		return ReportState{worker, muster.WorkerState(c.IntN(3))}
	}
	isp, region := testISPs[c.IntN(2)], testRegions[c.IntN(3)]
	pref := fmt.Sprintf(`{"isp":%q,"region":%q}`, isp, region)
	switch c.IntN(3) {
	case 0:
		pref = fmt.Sprintf(`{"isp":%q}`, isp)
	case 1:
		pref = fmt.Sprintf(`{"isp":%q,"labels":{"own%d":{"exists":%v}}}`, isp, c.IntN(7), c.IntN(2) == 0)
	}
	return Schedule{Purpose: c.purpose, Task: fmt.Sprint("task", i), Preference: []byte(pref)}
}
