package mediabench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is one that runs, with the processor time that it and the children it
// waited for have used.
type process struct {
	pid, parent int
	cpu         time.Duration
}

// tick is the unit of times in /proc/PID/stat, which is the same on all
// platforms that Go knows.
const tick = 10 * time.Millisecond

// Fields of /proc/PID/stat, counted from 0 after the name's closing bracket.
const (
	fieldParent = 1
	fieldUser   = 11 // then system, and both of the children
)

// processes are all that run, by their ids.
func processes() (map[int]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	all := map[int]process{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			all[pid] = p
		}
	}
	return all, nil
}

// readProcess is false for one that has ended meanwhile.
func readProcess(pid int) (process, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	end := strings.LastIndexByte(string(text), ')')
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < fieldUser+4 {
		return process{}, false
	}
	p := process{pid: pid}
	p.parent, _ = strconv.Atoi(fields[fieldParent])
	for _, field := range fields[fieldUser : fieldUser+4] {
		n, _ := strconv.ParseInt(field, 10, 64)
		p.cpu += time.Duration(n) * tick
	}
	return p, true
}

// argv is the command line of a process; nil where it has ended.
func (p process) argv() []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}
