package batch

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/muster-fleet/muster/internal/lockfile"
)

// ErrTaken is that another process works on the batch.
var ErrTaken = errors.New("another process works on the job")

func (b *Batch) lockPath() string { return filepath.Join(b.dir, lockName) }

// Take is for the process that works on the batch. It holds until Release, or
// until the process ends.
func (b *Batch) Take() error {
	lock, err := lockfile.Take(b.lockPath())
	switch {
	case errors.As(err, new(*lockfile.HeldError)):
		return fmt.Errorf("%w: %s", ErrTaken, b.ID)
	case err != nil:
		return fmt.Errorf("batch %s: %w", b.ID, err)
	}
	b.lock = lock
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
	pid, running = lockfile.Holder(b.lockPath())
	return running, pid
}

// Cancel asks the process that works on the batch to end; it stops the tasks
// that run. False is that there is none.
func (b *Batch) Cancel() (bool, error) {
	running, pid := b.Running()
	if !running || pid == 0 {
		return false, nil
	}
	if err := interrupt(pid); err != nil {
		return false, fmt.Errorf("batch %s: %w", b.ID, err)
	}
	return true, nil
}
