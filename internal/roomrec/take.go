package roomrec

import (
	"bytes"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomsub"
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

	mu     sync.Mutex
	closed bool
	file   *roomsub.Writer
	entry  *Entry
	kind   roomsub.Codec
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

// Take is roomsub.Taker's.
func (t *take) Take(from int64, kind roomsub.Codec, f roomsub.Frame, now time.Time) (taken, askKey bool) {
	taken, err := t.add(from, kind, f, now)
	if err != nil {
		t.rec.fail(err)
	}
	return taken, !taken
}

// add takes a frame of a connection. A connection with a higher number is a
// newer one: its first key frame ends the older ones. taken reports whether the
// frame is in the file.
func (t *take) add(from int64, kind roomsub.Codec, f roomsub.Frame, now time.Time) (taken bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || from < t.from || from > t.from && !f.Key {
		return false, nil
	}
	if t.file != nil && (kind.Matroska != t.kind.Matroska || f.Private != nil && !bytes.Equal(f.Private, t.private)) {
		if err := t.finish(); err != nil {
			return false, err
		}
	}
	moved := t.file != nil && from != t.from
	if t.file == nil {
		if !f.Key {
			return false, nil
		}
		if err := t.begin(kind, f, now); err != nil {
			return false, err
		}
	} else if moved {
		t.base, t.ticks = now.Sub(t.began).Milliseconds(), 0
	} else {
		t.ticks += int64(int32(f.Timestamp - t.stamp))
	}
	t.from, t.stamp = from, f.Timestamp
	return true, t.write(f, now, moved)
}

// begin begins a file. The caller has locked t.
func (t *take) begin(kind roomsub.Codec, f roomsub.Frame, now time.Time) error {
	var err error
	t.kind, t.private, t.began = kind, f.Private, now
	t.base, t.ticks, t.last = 0, 0, 0
	t.file, t.entry, err = t.rec.create(t, kind, f, now)
	return err
}

// write puts a frame at its time. The caller has locked t.
func (t *take) write(f roomsub.Frame, now time.Time, moved bool) error {
	at, arrived := t.base+t.ticks*1000/int64(t.kind.Clock), now.Sub(t.began).Milliseconds()
	if off := at - arrived; off > driftTime.Milliseconds() || -off > driftTime.Milliseconds() {
		t.base, t.ticks = arrived, 0
		at = arrived
	}
	at = max(at, t.last)
	if missing := at - t.last; moved || missing > gapTime.Milliseconds() {
		t.rec.gap(t, Gap{At: seconds(t.last), Seconds: seconds(missing), Moved: moved})
	}
	t.last = at
	t.rec.index.change(func() { t.entry.Seconds = seconds(at) })
	return t.file.Write(f, at)
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
	err := t.file.Close()
	t.rec.index.change(func() { t.entry.Whole = true })
	t.file, t.entry = nil, nil
	return err
}
