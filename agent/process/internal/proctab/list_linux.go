package proctab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// rereads is how often the table is read again because a process vanished
// while it was read: a child of it may have been missed.
const rereads = 4

// List returns all processes. A process that lives while List runs is in the
// list, or one that has started it is.
func List() ([]Process, error) {
	for i := 0; ; i++ {
		all, vanished, err := list()
		if err != nil || vanished == 0 || i == rereads {
			return all, err
		}
	}
}

func list() (all []Process, vanished int, err error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, 0, fmt.Errorf("proctab: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, 0, fmt.Errorf("proctab: %w", err)
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		p, err := Read(pid)
		switch {
		case err == nil:
			all = append(all, p)
		case errors.Is(err, fs.ErrNotExist):
			vanished++
		default:
			return nil, 0, err
		}
	}
	return all, vanished, nil
}

// gone reports that a file of a process was not there, or no longer: the
// process may end between open and read.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// Kill ends p at once, unless its number is now that of another process. Only
// a process that could not be killed is an error; one that is gone is none.
func Kill(p Process) error {
	// On Linux this holds on to the process itself, where the kernel can
	// (pidfd, 5.3): what is checked below is what gets the signal.
	held, err := os.FindProcess(p.PID)
	if err != nil {
		return nil // gone
	}
	defer func() { _ = held.Release() }()
	now, err := Read(p.PID)
	if err != nil || now.Start != p.Start {
		return nil
	}
	err = held.Signal(syscall.SIGKILL)
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// WithDescendants adds to some of the processes all that those started, by
// what the table says of parents.
func WithDescendants(all, some []Process) []Process {
	children := map[int][]Process{}
	for _, p := range all {
		children[p.Parent] = append(children[p.Parent], p)
	}
	seen, out := map[int]bool{}, []Process{}
	for queue := some; len(queue) > 0; queue = queue[1:] {
		if p := queue[0]; !seen[p.PID] {
			seen[p.PID] = true
			out = append(out, p)
			queue = append(queue[:len(queue):len(queue)], children[p.PID]...)
		}
	}
	return out
}
