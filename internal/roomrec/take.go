package roomrec

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/internal/room"
)

const (
	// gapTime is how long nothing may come before that counts as a gap.
	gapTime = time.Second
	// driftTime is how far the publisher's clock may be from ours before the time
	// of a frame is that of its arrival.
	driftTime = time.Second
)

// take is the recording of a track, from when it is in the room until it has
// gone.
type take struct {
	rec  *recording
	who  room.Participant
	what room.Track

	// connections counts those that were made.
	connections atomic.Int64

	mu     sync.Mutex
	closed bool
	file   *file
	entry  *Entry
	kind   format
	// private is what the file says of its codec.
	private []byte
	// from is the number of the connection from which frames are taken; ticks
	// are those of its clock since its first frame, which was at base.
	from  int64
	stamp uint32
	ticks int64
	base  int64
	// began is when the first frame of the file came; last is the time of the last
	// one since then, in milliseconds.
	began time.Time
	last  int64
}

// add takes a frame of a connection. A connection with a higher number is a
// newer one: its first key frame ends the older ones. taken reports whether the
// frame is in the file.
func (t *take) add(from int64, kind format, f frame, now time.Time) (taken bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || from < t.from || from > t.from && !f.key {
		return false, nil
	}
	if t.file != nil && (kind.id != t.kind.id || f.private != nil && !bytes.Equal(f.private, t.private)) {
		if err := t.finish(); err != nil {
			return false, err
		}
	}
	moved := t.file != nil && from != t.from
	if t.file == nil {
		if !f.key {
			return false, nil
		}
		if err := t.begin(kind, f, now); err != nil {
			return false, err
		}
	} else if moved {
		t.base, t.ticks = now.Sub(t.began).Milliseconds(), 0
	} else {
		t.ticks += int64(int32(f.timestamp - t.stamp))
	}
	t.from, t.stamp = from, f.timestamp
	return true, t.write(f, now, moved)
}

// begin begins a file. The caller has locked t.
func (t *take) begin(kind format, f frame, now time.Time) error {
	var err error
	t.kind, t.private, t.began = kind, f.private, now
	t.base, t.ticks, t.last = 0, 0, 0
	t.file, t.entry, err = t.rec.create(t, kind, f, now)
	return err
}

// write puts a frame at its time. The caller has locked t.
func (t *take) write(f frame, now time.Time, moved bool) error {
	at, arrived := t.base+t.ticks*1000/int64(t.kind.clock), now.Sub(t.began).Milliseconds()
	if off := at - arrived; off > driftTime.Milliseconds() || -off > driftTime.Milliseconds() {
		t.base, t.ticks = arrived, 0
		at = arrived
	}
	at = max(at, t.last)
	if missing := at - t.last; moved || missing > gapTime.Milliseconds() {
		t.rec.gap(t, Gap{At: seconds(t.last), Seconds: seconds(missing), Moved: moved})
	}
	t.last = at
	t.rec.index.grow(t.entry, seconds(at))
	return t.file.write(f.data, f.key, at)
}

func seconds(milliseconds int64) float64 { return float64(milliseconds) / 1000 }

// end ends the file, if there is one. Nothing is added after it.
func (t *take) end() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return t.finish()
}

// finish is end. The caller has locked t.
func (t *take) finish() error {
	if t.file == nil {
		return nil
	}
	err := t.file.close()
	t.rec.index.whole(t.entry)
	t.file, t.entry = nil, nil
	return err
}
