// Package nodelog keeps what nodes write, each node's in files of bounded size
// and number, and gives it back by its place in all that was ever written.
//
// The newest file of node N is N.log. A full one becomes N.log.<offset>: the
// place of its first byte, in twenty digits.
package nodelog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Store is the logs of all nodes, in one directory.
type Store struct {
	dir   string
	size  int64
	files int
	keep  int

	// mu is held while files are renamed or deleted, and while a reader looks
	// for the file to open.
	mu sync.Mutex
	// writing has the nodes that still write.
	writing map[string]bool
	// ended has the others whose logs are here, the one that ended first
	// first.
	ended []string
}

// Open takes the directory, which is made where it is missing. A file has at
// most size bytes, a node at most so many files (2 or more), and the logs of
// at most keep ended nodes stay.
func Open(dir string, size int64, files, keep int) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, size: size, files: files, keep: keep, writing: map[string]bool{}}
	var err error
	if s.ended, err = s.found(); err != nil {
		return nil, err
	}
	return s, s.forget()
}

const suffix = ".log"

// found lists the nodes that have logs, the one that wrote last at the end.
func (s *Store) found() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	wrote := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		if node, ok := strings.CutSuffix(e.Name(), suffix); ok && err == nil {
			wrote[node] = info.ModTime().UnixNano()
		}
	}
	return slices.SortedFunc(maps.Keys(wrote), func(a, b string) int { return cmp.Compare(wrote[a], wrote[b]) }), nil
}

// forget deletes the logs of the nodes that ended first, while there are too
// many.
func (s *Store) forget() error {
	var errs []error
	for len(s.ended) > s.keep {
		node := s.ended[0]
		s.ended = s.ended[1:]
		for _, old := range s.segments(node) {
			errs = append(errs, os.Remove(old.path))
		}
	}
	return errors.Join(errs...)
}

// segment is a file of a node's log.
type segment struct {
	path  string
	start int64 // the place of its first byte
}

// offsetDigits is the length of the largest int64, and one to spare.
const offsetDigits = 20

// segments are the files of a node, the oldest first. The last is the one that
// is written, where there is one.
func (s *Store) segments(node string) []segment {
	current := filepath.Join(s.dir, node+suffix)
	// A node's name has nothing that Glob takes for a pattern; dir may.
	names, _ := fs.Glob(os.DirFS(s.dir), node+suffix+"."+strings.Repeat("[0-9]", offsetDigits))
	var all []segment
	for _, name := range names { // in order, since Glob sorts
		start, err := strconv.ParseInt(name[len(name)-offsetDigits:], 10, 64)
		if err == nil {
			all = append(all, segment{filepath.Join(s.dir, name), start})
		}
	}
	if _, err := os.Stat(current); err != nil {
		return all
	}
	start := int64(0)
	if n := len(all); n > 0 {
		start = all[n-1].start + sizeOf(all[n-1].path)
	}
	return append(all, segment{current, start})
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Chunk is a piece of a log.
type Chunk struct {
	Data []byte
	// Offset is the place of the first byte, Next of the one after the last.
	Offset, Next int64
	// Last reports that the node writes no more, and that there is nothing
	// after Next.
	Last bool
}

// Read returns at most limit bytes of a node's log from a place on; a negative
// one counts from the end. What was deleted is passed over. fs.ErrNotExist is a
// node that has no log here.
func (s *Store) Read(node string, offset int64, limit int) (Chunk, error) {
	file, at, err := s.find(node, offset)
	if err != nil {
		return Chunk{}, err
	}
	defer file.Close()
	data := make([]byte, limit)
	n, err := file.ReadAt(data, at.within)
	if n == 0 && err != nil && !at.newest {
		return Chunk{}, fmt.Errorf("read the log of %s: %w", node, err)
	}
	next := at.start + at.within + int64(n)
	return Chunk{Data: data[:n], Offset: next - int64(n), Next: next, Last: at.quiet && next >= at.end}, nil
}

// place is where in a node's log a reader is.
type place struct {
	segment
	within int64 // the segment
	end    int64 // of the log
	newest bool  // the segment is the one that is written
	quiet  bool  // no node writes
}

func (s *Store) find(node string, offset int64) (*os.File, place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.segments(node)
	if len(all) == 0 {
		return nil, place{}, fmt.Errorf("no output of node %s is kept: %w", node, fs.ErrNotExist)
	}
	newest := all[len(all)-1]
	end := newest.start + sizeOf(newest.path)
	if offset < 0 {
		offset += end
	}
	offset = min(max(offset, all[0].start), end)
	i := len(all) - 1
	for i > 0 && all[i].start > offset {
		i--
	}
	file, err := os.Open(all[i].path)
	return file, place{all[i], offset - all[i].start, end, i == len(all)-1, !s.writing[node]}, err
}
