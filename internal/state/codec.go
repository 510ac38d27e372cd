package state

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/muster-fleet/muster"
)

// writer appends the parts of a snapshot: numbers as varints, texts and lists
// with their length before them.
type writer struct{ buf []byte }

func (w *writer) uint(n uint64)   { w.buf = binary.AppendUvarint(w.buf, n) }
func (w *writer) int(n int64)     { w.buf = binary.AppendVarint(w.buf, n) }
func (w *writer) float(f float64) { w.buf = binary.BigEndian.AppendUint64(w.buf, math.Float64bits(f)) }

func (w *writer) bool(b bool) {
	if b {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.buf = append(w.buf, s...)
}

// texts keeps a list that is nil apart from one that is empty, since JSON does.
func (w *writer) texts(list []string) {
	if list == nil {
		w.uint(0)
		return
	}
	w.uint(uint64(len(list)) + 1)
	for _, s := range list {
		w.text(s)
	}
}

func (w *writer) pairs(m map[string]string) {
	if m == nil {
		w.uint(0)
		return
	}
	w.uint(uint64(len(m)) + 1)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		w.text(key)
		w.text(m[key])
	}
}

func (w *writer) info(info *muster.Info) {
	w.text(info.IP)
	w.text(info.Hostname)
	w.int(int64(info.Port))
	w.text(info.Purpose)
	w.int(int64(info.State))
	w.float(info.MaxLoad)
	w.texts(info.Capacity.ISPs)
	w.texts(info.Capacity.Regions)
	w.bool(info.Capacity.Video != nil)
	if video := info.Capacity.Video; video != nil {
		w.texts(video.Encode)
		w.texts(video.Decode)
	}
	w.texts(info.Capacity.Algorithms)
	w.pairs(info.Labels)
	w.int(int64(info.MaxTasks))
	w.bool(info.Raw != nil)
	w.text(string(info.Raw))
}

var errSnapshot = errors.New("the snapshot is damaged")

// reader reads what a writer wrote. After the first thing that is wrong it
// yields zeros, and bad is true. It never holds more than the bytes give.
type reader struct {
	buf []byte
	bad bool
	old bool // version 1
}

// check notes that something is wrong, unless ok.
func (r *reader) check(ok bool) {
	if !ok {
		r.bad = true
		r.buf = nil
	}
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.buf)
	r.check(size > 0)
	if r.bad {
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

func (r *reader) int() int64 {
	n, size := binary.Varint(r.buf)
	r.check(size > 0)
	if r.bad {
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

// between reads a number that must lie in a range.
func (r *reader) between(low, high int64) int64 {
	n := r.int()
	if n < low || n > high {
		r.check(false)
		return low
	}
	return n
}

// count reads how many parts follow, each of a byte or more.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.buf)) {
		r.check(false)
		return 0
	}
	return int(n)
}

func (r *reader) bool() bool {
	n := r.uint()
	r.check(n <= 1)
	return n == 1
}

// float reads a number that is finite.
func (r *reader) float() float64 {
	r.check(len(r.buf) >= 8)
	if r.bad {
		return 0
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(r.buf))
	r.buf = r.buf[8:]
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.check(false)
		return 0
	}
	return f
}

func (r *reader) text() string {
	n := r.count()
	s := string(r.buf[:n])
	r.buf = r.buf[n:]
	return s
}

func (r *reader) texts() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := []string{}
	for range n - 1 {
		list = append(list, r.text())
	}
	return list
}

func (r *reader) pairs() map[string]string {
	n := r.count()
	if n == 0 {
		return nil
	}
	m := map[string]string{}
	for range n - 1 {
		key := r.text()
		m[key] = r.text()
	}
	r.check(len(m) == n-1)
	return m
}

func (r *reader) info() muster.Info {
	info := muster.Info{
		IP: r.text(), Hostname: r.text(), Port: int(r.int()), Purpose: r.text(),
		State: muster.State(r.int()), MaxLoad: r.float(),
	}
	info.Capacity.ISPs, info.Capacity.Regions = r.texts(), r.texts()
	if r.bool() {
		info.Capacity.Video = &muster.Formats{Encode: r.texts(), Decode: r.texts()}
	}
	info.Capacity.Algorithms = r.texts()
	info.Labels = r.pairs()
	info.MaxTasks = int(r.between(0, math.MaxInt32))
	if raw, text := r.bool(), r.text(); raw {
		info.Raw = []byte(text)
	}
	r.check(info.MaxLoad > 0)
	return info
}
