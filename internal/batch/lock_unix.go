//go:build unix

package batch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrTaken is that another process works on the batch.
var ErrTaken = errors.New("another process works on the job")

// Take is for the process that works on the batch. It holds until Release, or
// until the process ends.
func (b *Batch) Take() error {
	f, err := os.OpenFile(filepath.Join(b.dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("batch %s: %w", b.ID, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		_ = f.Close()
		return fmt.Errorf("%w: %s", ErrTaken, b.ID)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("batch %s: %w", b.ID, err)
	}
	b.lock = f
	return nil
}

// Release ends Take.
func (b *Batch) Release() {
	if b.lock != nil {
		_ = b.lock.Close()
		b.lock = nil
	}
}

// Running reports whether a process works on the batch, and which.
func (b *Batch) Running() (running bool, pid int) {
	f, err := os.OpenFile(filepath.Join(b.dir, lockName), os.O_RDWR, 0o600)
	if err != nil {
		return false, 0
	}
	defer f.Close()
	if !errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
		return false, 0
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		return true, 0
	}
	return true, holder(text)
}

// Cancel asks the process that works on the batch to end; it stops the tasks
// that run. False is that there is none.
func (b *Batch) Cancel() (bool, error) {
	running, pid := b.Running()
	if !running || pid == 0 {
		return false, nil
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		return false, fmt.Errorf("batch %s: %w", b.ID, err)
	}
	return true, nil
}
