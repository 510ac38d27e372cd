//go:build !unix

package batch

import "errors"

// ErrTaken is that another process works on the batch.
var ErrTaken = errors.New("another process works on the job")

// Take does nothing here: this system has no such locks.
func (b *Batch) Take() error { return nil }

// Release ends Take.
func (b *Batch) Release() {}

// Running is not known here.
func (b *Batch) Running() (running bool, pid int) { return false, 0 }

// Cancel is not possible here.
func (b *Batch) Cancel() (bool, error) {
	return false, errors.New("batch: cancel it with Ctrl-C where it runs")
}
