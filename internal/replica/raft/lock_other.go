//go:build !unix

package raft

import (
	"os"
	"path/filepath"
)

// lockDir opens the lock file. This system has no advisory locks, so that two
// managers must be kept apart by their operator.
func lockDir(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
}
