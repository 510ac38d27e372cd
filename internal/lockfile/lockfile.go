// Package lockfile keeps other processes out of a directory with a file that is
// locked, and says which process has it. The lock ends with the process, however
// that ends.
package lockfile

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// Lock is a lock that this process has.
type Lock struct{ file *flock.Flock }

// HeldError is the error of Take while another process has the lock.
type HeldError struct {
	// PID is that process, 0 if it is not known.
	PID int
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "locked by another process"
	}
	return fmt.Sprintf("locked by process %d", e.PID)
}

func open(path string) *flock.Flock {
	return flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
}

// Take takes the lock, and creates the file if there is none. It does not wait.
func Take(path string) (*Lock, error) {
	file := open(path)
	switch ok, err := file.TryLock(); {
	case err != nil:
		return nil, err
	case !ok:
		return nil, &HeldError{PID: holder(path)}
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Lock{file}, nil
}

// Close ends the lock. The file stays.
func (l *Lock) Close() error { return l.file.Close() }

// Holder reports whether a process has the lock, and which; 0 is that it is not
// known.
func Holder(path string) (pid int, held bool) {
	if _, err := os.Stat(path); err != nil {
		return 0, false
	}
	file := open(path)
	ok, err := file.TryRLock()
	if err != nil || ok {
		_ = file.Close()
		return 0, false
	}
	return holder(path), true
}

func holder(path string) int {
	text, _ := os.ReadFile(path) // without a text it is not known
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
