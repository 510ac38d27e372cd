//go:build !linux

package syncfile

import (
	"errors"
	"os"
)

// Extend is not possible here.
func Extend(*os.File, int64, int64) error { return errors.ErrUnsupported }

// Sync makes a file durable.
func Sync(file *os.File) error { return file.Sync() }
