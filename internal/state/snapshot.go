package state

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// snapshotMagic begins a snapshot. Its digit is the version of the format.
// Version 1 had no placement numbers, version 2 nothing of what operators do and
// how long tasks last, version 3 not the tasks that drains lost; all can still be
// read.
const (
	snapshotMagic   = "muster-state 4\n"
	snapshotMagic3  = "muster-state 3\n"
	snapshotMagic2  = "muster-state 2\n"
	snapshotMagic1  = "muster-state 1\n"
	snapshotVersion = 4
)

// Snapshot returns all that decisions depend on, as bytes: equal states give
// equal bytes. The explanations of past decisions are not part of it.
//
//	magic, config, time, highest placement number
//	what operators set:       strategies, debit, drains, cordons, audit, who left
//	purposes by name:         name, learned cost, from how many reports, vacant since, how long tasks last
//	workers in join order:    purpose, id, info, reports, credit, tasks
//	purposes by name:         what the pool remembers
//	CRC-32 of the above
func (s *State) Snapshot() []byte {
	taken := s.begin(nil)
	taken.Write(math.MaxInt)
	return taken.buf
}

// snapshotSize is about what a snapshot takes.
func (s *State) snapshotSize() int {
	size := 1024 + 512*len(s.workers)
	for _, p := range s.purposes {
		size += 64 * (p.reserved + p.running)
	}
	return size
}

func (w writer) config(c *Config) {
	w.Uint(uint64(len(c.Strategies)))
	for _, purpose := range slices.Sorted(maps.Keys(c.Strategies)) {
		w.Text(purpose)
		w.Text(string(c.Strategies[purpose]))
	}
	w.defaults(c)
}

func (w writer) worker(f *frozen) {
	worker := f.worker
	w.Text(worker.ID)
	info := worker.Info()
	w.info(info)
	w.Bool(info.Raw != nil)
	w.Text(string(info.Raw))
	w.Int(int64(f.state))
	w.Bool(f.reported)
	w.Float(f.load)
	w.Int(f.credit)
	w.Bool(f.ended)
	w.Uint(uint64(worker.running.n))
	for t := worker.running.first; t != nil; t = t.next {
		w.task(t)
		w.Bool(t.fresh)
		w.Int(int64(t.at))
	}
	w.Uint(uint64(worker.reserved.n))
	for t := worker.reserved.first; t != nil; t = t.next {
		w.task(t)
		w.Int(int64(t.at))
	}
}

func (w writer) task(t *task) {
	w.Text(t.name)
	w.Int(t.reserve)
	w.Int(int64(t.debit))
	w.Uint(t.placement)
	w.Uint(t.claim)
}

// memory writes the places of workers in join order, -1 for none.
func (w writer) memory(m sched.Memory, workers []*worker) {
	w.Int(int64(m.Cursor))
	for _, remembered := range []*sched.Worker{m.Last, m.Spare} {
		place := -1
		if remembered != nil {
			place, _ = slices.BinarySearchFunc(workers, remembered.Owner.(*worker).joined, func(w *worker, joined uint64) int {
				return cmp.Compare(w.joined, joined)
			})
		}
		w.Int(int64(place))
	}
}

func (r reader) config() Config {
	c := Config{}
	n := r.Count()
	if n > 0 {
		c.Strategies = map[string]muster.Strategy{}
	}
	for range n {
		purpose := r.Text()
		c.Strategies[purpose] = muster.Strategy(r.Text())
	}
	r.Check(len(c.Strategies) == n)
	r.defaults(&c)
	r.Check(c.Validate() == nil)
	return c
}
