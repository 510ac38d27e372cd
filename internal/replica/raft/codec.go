package raft

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// errMalformed is what decoders wrap for bytes that are none of theirs.
var errMalformed = errors.New("malformed")

// writer appends numbers as varints, and texts and lists with their length
// before them. Lists and raw JSON that are nil stay apart from empty ones,
// since every copy of a state must see the same.
type writer struct {
	buf []byte
	top byte // the highest operation in it
}

func (w *writer) byte(b byte)     { w.buf = append(w.buf, b) }
func (w *writer) uint(n uint64)   { w.buf = binary.AppendUvarint(w.buf, n) }
func (w *writer) int(n int64)     { w.buf = binary.AppendVarint(w.buf, n) }
func (w *writer) fixed(n uint64)  { w.buf = binary.BigEndian.AppendUint64(w.buf, n) }
func (w *writer) float(f float64) { w.fixed(math.Float64bits(f)) }

func (w *writer) bool(b bool) {
	if b {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.buf = append(w.buf, s...)
}

// raw writes bytes that may be nil.
func (w *writer) raw(b []byte) {
	if b == nil {
		w.uint(0)
		return
	}
	w.uint(uint64(len(b)) + 1)
	w.buf = append(w.buf, b...)
}

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

// pairs writes a map in the order of its keys.
func (w *writer) pairs(m map[string]string) {
	if m == nil {
		w.uint(0)
		return
	}
	w.uint(uint64(len(m)) + 1)
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		w.text(key)
		w.text(m[key])
	}
}

// reader reads what a writer wrote. After the first thing that is wrong it
// yields zeros, and bad is true. It never holds more than the bytes give.
type reader struct {
	buf []byte
	bad bool
}

func (r *reader) fail() {
	r.bad = true
	r.buf = nil
}

// whole reports whether everything was read, and was right.
func (r *reader) whole() bool { return !r.bad && len(r.buf) == 0 }

func (r *reader) byte() byte {
	if len(r.buf) == 0 {
		r.fail()
		return 0
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.buf)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

func (r *reader) int() int64 {
	n, size := binary.Varint(r.buf)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

func (r *reader) fixed() uint64 {
	if len(r.buf) < 8 {
		r.fail()
		return 0
	}
	n := binary.BigEndian.Uint64(r.buf)
	r.buf = r.buf[8:]
	return n
}

func (r *reader) float() float64 { return math.Float64frombits(r.fixed()) }

func (r *reader) bool() bool {
	b := r.byte()
	if b > 1 {
		r.fail()
	}
	return b == 1
}

// count reads how many parts follow, each of at least a byte.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.buf)) {
		r.fail()
		return 0
	}
	return int(n)
}

// bytes reads bytes that belong to the buffer.
func (r *reader) bytes() []byte {
	n := r.count()
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes()) }

// some reads the length of what may be nil.
func (r *reader) some() (n int, ok bool) {
	size := r.uint()
	if size == 0 {
		return 0, false
	}
	if size-1 > uint64(len(r.buf)) {
		r.fail()
		return 0, false
	}
	return int(size - 1), true
}

func (r *reader) raw() []byte {
	n, ok := r.some()
	if !ok {
		return nil
	}
	b := append([]byte{}, r.buf[:n]...)
	r.buf = r.buf[n:]
	return b
}

func (r *reader) texts() []string {
	n, ok := r.some()
	if !ok {
		return nil
	}
	list := []string{}
	for range n {
		if r.bad {
			break
		}
		list = append(list, r.text())
	}
	return list
}

func (r *reader) pairs() map[string]string {
	n, ok := r.some()
	if !ok {
		return nil
	}
	m := map[string]string{}
	for range n {
		if r.bad {
			break
		}
		key := r.text()
		m[key] = r.text()
	}
	return m
}
