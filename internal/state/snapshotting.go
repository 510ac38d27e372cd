package state

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/wire"
)

// Snapshotting is a snapshot that is written piece by piece while the state goes
// on. It has the state as it was when it began: a worker that changes before its
// turn is written at once (see keep). So there is neither a long pause nor a second
// state.
type Snapshotting struct {
	state   *State // nil once it is complete
	buf     []byte
	summed  int // up to here sum has the checksum
	sum     uint32
	workers []frozen
	next    int    // of workers
	tail    []byte // what comes after the workers
}

// frozen is a worker as it was. Of its tasks and of what it said when it joined there
// is no copy before they change.
type frozen struct {
	worker   *worker
	purpose  uint64 // its place
	state    muster.WorkerState
	reported bool
	ended    bool
	load     float64
	credit   int64
	early    []byte // written before its turn
}

// BeginSnapshot begins a snapshot, behind a copy of head in one buffer. One that is
// not complete yet is completed first. It belongs to the owner of the state.
func (s *State) BeginSnapshot(head []byte) *Snapshotting {
	if s.snapshotting != nil {
		s.snapshotting.Write(math.MaxInt)
	}
	taken := s.begin(head)
	s.snapshotting = taken
	for i := range taken.workers {
		taken.workers[i].worker.frozen = &taken.workers[i]
	}
	return taken
}

// begin writes all but the workers.
func (s *State) begin(head []byte) *Snapshotting {
	buf := append(make([]byte, 0, len(head)+s.snapshotSize()), head...)
	w := writer{&wire.Writer{Buf: append(buf, snapshotMagic...)}}
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
	w.Uint(uint64(len(workers)))
	taken := &Snapshotting{state: s, buf: w.Buf, summed: len(head), workers: make([]frozen, len(workers))}
	for i, worker := range workers {
		taken.workers[i] = frozen{
			worker: worker, purpose: index[worker.purpose], state: worker.State(),
			reported: worker.Reported(), ended: worker.ended, load: worker.Load(), credit: worker.Credit(),
		}
	}
	tail := writer{&wire.Writer{}}
	for _, name := range names {
		tail.memory(s.purposes[name].pool.Memory(), workers)
	}
	taken.tail = tail.Buf
	return taken
}

// Write writes workers until these are about so many bytes, and reports whether the
// snapshot is complete. Only the owner of the state may call it.
func (k *Snapshotting) Write(bytes int) (complete bool) {
	if k.state == nil {
		return true
	}
	w := writer{&wire.Writer{Buf: k.buf}}
	for ; k.next < len(k.workers) && len(w.Buf)-len(k.buf) < bytes; k.next++ {
		f := &k.workers[k.next]
		if f.early != nil {
			w.Buf = append(w.Buf, f.early...)
		} else {
			w.frozen(f)
		}
		f.release()
	}
	if k.next == len(k.workers) {
		w.Buf = append(w.Buf, k.tail...)
	}
	k.buf = w.Buf
	k.sum = crc32.Update(k.sum, crc32.IEEETable, k.buf[k.summed:])
	k.summed = len(k.buf)
	if k.next < len(k.workers) {
		return false
	}
	k.buf = binary.BigEndian.AppendUint32(k.buf, k.sum)
	if k.state.snapshotting == k {
		k.state.snapshotting = nil
	}
	k.state, k.workers, k.tail = nil, nil, nil
	return true
}

// Bytes are the head and the snapshot, once that is complete.
func (k *Snapshotting) Bytes() []byte { return k.buf }

func (w writer) frozen(f *frozen) {
	w.Uint(f.purpose)
	w.worker(f)
}

// keep has a snapshot that is being written take the worker before its tasks, or what
// it said when it joined, change.
func (w *worker) keep() {
	if f := w.frozen; f != nil {
		out := writer{&wire.Writer{Buf: make([]byte, 0, 512+64*(w.running.n+w.reserved.n))}}
		out.frozen(f)
		f.early = slices.Clip(out.Buf)
		w.frozen = nil
	}
}

// release ends what ties the worker to the snapshot.
func (f *frozen) release() {
	if f.worker.frozen == f {
		f.worker.frozen = nil
	}
	f.worker, f.early = nil, nil
}
