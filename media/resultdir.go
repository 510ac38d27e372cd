package media

import (
	"fmt"
	"os"
	"path/filepath"
)

// resultDir is a directory that is the result of a task. It is filled under a
// temporary name beside it, and gets its own when all in it is whole.
type resultDir struct {
	path     string
	existing Existing
	// node is part of the temporary name.
	node string
	made []string
}

func (r *resultDir) partial() string { return partialName(r.path, r.node) }

// prepare makes the temporary directory. done is set where the result is there,
// and is to be kept.
func (r *resultDir) prepare() (done bool, err error) {
	if r.made, err = makeDirs(filepath.Dir(r.path)); err != nil {
		return false, err
	}
	if _, err := os.Lstat(r.path); err == nil && r.existing != Replace {
		if r.existing == Keep {
			return true, nil
		}
		return false, exists("output", r.path, "replace", "keep")
	}
	if err := sweep(r.path, r.node); err != nil {
		return false, err
	}
	if err := os.Mkdir(r.partial(), 0o777); err != nil {
		return false, fmt.Errorf("output: %w", err)
	}
	return false, nil
}

// discard removes what is not whole.
func (r *resultDir) discard() {
	_ = os.RemoveAll(r.partial())
	removeEmpty(r.made)
}

// publish gives the directory its name. What is replaced steps aside first: for
// a moment there is neither.
func (r *resultDir) publish() error {
	defer r.discard()
	if r.existing == Replace {
		old := partialName(r.path, r.node+".old")
		if err := os.Rename(r.path, old); err == nil {
			defer func() { _ = os.RemoveAll(old) }()
		}
	} else if _, err := os.Lstat(r.path); err == nil { // an empty one would be replaced
		return exists("output", r.path, "replace", "keep")
	}
	if err := os.Rename(r.partial(), r.path); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
