// Package cgroup puts processes into control groups of Linux's version 2, to
// limit them and to end them together.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Group is a control group, a directory.
type Group struct{ dir string }

// Own is the group of this process. The error says why there is none that can
// be used.
func Own() (Group, error) {
	mount, err := mountPoint("/proc/self/mountinfo")
	if err != nil {
		return Group{}, err
	}
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return Group{}, fmt.Errorf("cgroup: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return At(filepath.Join(mount, path)), nil
		}
	}
	return Group{}, errors.New("cgroup: this process is in no group of version 2")
}

// mountPoint finds where version 2 is mounted. Fields are "id parent device
// root place options [more] - type source options" (proc_pid_mountinfo(5)).
func mountPoint(mountinfo string) (string, error) {
	raw, err := os.ReadFile(mountinfo)
	if err != nil {
		return "", fmt.Errorf("cgroup: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		before, after, _ := strings.Cut(line, " - ")
		place := strings.Fields(before)
		if strings.HasPrefix(after, "cgroup2 ") && len(place) > 4 {
			return place[4], nil
		}
	}
	return "", errors.New("cgroup: version 2 is not mounted")
}

// At is the group of a directory.
func At(dir string) Group { return Group{dir} }

// Dir is the group's directory.
func (g Group) Dir() string { return g.dir }

// Make makes a group within g, or takes the one that is there.
func (g Group) Make(name string) (Group, error) {
	sub := Group{filepath.Join(g.dir, name)}
	if err := os.Mkdir(sub.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return Group{}, fmt.Errorf("cgroup: %w", err)
	}
	if _, err := os.Stat(filepath.Join(sub.dir, "cgroup.procs")); err != nil {
		_ = os.Remove(sub.dir)
		return Group{}, fmt.Errorf("cgroup: %s is no control group: %w", sub.dir, err)
	}
	return sub, nil
}

// Groups are the groups within g.
func (g Group) Groups() []Group {
	entries, _ := os.ReadDir(g.dir) // none where it is gone
	var all []Group
	for _, e := range entries {
		if e.IsDir() {
			all = append(all, Group{filepath.Join(g.dir, e.Name())})
		}
	}
	return all
}

// Open returns the directory for starting a process in the group.
func (g Group) Open() (*os.File, error) {
	return os.OpenFile(g.dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
}

// Remove removes g and the groups within. Processes that are still in there
// are an error.
func (g Group) Remove() error {
	for _, sub := range g.Groups() {
		if err := sub.Remove(); err != nil {
			return err
		}
	}
	if err := syscall.Rmdir(g.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cgroup: remove %s: %w", g.dir, err)
	}
	return nil
}

// Processes are the numbers of those in g and in the groups within.
func (g Group) Processes() []int {
	var pids []int
	raw, _ := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
	for field := range strings.FieldsSeq(string(raw)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	for _, sub := range g.Groups() {
		pids = append(pids, sub.Processes()...)
	}
	return pids
}

// Empty reports that no process is in g or in the groups within. Those that
// have ended and wait for their parents do not count.
func (g Group) Empty() (bool, error) {
	raw, err := os.ReadFile(filepath.Join(g.dir, "cgroup.events"))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("cgroup: %w", err)
	}
	return field(string(raw), "populated") == 0, nil
}

// Kill kills all processes in g, at once where the kernel can (5.14). One that
// starts another meanwhile may leave it alive on older kernels: call again
// until g is empty.
func (g Group) Kill() error {
	err := g.write("cgroup.kill", "1")
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, pid := range g.Processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return nil
}

// CPU is the processor time that was used in g and in the groups within.
func (g Group) CPU() (time.Duration, error) {
	raw, err := os.ReadFile(filepath.Join(g.dir, "cpu.stat"))
	if err != nil {
		return 0, fmt.Errorf("cgroup: %w", err)
	}
	return time.Duration(field(string(raw), "usage_usec")) * time.Microsecond, nil
}

// OutOfMemory reports that the kernel has killed a process of g for want of
// memory.
func (g Group) OutOfMemory() bool {
	raw, _ := os.ReadFile(filepath.Join(g.dir, "memory.events"))
	return field(string(raw), "oom_kill") > 0
}

// field finds the number of a line such as "populated 1"; 0 where there is
// none.
func field(text, name string) int64 {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && key == name {
			n, _ := strconv.ParseInt(value, 10, 64)
			return n
		}
	}
	return 0
}

func (g Group) write(name, text string) error {
	// Without O_CREATE: a file that the kernel does not have must not appear
	// to be written.
	f, err := os.OpenFile(filepath.Join(g.dir, name), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	return nil
}
