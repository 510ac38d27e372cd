package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
)

// restTime is for how long the jobs of one call leave a worker alone that
// refused what another took.
const restTime = time.Minute

// fleetTime is how long an answer of the manager about its workers is used.
const fleetTime = time.Second

// mostNamed bounds how many workers a preference names, which has to fit into
// muster.MaxPreference.
const mostNamed = 50

// fleet is what the manager last said of the workers of a purpose.
type fleet struct {
	mu      sync.Mutex
	purpose string
	at      time.Time
	workers []muster.Worker
}

// workers are those of a purpose that can be asked for by name, the least
// loaded first; nil where the manager does not say.
func (d *desk) workers(ctx context.Context, purpose string) []string {
	f := &d.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.purpose != purpose || time.Since(f.at) > fleetTime {
		all, err := d.client.Workers(ctx, purpose)
		if err != nil {
			return nil
		}
		slices.SortStableFunc(all, func(a, b muster.Worker) int { return cmp.Compare(a.Load+a.Debit, b.Load+b.Debit) })
		f.purpose, f.at, f.workers = purpose, time.Now(), all
	}
	var names []string
	for _, w := range f.workers {
		if w.Info.Labels[muster.LabelWorker] == w.ID {
			names = append(names, w.ID)
		}
	}
	return names
}

// rest leaves those alone for a while that refused what another took.
func (d *desk) rest(refused []Refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range refused {
		d.resting[one.Worker] = time.Now().Add(restTime)
	}
}

func (d *desk) rests(worker string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.resting[worker])
}

// elsewhere reports whether a failure was a refusal that lies at the worker, and
// there is another to ask. A worker that is at fault is shunned from now on.
func (r *run) elsewhere(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if errors.Is(err, errAtWorker) {
		r.shunned[r.worker] = true
	}
	if !errors.Is(err, ErrUnfit) {
		return false
	}
	r.shunned[r.worker] = true
	r.refusals = append(r.refusals, Refusal{r.worker, reason(err).Error()})
	return len(r.others(ctx)) > 0
}

// others are the workers that may be asked. Those that rest are among them
// where there are no more.
func (r *run) others(ctx context.Context) []string {
	var fresh, all []string
	for _, name := range r.desk.workers(ctx, r.job.Purpose) {
		if r.shunned[name] {
			continue
		}
		all = append(all, name)
		if !r.desk.rests(name) {
			fresh = append(fresh, name)
		}
	}
	if len(fresh) > 0 {
		return fresh
	}
	return all
}

// preference is the job's, and that none is asked who refused, if there are
// others.
func (r *run) preference(ctx context.Context) any {
	if len(r.shunned) == 0 && !r.desk.anyRests() {
		return r.job.Preference
	}
	others := r.others(ctx)
	if len(others) == 0 {
		return r.job.Preference
	}
	return among(r.job.Preference, others[:min(len(others), mostNamed)])
}

func (d *desk) anyRests() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, until := range d.resting {
		if time.Now().Before(until) {
			return true
		}
	}
	return false
}

// among adds to a preference that the worker is one of some. A preference that
// is no object, or has such a requirement already, stays as it is.
func among(preference any, workers []string) any {
	raw, err := json.Marshal(preference)
	if err != nil {
		return preference
	}
	members, labels := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if json.Unmarshal(raw, &members) != nil {
		return preference
	}
	if members == nil { // null
		members = map[string]json.RawMessage{}
	}
	if own, has := members["labels"]; has && json.Unmarshal(own, &labels) != nil {
		return preference
	}
	if _, has := labels[muster.LabelWorker]; has {
		return preference
	}
	if labels == nil {
		labels = map[string]json.RawMessage{}
	}
	labels[muster.LabelWorker], err = json.Marshal(map[string][]string{"in": workers})
	if err == nil {
		members["labels"], err = json.Marshal(labels)
	}
	if err != nil {
		return preference
	}
	return members
}
