// Package wire is the binary encoding of the log, of snapshots and of the
// messages between managers: numbers are varints, and texts, lists and maps
// have their length before them. Equal values give equal bytes.
//
// Nil lists, maps and raw bytes stay distinct from empty ones, because every
// copy of a state must see the same value.
package wire

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
)

// Writer appends values to Buf.
type Writer struct{ Buf []byte }

// Byte writes one byte.
func (w *Writer) Byte(b byte) { w.Buf = append(w.Buf, b) }

// Uint writes an unsigned number, which is shorter the smaller it is.
func (w *Writer) Uint(n uint64) { w.Buf = binary.AppendUvarint(w.Buf, n) }

// Int writes a signed number, which is shorter the closer it is to 0.
func (w *Writer) Int(n int64) { w.Buf = binary.AppendVarint(w.Buf, n) }

// Fixed writes a number in 8 bytes, for those that are large or random.
func (w *Writer) Fixed(n uint64) { w.Buf = binary.BigEndian.AppendUint64(w.Buf, n) }

// Float writes a number in 8 bytes.
func (w *Writer) Float(f float64) { w.Fixed(math.Float64bits(f)) }

// Bool writes 1 for true and 0 for false.
func (w *Writer) Bool(b bool) {
	if b {
		w.Byte(1)
	} else {
		w.Byte(0)
	}
}

// Text writes a string.
func (w *Writer) Text(s string) {
	w.Uint(uint64(len(s)))
	w.Buf = append(w.Buf, s...)
}

// size writes the length of something that may be nil.
func (w *Writer) size(n int, isNil bool) {
	if isNil {
		w.Uint(0)
	} else {
		w.Uint(uint64(n) + 1)
	}
}

// Raw writes bytes that may be nil.
func (w *Writer) Raw(b []byte) {
	w.size(len(b), b == nil)
	w.Buf = append(w.Buf, b...)
}

// Texts writes a list that may be nil.
func (w *Writer) Texts(list []string) {
	w.size(len(list), list == nil)
	for _, s := range list {
		w.Text(s)
	}
}

// Pairs writes a map that may be nil, sorted by key.
func (w *Writer) Pairs(m map[string]string) {
	w.size(len(m), m == nil)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		w.Text(key)
		w.Text(m[key])
	}
}

// Reader reads from Buf what a Writer wrote. After the first error every
// method returns a zero value, and Bad reports true. Reading never allocates
// more than a small multiple of len(Buf).
type Reader struct {
	Buf []byte
	bad bool
}

// Bad reports whether something was wrong.
func (r *Reader) Bad() bool { return r.bad }

// Whole reports whether everything was read and nothing was wrong.
func (r *Reader) Whole() bool { return !r.bad && len(r.Buf) == 0 }

// Fail records an error.
func (r *Reader) Fail() { r.bad, r.Buf = true, nil }

// Check records an error unless ok.
func (r *Reader) Check(ok bool) {
	if !ok {
		r.Fail()
	}
}

// Byte reads what Writer.Byte wrote.
func (r *Reader) Byte() byte {
	if len(r.Buf) == 0 {
		r.Fail()
		return 0
	}
	b := r.Buf[0]
	r.Buf = r.Buf[1:]
	return b
}

// Uint reads what Writer.Uint wrote.
func (r *Reader) Uint() uint64 {
	n, size := binary.Uvarint(r.Buf)
	if size <= 0 {
		r.Fail()
		return 0
	}
	r.Buf = r.Buf[size:]
	return n
}

// Int reads what Writer.Int wrote.
func (r *Reader) Int() int64 {
	n, size := binary.Varint(r.Buf)
	if size <= 0 {
		r.Fail()
		return 0
	}
	r.Buf = r.Buf[size:]
	return n
}

// Fixed reads what Writer.Fixed wrote.
func (r *Reader) Fixed() uint64 {
	if len(r.Buf) < 8 {
		r.Fail()
		return 0
	}
	n := binary.BigEndian.Uint64(r.Buf)
	r.Buf = r.Buf[8:]
	return n
}

// Float reads what Writer.Float wrote, which may be NaN or infinite.
func (r *Reader) Float() float64 { return math.Float64frombits(r.Fixed()) }

// Bool reads what Writer.Bool wrote.
func (r *Reader) Bool() bool {
	b := r.Byte()
	r.Check(b <= 1)
	return b == 1
}

// Count reads a length that Writer.Uint wrote, of parts of at least a byte each.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.Buf)) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Bytes reads what Writer.Text wrote, without copying it out of Buf.
func (r *Reader) Bytes() []byte {
	n := r.Count()
	b := r.Buf[:n:n]
	r.Buf = r.Buf[n:]
	return b
}

// Text reads what Writer.Text wrote.
func (r *Reader) Text() string { return string(r.Bytes()) }

// size reads the length of something that may be nil, which ok reports.
func (r *Reader) size() (n int, ok bool) {
	size := r.Uint()
	if size == 0 {
		return 0, false
	}
	if size-1 > uint64(len(r.Buf)) {
		r.Fail()
		return 0, false
	}
	return int(size - 1), true
}

// Raw reads what Writer.Raw wrote, as a copy.
func (r *Reader) Raw() []byte {
	n, ok := r.size()
	if !ok {
		return nil
	}
	b := append([]byte{}, r.Buf[:n]...)
	r.Buf = r.Buf[n:]
	return b
}

// Texts reads what Writer.Texts wrote.
func (r *Reader) Texts() []string {
	n, ok := r.size()
	if !ok {
		return nil
	}
	list := []string{}
	for i := 0; i < n && !r.bad; i++ {
		list = append(list, r.Text())
	}
	return list
}

// Pairs reads what Writer.Pairs wrote. A key that is there twice is an error.
func (r *Reader) Pairs() map[string]string {
	n, ok := r.size()
	if !ok {
		return nil
	}
	m := map[string]string{}
	for i := 0; i < n && !r.bad; i++ {
		key := r.Text()
		m[key] = r.Text()
	}
	r.Check(r.bad || len(m) == n)
	return m
}
