//go:build !linux

package raft

import (
	"errors"
	"os"
)

// allocate is not possible here: the file grows with each record.
func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

func syncData(file *os.File) error { return file.Sync() }
