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

// cooldownTime is how long the jobs of one call avoid a worker that refused a task
// which another one took.
const cooldownTime = time.Minute

// fleetTime is how long the manager's list of workers is cached.
const fleetTime = time.Second

// mostNamed bounds how many workers a preference names, which must fit into
// muster.MaxPreference.
const mostNamed = 50

// fleet caches the workers of a purpose.
type fleet struct {
	mu      sync.Mutex
	purpose string
	at      time.Time
	workers []muster.Worker
}

// workers returns the workers of a purpose that can be requested by name, least
// loaded first, or nil if the manager does not answer.
func (d *dispatcher) workers(ctx context.Context, purpose string) []string {
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

// startCooldown makes the jobs avoid these workers for cooldownTime.
func (d *dispatcher) startCooldown(refused []Refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range refused {
		d.cooldowns[one.Worker] = time.Now().Add(cooldownTime)
	}
}

func (d *dispatcher) inCooldown(worker string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.cooldowns[worker])
}

// tryElsewhere reports whether the worker was the cause of a refusal or failure and
// there is another one to ask. It excludes the worker.
func (r *run) tryElsewhere(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if !errors.Is(err, ErrUnfit) && !errors.Is(err, errAtWorker) {
		return false
	}
	r.excluded[r.worker] = true
	r.refusals = append(r.refusals, Refusal{r.worker, reason(err).Error()})
	return len(r.others(ctx)) > 0
}

// others returns the workers that may be asked. It leaves out those in a cooldown
// unless there are no others.
func (r *run) others(ctx context.Context) []string {
	var fresh, all []string
	for _, name := range r.dispatcher.workers(ctx, r.job.Purpose) {
		if r.excluded[name] {
			continue
		}
		all = append(all, name)
		if !r.dispatcher.inCooldown(name) {
			fresh = append(fresh, name)
		}
	}
	if len(fresh) > 0 {
		return fresh
	}
	return all
}

// preference returns the job's preference, restricted to workers that have not
// refused, if there are any.
func (r *run) preference(ctx context.Context) any {
	if len(r.excluded) == 0 && !r.dispatcher.anyCooldown() {
		return r.job.Preference
	}
	others := r.others(ctx)
	if len(others) == 0 {
		return r.job.Preference
	}
	return among(r.job.Preference, others[:min(len(others), mostNamed)])
}

func (d *dispatcher) anyCooldown() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, until := range d.cooldowns {
		if time.Now().Before(until) {
			return true
		}
	}
	return false
}

// among restricts a preference to some workers. A preference that is not an
// object, or already has such a requirement, is returned unchanged.
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
