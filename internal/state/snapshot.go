package state

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// snapshotMagic begins a snapshot. Its digit is the version of the format.
// Version 1 had no placement numbers; it can still be read.
const (
	snapshotMagic  = "muster-state 2\n"
	snapshotMagic1 = "muster-state 1\n"
)

// Snapshot returns all that decisions depend on, as bytes: equal states give
// equal bytes. The explanations of past decisions are not part of it.
//
//	magic, config, time, highest placement number
//	purposes by name:         name, learned cost, from how many reports, vacant since
//	workers in join order:    purpose, id, info, reports, credit, tasks
//	purposes by name:         what the pool remembers
//	CRC-32 of the above
func (s *State) Snapshot() []byte {
	var w writer
	w.buf = append(make([]byte, 0, s.snapshotSize()), snapshotMagic...)
	w.config(&s.cfg)
	w.int(int64(s.now))
	w.uint(s.placements)
	names := s.purposeNames()
	index := map[*purpose]uint64{}
	w.uint(uint64(len(names)))
	for i, name := range names {
		p := s.purposes[name]
		index[p] = uint64(i)
		w.text(name)
		w.int(int64(p.cost.Estimate()))
		w.int(int64(p.cost.Seen()))
		w.int(int64(p.vacantSince()))
	}
	workers := s.joinOrder()
	places := make(map[*sched.Worker]int64, len(workers))
	w.uint(uint64(len(workers)))
	for i, worker := range workers {
		places[&worker.Worker] = int64(i)
		w.uint(index[worker.purpose])
		w.worker(worker)
	}
	for _, name := range names {
		w.memory(s.purposes[name].pool.Memory(), places)
	}
	return binary.BigEndian.AppendUint32(w.buf, crc32.ChecksumIEEE(w.buf))
}

// snapshotSize is about what a snapshot takes.
func (s *State) snapshotSize() int {
	size := 1024 + 512*len(s.workers)
	for _, p := range s.purposes {
		size += 64 * len(p.tasks)
	}
	return size
}

func (w *writer) config(c *Config) {
	w.uint(uint64(len(c.Strategies)))
	for _, purpose := range slices.Sorted(maps.Keys(c.Strategies)) {
		w.text(purpose)
		w.text(string(c.Strategies[purpose]))
	}
	w.text(string(c.General))
	w.int(c.ReserveMillis)
	w.text(string(c.Debit.Mode))
	w.float(c.Debit.Fixed)
	w.float(c.Debit.Floor)
}

func (w *writer) worker(worker *worker) {
	w.text(worker.ID)
	w.info(worker.Info())
	w.int(int64(worker.State()))
	w.bool(worker.Reported())
	w.float(worker.Load())
	w.int(worker.Credit())
	w.bool(worker.ended)
	w.uint(uint64(worker.running.n))
	for t := worker.running.first; t != nil; t = t.next {
		w.task(t)
		w.bool(t.fresh)
	}
	w.uint(uint64(worker.reserved.n))
	for t := worker.reserved.first; t != nil; t = t.next {
		w.task(t)
		w.int(int64(t.until))
	}
}

func (w *writer) task(t *task) {
	w.text(t.name)
	w.int(t.reserve)
	w.int(int64(t.debit))
	w.uint(t.placement)
}

func (w *writer) memory(m sched.Memory, places map[*sched.Worker]int64) {
	w.int(int64(m.Cursor))
	for _, worker := range []*sched.Worker{m.Last, m.Spare} {
		if place, ok := places[worker]; ok {
			w.int(place)
		} else {
			w.int(-1)
		}
	}
}

func (r *reader) config() Config {
	c := Config{}
	n := r.count()
	if n > 0 {
		c.Strategies = map[string]muster.Strategy{}
	}
	for range n {
		purpose := r.text()
		c.Strategies[purpose] = muster.Strategy(r.text())
	}
	r.check(len(c.Strategies) == n)
	c.General = muster.Strategy(r.text())
	c.ReserveMillis = r.int()
	c.Debit = Debit{Mode: DebitMode(r.text()), Fixed: r.float(), Floor: r.float()}
	r.check(c.Validate() == nil)
	return c
}
