package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/muster-fleet/muster"
)

// purpose is that of every worker of a benchmark: webrtc is placed by isp and
// region, which is what most of a real fleet's placements go by.
const purpose = "webrtc"

// maxLoad is the limit that OWT's agents have by default.
const maxLoad = 0.85

// fleet is made-up workers, each of which serves one isp and one region. Those
// that serve the same ones form a pool: any of a pool can be chosen in
// another's place.
type fleet struct {
	workers []fleetWorker
	index   map[string]int
	pools   []pool
}

type fleetWorker struct {
	id   string
	info json.RawMessage
	load float64
	pool int
}

// pool is what its tasks ask for, and how many workers it has.
type pool struct {
	preference json.RawMessage
	size       int
}

// newFleet makes n workers in isps × regions pools, as equal in size as can
// be; fewer pools where there are fewer workers. The load of each is load, or
// with a spread drawn evenly from load up to load + spread.
func newFleet(n, isps, regions int, load, spread float64, rng *rand.Rand) *fleet {
	f := &fleet{index: make(map[string]int, n), pools: make([]pool, min(isps*regions, n))}
	for p := range f.pools {
		f.pools[p].preference = fmt.Appendf(nil, `{"isp":"isp-%d","region":"region-%d"}`, p%isps, p/isps)
	}
	for i := range n {
		p := i % len(f.pools)
		w := fleetWorker{
			id:   fmt.Sprintf("%s-%020x@10.%d.%d.%d", purpose, rng.Uint64(), i>>16&255, i>>8&255, i&255),
			info: workerInfo(i, fmt.Sprintf("isp-%d", p%isps), fmt.Sprintf("region-%d", p/isps)),
			load: load + spread*rng.Float64(),
			pool: p,
		}
		f.pools[p].size++
		f.index[w.id] = len(f.workers)
		f.workers = append(f.workers, w)
	}
	return f
}

// workerInfo is what a real agent of OWT sends when it joins.
func workerInfo(i int, isp, region string) json.RawMessage {
	return fmt.Appendf(nil,
		`{"ip":"10.%d.%d.%d","purpose":%q,"state":2,"maxLoad":%g,"capacity":{"isps":[%q],"regions":[%q]},"clusterIP":"10.%[1]d.%[2]d.%[3]d"}`,
		i>>16&255, i>>8&255, i&255, purpose, maxLoad, isp, region)
}

// parsed returns what the manager would make of the worker's info.
func (w fleetWorker) parsed() (muster.Info, error) {
	info, err := muster.ParseInfo(w.info)
	if err != nil {
		return info, fmt.Errorf("bench: made-up worker %s: %w", w.id, err)
	}
	return info, nil
}

// maxOverMean compares every worker with the mean of its own pool, since only
// those can be chosen in its place, and returns the largest ratio. Pools whose
// mean is 0 do not count; 0 is returned where all of them are.
func (f *fleet) maxOverMean(value func(worker int) float64) float64 {
	sums := make([]float64, len(f.pools))
	for i, w := range f.workers {
		sums[w.pool] += value(i)
	}
	worst := 0.0
	for i, w := range f.workers {
		if mean := sums[w.pool] / float64(f.pools[w.pool].size); mean > 0 {
			worst = max(worst, value(i)/mean)
		}
	}
	return worst
}
