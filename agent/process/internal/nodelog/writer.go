package nodelog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Writer appends to a node's log. It is for one goroutine.
type Writer struct {
	store *Store
	node  string
	file  *os.File
	start int64 // the place of file's first byte
	used  int64 // of file
}

// Writer opens a node's log for writing, after what is there.
func (s *Store) Writer(node string) (*Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing[node] {
		return nil, fmt.Errorf("the log of node %s is being written", node)
	}
	w := &Writer{store: s, node: node}
	if all := s.segments(node); len(all) > 0 {
		w.start = all[len(all)-1].start
	}
	if err := w.open(); err != nil {
		return nil, err
	}
	w.used = sizeOf(w.path())
	s.writing[node] = true
	s.ended = slices.DeleteFunc(s.ended, func(n string) bool { return n == node })
	return w, nil
}

func (w *Writer) path() string { return filepath.Join(w.store.dir, w.node+suffix) }

func (w *Writer) open() (err error) {
	w.file, err = os.OpenFile(w.path(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	return err
}

// Write appends p, in as many files as it takes.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if w.used >= w.store.size {
			if err := w.rotate(); err != nil {
				return n, err
			}
		}
		part := p[:min(int64(len(p)), w.store.size-w.used)]
		m, err := w.file.Write(part)
		n, w.used = n+m, w.used+int64(m)
		if err != nil {
			return n, err
		}
		p = p[m:]
	}
	return n, nil
}

// rotate puts the full file aside, and begins another.
func (w *Writer) rotate() error {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	aside := fmt.Sprintf("%s.%0*d", w.path(), offsetDigits, w.start)
	if err := os.Rename(w.path(), aside); err != nil {
		return err
	}
	old := w.file
	if err := w.open(); err != nil {
		w.file = old
		return errors.Join(err, os.Rename(aside, w.path()))
	}
	w.start, w.used = w.start+w.used, 0
	return errors.Join(old.Close(), w.deleteOldest())
}

func (w *Writer) deleteOldest() error {
	all := w.store.segments(w.node)
	var errs []error
	for len(all) > w.store.files {
		errs = append(errs, os.Remove(all[0].path))
		all = all[1:]
	}
	return errors.Join(errs...)
}

// Close ends the log of the node.
func (w *Writer) Close() error {
	s := w.store
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.writing, w.node)
	s.ended = append(s.ended, w.node)
	return errors.Join(w.file.Close(), s.forget())
}
