package testbed

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/muster-fleet/muster"
)

// Purpose is the purpose of every worker of a benchmark. webrtc is placed by isp and
// region, as most tasks of a real fleet are.
const Purpose = "webrtc"

// maxLoad is the limit that OWT's agents have by default.
const maxLoad = 0.85

// Fleet is a set of simulated workers, each of which serves one isp and one region.
// Those that serve the same ones form a pool, in which they are interchangeable.
type Fleet struct {
	Workers []Worker
	Index   map[string]int // position in Workers, by id
	Pools   []Pool
}

// Worker is one of a fleet. Load is what it reports when it joins.
type Worker struct {
	ID   string
	Load float64
	info json.RawMessage
	pool int
}

// Pool is what its tasks ask for, and how many workers it has.
type Pool struct {
	Preference json.RawMessage
	size       int
}

// NewFleet returns n workers in isps × regions pools of about equal size, or fewer
// pools if there are fewer workers. The load of each worker is drawn evenly from
// load to load + spread.
func NewFleet(n, isps, regions int, load, spread float64, rng *rand.Rand) *Fleet {
	f := &Fleet{Index: make(map[string]int, n), Pools: make([]Pool, min(isps*regions, n))}
	for p := range f.Pools {
		f.Pools[p].Preference = fmt.Appendf(nil, `{"isp":"isp-%d","region":"region-%d"}`, p%isps, p/isps)
	}
	for i := range n {
		p := i % len(f.Pools)
		w := Worker{
			ID:   fmt.Sprintf("%s-%020x@10.%d.%d.%d", Purpose, rng.Uint64(), i>>16&255, i>>8&255, i&255),
			info: workerInfo(i, fmt.Sprintf("isp-%d", p%isps), fmt.Sprintf("region-%d", p/isps)),
			Load: load + spread*rng.Float64(),
			pool: p,
		}
		f.Pools[p].size++
		f.Index[w.ID] = len(f.Workers)
		f.Workers = append(f.Workers, w)
	}
	return f
}

// workerInfo is what a real agent of OWT sends when it joins.
func workerInfo(i int, isp, region string) json.RawMessage {
	return fmt.Appendf(nil,
		`{"ip":"10.%d.%d.%d","purpose":%q,"state":2,"maxLoad":%g,"capacity":{"isps":[%q],"regions":[%q]},"clusterIP":"10.%[1]d.%[2]d.%[3]d"}`,
		i>>16&255, i>>8&255, i&255, Purpose, maxLoad, isp, region)
}

// Info returns the worker's info as the manager parses it.
func (w Worker) Info() (muster.Info, error) {
	info, err := muster.ParseInfo(w.info)
	if err != nil {
		return info, fmt.Errorf("made-up worker %s: %w", w.ID, err)
	}
	return info, nil
}

// MaxOverMean returns the largest ratio of a worker's value to the mean of its own
// pool, because only workers of one pool are interchangeable. Pools with mean 0 do
// not count; if all are, it returns 0.
func (f *Fleet) MaxOverMean(value func(worker int) float64) float64 {
	sums := make([]float64, len(f.Pools))
	for i, w := range f.Workers {
		sums[w.pool] += value(i)
	}
	worst := 0.0
	for i, w := range f.Workers {
		if mean := sums[w.pool] / float64(f.Pools[w.pool].size); mean > 0 {
			worst = max(worst, value(i)/mean)
		}
	}
	return worst
}
