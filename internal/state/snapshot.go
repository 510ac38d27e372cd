package state

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
	"github.com/muster-fleet/muster/internal/wire"
)

// snapshotMagic begins a snapshot. Its digit is the version of the format.
// Version 1 had no placement numbers, version 2 nothing of what operators do and
// how long tasks last; both can still be read.
const (
	snapshotMagic   = "muster-state 3\n"
	snapshotMagic2  = "muster-state 2\n"
	snapshotMagic1  = "muster-state 1\n"
	snapshotVersion = 3
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
	w := writer{&wire.Writer{Buf: append(make([]byte, 0, s.snapshotSize()), snapshotMagic...)}}
	w.config(&s.cfg)
	w.Int(int64(s.now))
	w.Uint(s.placements)
	w.operators(s)
	names := s.purposeNames()
	index := map[*purpose]uint64{}
	w.Uint(uint64(len(names)))
	for i, name := range names {
		p := s.purposes[name]
		index[p] = uint64(i)
		w.Text(name)
		w.Int(int64(p.cost.Estimate()))
		w.Int(int64(p.cost.Seen()))
		w.Int(int64(p.vacantSince()))
		w.lasts(&p.lasts)
	}
	workers := s.joinOrder()
	places := make(map[*sched.Worker]int64, len(workers))
	w.Uint(uint64(len(workers)))
	for i, worker := range workers {
		places[&worker.Worker] = int64(i)
		w.Uint(index[worker.purpose])
		w.worker(worker)
	}
	for _, name := range names {
		w.memory(s.purposes[name].pool.Memory(), places)
	}
	return binary.BigEndian.AppendUint32(w.Buf, crc32.ChecksumIEEE(w.Buf))
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

func (w writer) worker(worker *worker) {
	w.Text(worker.ID)
	info := worker.Info()
	w.info(info)
	w.Bool(info.Raw != nil)
	w.Text(string(info.Raw))
	w.Int(int64(worker.State()))
	w.Bool(worker.Reported())
	w.Float(worker.Load())
	w.Int(worker.Credit())
	w.Bool(worker.ended)
	w.Uint(uint64(worker.running.n))
	for t := worker.running.first; t != nil; t = t.next {
		w.task(t)
		w.Bool(t.fresh)
		w.Int(int64(t.since))
	}
	w.Uint(uint64(worker.reserved.n))
	for t := worker.reserved.first; t != nil; t = t.next {
		w.task(t)
		w.Int(int64(t.until))
	}
}

func (w writer) task(t *task) {
	w.Text(t.name)
	w.Int(t.reserve)
	w.Int(int64(t.debit))
	w.Uint(t.placement)
	w.Uint(t.claim)
}

func (w writer) memory(m sched.Memory, places map[*sched.Worker]int64) {
	w.Int(int64(m.Cursor))
	for _, worker := range []*sched.Worker{m.Last, m.Spare} {
		if place, ok := places[worker]; ok {
			w.Int(place)
		} else {
			w.Int(-1)
		}
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
