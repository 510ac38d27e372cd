package nodelog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func open(t *testing.T, dir string, size int64, files, keep int) *Store {
	t.Helper()
	s, err := Open(dir, size, files, keep)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func writer(t *testing.T, s *Store, node string) *Writer {
	t.Helper()
	w, err := s.Writer(node)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t *testing.T, w *Writer, text string) {
	t.Helper()
	if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("write: %d of %d, %v", n, len(text), err)
	}
}

// readAll follows a log from a place to its end, a few bytes at a time.
func readAll(t *testing.T, s *Store, node string, offset int64, limit int) (text string, first Chunk, last Chunk) {
	t.Helper()
	var all []byte
	for i := 0; ; i++ {
		c, err := s.Read(node, offset, limit)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = c
		}
		if len(c.Data) > limit || c.Next != c.Offset+int64(len(c.Data)) {
			t.Fatalf("chunk does not add up: %d bytes of %d, from %d to %d", len(c.Data), limit, c.Offset, c.Next)
		}
		all, offset = append(all, c.Data...), c.Next
		if len(c.Data) == 0 {
			return string(all), first, c
		}
	}
}

func TestReadsAcrossFiles(t *testing.T) {
	s := open(t, t.TempDir(), 10, 3, 5)
	w := writer(t, s, "a@b_1")
	write(t, w, "0123456")
	write(t, w, "789abcdefghijklm") // 23 bytes: three files
	got, _, last := readAll(t, s, "a@b_1", 0, 4)
	if got != "0123456789abcdefghijklm" || last.Last {
		t.Errorf("got %q, last %v; want all, and more may come", got, last.Last)
	}
	write(t, w, "nopqrstuvw") // a fourth file: the first is deleted
	got, first, _ := readAll(t, s, "a@b_1", 3, 100)
	if got != "abcdefghijklmnopqrstuvw" || first.Offset != 10 {
		t.Errorf("got %q from %d; want what is left, from 10", got, first.Offset)
	}
	if got, _, _ := readAll(t, s, "a@b_1", -5, 3); got != "stuvw" {
		t.Errorf("the last five: got %q", got)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Read("a@b_1", 1<<40, 10); err != nil || !c.Last || c.Next != 33 || len(c.Data) > 0 {
		t.Errorf("after the end: got %+v, %v; want the end at 33", c, err)
	}
}

func TestLastOnlyAtTheEnd(t *testing.T) {
	s := open(t, t.TempDir(), 10, 2, 5)
	w := writer(t, s, "n")
	write(t, w, "0123456789abc")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		offset int64
		last   bool
	}{{0, false}, {10, true}, {12, true}, {13, true}} {
		if got, err := s.Read("n", c.offset, 100); err != nil || got.Last != c.last {
			t.Errorf("from %d: last is %v, %v; want %v", c.offset, got.Last, err, c.last)
		}
	}
}

func TestGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		s := open(t, dir, 10, 3, 5)
		w := writer(t, s, "n")
		write(t, w, fmt.Sprintf("round %d,", i))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, first, _ := readAll(t, open(t, dir, 10, 3, 5), "n", 0, 100)
	if want := "round 0,round 1,round 2,round 3,"; want[first.Offset:] != got || len(got) < 20 {
		t.Errorf("got %q from %d; want the end of %q", got, first.Offset, want)
	}
}

func TestFilesStayBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100, 3, 5)
	w := writer(t, s, "n")
	for range 50 {
		write(t, w, string(bytes.Repeat([]byte("x"), 77)))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("got files %v, %v; want 3", files, err)
	}
	for _, f := range files {
		if n := sizeOf(f); n > 100 {
			t.Errorf("%s has %d bytes; want at most 100", f, n)
		}
	}
}

func TestKeepsTheLastNodes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 10, 2, 2)
	running := writer(t, s, "running")
	write(t, running, "still here")
	for i := range 5 {
		w := writer(t, s, fmt.Sprint("n", i))
		write(t, w, "more than ten bytes, in two files")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	nodes, err := s.found()
	slices.Sort(nodes)
	if want := []string{"n3", "n4", "running"}; !slices.Equal(nodes, want) || err != nil {
		t.Errorf("got logs of %v, %v; want %v", nodes, err, want)
	}
	if _, err := s.Read("n0", 0, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a forgotten log: got %v; want fs.ErrNotExist", err)
	}
	open(t, dir, 10, 2, 0)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("keep none: %d files are left", len(left))
	}
}

func TestOneWriterAtATime(t *testing.T) {
	s := open(t, t.TempDir(), 10, 2, 2)
	w := writer(t, s, "n")
	if _, err := s.Writer("n"); err == nil {
		t.Error("a second writer of one log: no error")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	writer(t, s, "n")
}

// A reader follows while the writer rotates: it sees every byte that is still
// kept, in order.
func TestReadWhileRotating(t *testing.T) {
	s := open(t, t.TempDir(), 64, 1000, 5)
	w := writer(t, s, "n")
	var want bytes.Buffer
	for i := range 2000 {
		fmt.Fprintln(&want, "line", i)
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := w.Write(want.Bytes())
		wrote <- errors.Join(err, w.Close())
	}()
	var got []byte
	for c := (Chunk{}); !c.Last; {
		var err error
		if c, err = s.Read("n", int64(len(got)), 100); err != nil {
			t.Fatal(err)
		}
		got = append(got, c.Data...)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got %d bytes of %d, or others", len(got), want.Len())
	}
}
