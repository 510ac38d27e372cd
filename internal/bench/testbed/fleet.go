package testbed

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/muster-fleet/muster"
)

// Purpose is that of every worker of a benchmark: webrtc is placed by isp and
// region, which is what most of a real fleet's placements go by.
const Purpose = "webrtc"

// maxLoad is the limit that OWT's agents have by default.
const maxLoad = 0.85

// Fleet is made-up workers, each of which serves one isp and one region. Those
// that serve the same ones form a pool: any of a pool can be chosen in
// another's place.
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

// NewFleet makes n workers in isps × regions pools, as equal in size as can
// be; fewer pools where there are fewer workers. The load of each is load, or
// with a spread drawn evenly from load up to load + spread.
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

// Info returns what the manager would make of the worker's info.
func (w Worker) Info() (muster.Info, error) {
	info, err := muster.ParseInfo(w.info)
	if err != nil {
		return info, fmt.Errorf("made-up worker %s: %w", w.ID, err)
	}
	return info, nil
}

// MaxOverMean compares every worker with the mean of its own pool, since only
// those can be chosen in its place, and returns the largest ratio. Pools whose
// mean is 0 do not count; 0 is returned where all of them are.
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
