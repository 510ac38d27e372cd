//go:build unix

package raft

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir keeps other processes out of a directory until the file is closed. It
// returns errLocked if another one has it.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errLocked
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
