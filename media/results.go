package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// results are the files of a task. Each is written under a temporary name, in
// its directory, and gets its own when all are whole.
type results struct {
	paths    []string
	existing Existing
	// node is part of the temporary names: two attempts do not meet.
	node string
	// made are the directories that were made for them.
	made []string
}

// makeDirs makes a directory and those above it that are missing, and returns
// these, the deepest first.
func makeDirs(dir string) (made []string, err error) {
	for missing := dir; ; missing = filepath.Dir(missing) {
		if _, err := os.Lstat(missing); err == nil || missing == filepath.Dir(missing) {
			break
		}
		made = append(made, missing)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return made, nil
}

// removeEmpty removes those of some directories that are empty.
func removeEmpty(dirs []string) {
	for _, dir := range dirs {
		_ = os.Remove(dir)
	}
}

// abandoned is for how long a temporary file of another node must not have
// changed to be a leftover: one that is being written changes all the time.
const abandoned = time.Hour

// partialName is the name of a result that is not whole.
func partialName(path, node string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+node+".partial")
}

// sweep removes what earlier attempts at a result left behind: this node's, and what
// has not been written to for long.
func sweep(path, node string) error {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if !strings.HasPrefix(e.Name(), "."+base+".") || !strings.HasSuffix(e.Name(), ".partial") {
			continue
		}
		info, err := e.Info()
		if name != partialName(path, node) && (err != nil || time.Since(info.ModTime()) < abandoned) {
			continue
		}
		if err := os.RemoveAll(name); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	return nil
}

func (r results) partial(path string) string { return partialName(path, r.node) }

// partials are the names of all results while they are not whole.
func (r results) partials() []string {
	names := make([]string, len(r.paths))
	for i, path := range r.paths {
		names[i] = r.partial(path)
	}
	return names
}

// prepare makes directories and removes leftovers. done is set when all results
// are there and are to be kept.
func (r *results) prepare() (done bool, err error) {
	there := 0
	for _, path := range r.paths {
		made, err := makeDirs(filepath.Dir(path))
		if err != nil {
			return false, err
		}
		r.made = append(made, r.made...)
		if err := sweep(path, r.node); err != nil {
			return false, err
		}
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		if r.existing == Refuse {
			return false, exists("output", path, "replace", "keep")
		}
		there++
	}
	return r.existing == Keep && there == len(r.paths), nil
}

// discard removes the files that are not whole, and what was made for them.
func (r results) discard() {
	for _, partial := range r.partials() {
		_ = os.Remove(partial)
	}
	removeEmpty(r.made)
}

// publish gives all results their names. Where one cannot have its name, none
// has.
func (r results) publish() error {
	defer r.discard()
	for i, path := range r.paths {
		if err := r.settle(path); err != nil {
			if r.existing == Refuse {
				_ = removeAll(r.paths[:i])
			}
			return err
		}
	}
	return nil
}

// settle gives a file its name. A link is made rather than a new name where
// nothing may be replaced: of two attempts only one succeeds.
func (r results) settle(path string) error {
	if r.existing == Refuse {
		err := os.Link(r.partial(path), path)
		if err == nil {
			return nil
		}
		if _, missing := os.Lstat(path); errors.Is(err, fs.ErrExist) || missing == nil {
			return exists("output", path, "replace", "keep")
		} // else there are no links on this file system
	}
	if err := os.Rename(r.partial(path), path); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
