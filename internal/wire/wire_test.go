package wire

import (
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// values is one of each kind.
type values struct {
	B       byte
	U, F    uint64
	I       int64
	Float   float64
	Bool    bool
	Text    string
	Raw     []byte
	Texts   []string
	Pairs   map[string]string
	Bytes   string
	Numbers []uint64
}

func draw(t *rapid.T) values {
	v := values{
		B: rapid.Byte().Draw(t, "byte"), U: rapid.Uint64().Draw(t, "uint"), F: rapid.Uint64().Draw(t, "fixed"),
		I: rapid.Int64().Draw(t, "int"), Float: rapid.Float64().Draw(t, "float"), Bool: rapid.Bool().Draw(t, "bool"),
		Text: rapid.String().Draw(t, "text"), Bytes: rapid.String().Draw(t, "bytes"),
		Numbers: rapid.SliceOfN(rapid.Uint64(), 1, 3).Draw(t, "numbers"),
	}
	if rapid.Bool().Draw(t, "set") {
		v.Raw = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "raw")...)
		v.Texts = append([]string{}, rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "texts")...)
		v.Pairs = rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "pairs")
	}
	return v
}

func (v *values) write(w *Writer) {
	w.Byte(v.B)
	w.Uint(v.U)
	w.Fixed(v.F)
	w.Int(v.I)
	w.Float(v.Float)
	w.Bool(v.Bool)
	w.Text(v.Text)
	w.Raw(v.Raw)
	w.Texts(v.Texts)
	w.Pairs(v.Pairs)
	w.Text(v.Bytes)
	w.Uint(uint64(len(v.Numbers)))
	for _, n := range v.Numbers {
		w.Uint(n)
	}
}

func read(r *Reader) values {
	v := values{
		B: r.Byte(), U: r.Uint(), F: r.Fixed(), I: r.Int(), Float: r.Float(), Bool: r.Bool(),
		Text: r.Text(), Raw: r.Raw(), Texts: r.Texts(), Pairs: r.Pairs(), Bytes: string(r.Bytes()),
	}
	for range r.Count() {
		v.Numbers = append(v.Numbers, r.Uint())
	}
	return v
}

// TestRoundTrip: what is read is what was written, and a part of it is an error.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := draw(t)
		var w Writer
		want.write(&w)
		r := Reader{Buf: w.Buf}
		if got := read(&r); !reflect.DeepEqual(got, want) || !r.Whole() {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		for cut := range w.Buf {
			r := Reader{Buf: w.Buf[:cut]}
			if read(&r); !r.Bad() || r.Whole() {
				t.Fatalf("%d of %d bytes were taken for the whole", cut, len(w.Buf))
			}
		}
	})
}

func TestWrongBytes(t *testing.T) {
	var twice, huge Writer
	twice.Uint(3)
	for range 2 {
		twice.Text("key")
		twice.Text("value")
	}
	huge.Uint(math.MaxUint64)
	for what, f := range map[string]func() *Reader{
		"a key that is there twice": func() *Reader { r := &Reader{Buf: twice.Buf}; r.Pairs(); return r },
		"a length of 2^64-1":        func() *Reader { r := &Reader{Buf: huge.Buf}; r.Texts(); return r },
		"a count of 2^64-1":         func() *Reader { r := &Reader{Buf: huge.Buf}; r.Count(); return r },
		"a text of 2^64-1 bytes":    func() *Reader { r := &Reader{Buf: huge.Buf}; r.Text(); return r },
		"a bool of 2":               func() *Reader { r := &Reader{Buf: []byte{2}}; r.Bool(); return r },
		"a varint without an end":   func() *Reader { r := &Reader{Buf: []byte{0x80}}; r.Uint(); return r },
	} {
		if !f().Bad() {
			t.Errorf("%s was taken", what)
		}
	}
}
