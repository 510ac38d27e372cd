package syncfile

import (
	"errors"
	"os"
	"syscall"
)

// Extend extends a file by zeros that take no time to write, where the file system
// can.
func Extend(file *os.File, from, size int64) error {
	return again(func() error { return syscall.Fallocate(int(file.Fd()), 0, from, size) })
}

// Sync makes the content and the length of a file durable, and not the time at
// which it changed: that would be another write.
func Sync(file *os.File) error {
	return again(func() error { return syscall.Fdatasync(int(file.Fd())) })
}

// again repeats a call that a signal interrupted.
func again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
