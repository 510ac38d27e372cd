package httpapi

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// The hour that is kept, as samples.
const (
	sampleEvery = 10 * time.Second
	samplesKept = 361 // an hour, both ends included
	// maxSampled is how many workers have an hour of their own.
	maxSampled = 20_000
)

// history is how the cluster stood over the last hour.
type history struct {
	mu    sync.Mutex
	times []muster.Instant
	// The samples of each worker and purpose end with that of the last time; they may
	// begin later than the hour.
	workers  map[string][]float32
	purposes map[string][]purposeSample
}

// purposeSample is a purpose at a time.
type purposeSample struct {
	Load     float64 // the mean of its workers
	Workers  int
	Running  int
	Reserved int
	Placed   float64 // placements a minute since the sample before
}

func newHistory() *history {
	return &history{workers: map[string][]float32{}, purposes: map[string][]purposeSample{}}
}

// sample asks for all workers, a page at a time, and keeps how they stand.
// placed counts the placements since the last sample.
func (h *history) sample(ctx context.Context, c Cluster, at muster.Instant, placed map[string]int) error {
	loads, purposes := map[string]float32{}, map[string]purposeSample{}
	for after := ""; ; {
		page, err := c.PageWorkers(ctx, client.WorkerQuery{Limit: client.MaxPage, After: after})
		if err != nil {
			return err
		}
		for _, w := range page.Workers {
			if len(loads) < maxSampled {
				loads[w.ID] = float32(w.Load)
			}
			running, reserved := w.CountTasks()
			p := purposes[w.Purpose]
			p.Load, p.Workers = p.Load+w.Load, p.Workers+1
			p.Running, p.Reserved = p.Running+running, p.Reserved+reserved
			purposes[w.Purpose] = p
		}
		if after = page.Next; after == "" {
			break
		}
	}
	for name, p := range purposes {
		p.Load /= float64(p.Workers)
		p.Placed = float64(placed[name]) * float64(time.Minute) / float64(sampleEvery)
		purposes[name] = p
	}
	h.add(at, loads, purposes)
	return nil
}

func (h *history) add(at muster.Instant, loads map[string]float32, purposes map[string]purposeSample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times = kept(append(h.times, at))
	extend(h.workers, loads)
	extend(h.purposes, purposes)
}

// extend adds a sample to each series, and drops those that got none.
func extend[T any](all map[string][]T, samples map[string]T) {
	maps.DeleteFunc(all, func(name string, _ []T) bool { _, ok := samples[name]; return !ok })
	for name, sample := range samples {
		all[name] = kept(append(all[name], sample))
	}
}

func kept[T any](list []T) []T {
	if len(list) > samplesKept {
		return append(list[:0], list[len(list)-samplesKept:]...)
	}
	return list
}

// WorkerHistory is the load of a worker over the last hour.
type WorkerHistory struct {
	// Times are in milliseconds since 1970, Load is the load at each.
	Times []muster.Instant `json:"times"`
	Load  []float32        `json:"load"`
}

func (h *history) worker(id string) WorkerHistory {
	h.mu.Lock()
	defer h.mu.Unlock()
	load := h.workers[id]
	return WorkerHistory{Times: append([]muster.Instant{}, h.times[len(h.times)-len(load):]...), Load: append([]float32{}, load...)}
}

// PurposeHistory is a purpose over the last hour. A time at which it had no workers is
// null.
type PurposeHistory struct {
	Purpose  string     `json:"purpose"`
	Load     []*float64 `json:"load" doc:"Mean load of its workers, from 0 to 1."`
	Workers  []*int     `json:"workers"`
	Running  []*int     `json:"running"`
	Reserved []*int     `json:"reserved"`
	Placed   []*float64 `json:"placed" doc:"Placements a minute."`
}

// ClusterHistory is the purposes over the last hour.
type ClusterHistory struct {
	Times    []muster.Instant `json:"times" doc:"In milliseconds since 1970."`
	Purposes []PurposeHistory `json:"purposes"`
}

func (h *history) cluster() ClusterHistory {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := ClusterHistory{Times: append([]muster.Instant{}, h.times...), Purposes: []PurposeHistory{}}
	for name, samples := range h.purposes {
		p := PurposeHistory{Purpose: name}
		for range len(h.times) - len(samples) {
			p.Load, p.Workers, p.Running, p.Reserved = append(p.Load, nil), append(p.Workers, nil), append(p.Running, nil), append(p.Reserved, nil)
			p.Placed = append(p.Placed, nil)
		}
		for _, at := range samples {
			p.Load, p.Workers = append(p.Load, &at.Load), append(p.Workers, &at.Workers)
			p.Running, p.Reserved = append(p.Running, &at.Running), append(p.Reserved, &at.Reserved)
			p.Placed = append(p.Placed, &at.Placed)
		}
		out.Purposes = append(out.Purposes, p)
	}
	slices.SortFunc(out.Purposes, func(a, b PurposeHistory) int { return cmp.Compare(a.Purpose, b.Purpose) })
	return out
}
