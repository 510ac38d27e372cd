package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
	"github.com/muster-fleet/muster/internal/wire"
)

// Restore returns the state of which these bytes are the snapshot. Bytes that
// are none are an error, and take no more memory than a few times their length.
func Restore(snapshot []byte) (*State, error) {
	body := len(snapshot) - crc32.Size
	version := versionOf(snapshot)
	switch {
	case version == 0:
		return nil, fmt.Errorf("%w: it does not begin with %q", errSnapshot, snapshotMagic)
	case body < len(snapshotMagic) || crc32.ChecksumIEEE(snapshot[:body]) != binary.BigEndian.Uint32(snapshot[body:]):
		return nil, fmt.Errorf("%w: the checksum is wrong", errSnapshot)
	}
	return restore(snapshot[len(snapshotMagic):body], version)
}

// versionOf returns the version of a snapshot's format, 0 for what is none.
func versionOf(snapshot []byte) int {
	for i, magic := range []string{snapshotMagic1, snapshotMagic2, snapshotMagic3, snapshotMagic} {
		if bytes.HasPrefix(snapshot, []byte(magic)) {
			return i + 1
		}
	}
	return 0
}

// restore reads what is between the magic and the checksum.
func restore(body []byte, version int) (*State, error) {
	r := reader{Reader: &wire.Reader{Buf: body}, version: version}
	cfg := r.config()
	if r.Bad() {
		return nil, fmt.Errorf("%w: the configuration", errSnapshot)
	}
	s := New(cfg)
	s.now = muster.Instant(r.between(0, math.MaxInt64))
	s.wheel.tick = tickOf(s.now)
	if version > 1 {
		s.placements = r.Uint()
	}
	if version > 2 {
		r.operators(s)
	}
	purposes := r.purposes(s)
	workers := r.workers(s, purposes)
	for _, p := range purposes {
		r.memory(p, workers)
	}
	if !r.Whole() {
		return nil, fmt.Errorf("%w: its parts do not fit together", errSnapshot)
	}
	return s, nil
}

func (r reader) purposes(s *State) []*purpose {
	var purposes []*purpose
	for range r.Count() {
		name := r.Text()
		r.Check(s.purposes[name] == nil)
		p := s.purpose(name)
		p.cost = sched.CostOf(sched.Units(r.between(0, int64(sched.One))), int(r.between(0, math.MaxInt8)))
		if r.version > 1 {
			p.vacant = muster.Instant(r.between(0, int64(s.now)))
		}
		if r.version > 2 {
			p.lasts = r.lasts()
		}
		s.trust(p)
		purposes = append(purposes, p)
	}
	return purposes
}

func (r reader) workers(s *State, purposes []*purpose) []*worker {
	var workers []*worker
	for range r.Count() {
		i := r.Uint()
		id := r.Text()
		info := r.workerInfo()
		if r.Check(i < uint64(len(purposes)) && !s.Has(id)); r.Bad() {
			break
		}
		w := s.add(purposes[i], id, info)
		r.worker(s, w)
		workers = append(workers, w)
	}
	return workers
}

// workerInfo reads an info that a state may have.
func (r reader) workerInfo() muster.Info {
	info := r.info()
	if raw, text := r.Bool(), r.Text(); raw {
		info.Raw = []byte(text)
	}
	r.Check(info.MaxLoad > 0 && info.MaxLoad <= math.MaxFloat64 && info.MaxTasks >= 0 && info.MaxTasks <= math.MaxInt32)
	return info
}

// worker reads what a worker reported and holds. It becomes available last, so
// that its tasks move nothing in the indexes.
func (r reader) worker(s *State, w *worker) {
	state := muster.WorkerState(r.between(int64(muster.StateUnreported), int64(muster.StateReady)))
	reported, load := r.Bool(), r.finite()
	w.SetCredit(r.between(-1<<53, 1<<53))
	ended := r.Bool()
	fresh := false
	for range r.Count() {
		if t := r.task(s, w); t != nil {
			before := fresh
			fresh = r.Bool()
			r.Check(fresh || !before)
			s.run(t, fresh)
			if r.version > 2 {
				t.at = muster.Instant(r.between(0, int64(s.now)))
			}
		}
	}
	for range r.Count() {
		if t := r.task(s, w); t != nil {
			s.reserve(t, muster.Instant(r.Int()))
		}
	}
	w.ended = ended
	w.SetState(state)
	if r.Check(load >= 0); reported && !r.Bad() {
		w.Report(load, 0)
	}
}

// task reads a task onto its worker, nil where it cannot be.
func (r reader) task(s *State, w *worker) *task {
	name := r.Text()
	reserve := r.between(0, MaxReserveMillis)
	debit := r.between(0, int64(sched.UnitsOf(MaxDebit)))
	var placement, claim uint64
	if r.version > 1 {
		placement, claim = r.Uint(), r.Uint()
		r.Check(placement <= s.placements && claim <= s.placements)
	}
	hash := s.tasks.hash(w.purpose, name)
	if r.Check(s.tasks.find(hash, w.purpose, name) == nil); r.Bad() {
		return nil
	}
	t := s.take(w, name, hash, reserve, sched.Units(debit), placement)
	t.claim = claim
	return t
}

func (r reader) memory(p *purpose, workers []*worker) {
	m := sched.Memory{Cursor: int(r.between(-1, int64(p.pool.Tally().Workers)-1))}
	for _, at := range []**sched.Worker{&m.Last, &m.Spare} {
		if i := r.between(-1, int64(len(workers))-1); i >= 0 && !r.Bad() {
			r.Check(workers[i].purpose == p)
			*at = &workers[i].Worker
		}
	}
	if !r.Bad() {
		p.pool.Remember(m)
	}
}
