// Package proctab reads Linux's table of processes, and kills processes of it
// without ever hitting one that merely got the same number later.
package proctab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// Process is a process as it was when the table was read.
type Process struct {
	PID, Parent, Session int
	// Start is when it began, in ticks of the kernel's clock since boot. With
	// PID it names the process for as long as the machine runs.
	Start uint64
	// CPU is the processor time that it has used, with that of its children
	// that have ended and that it has waited for.
	CPU time.Duration
	// bare has no environment at this moment: it is about to become another
	// program, or about to end, or it was given none.
	bare bool
	// zombie has ended, and waits for its parent to take note.
	zombie bool
}

// Alive reports that the process can still do something.
func (p Process) Alive() bool { return !p.zombie }

// tick is the kernel's USER_HZ, which has been 100 on every architecture that
// Go runs on.
const tick = 10 * time.Millisecond

// Read returns the process of that number. The error is fs.ErrNotExist where
// there is none.
func Read(pid int) (Process, error) {
	raw, err := readProc(pid, "stat")
	if err != nil {
		return Process{}, err
	}
	return parse(pid, raw)
}

// Fields of /proc/PID/stat, counted from 0 after the name's closing bracket
// (proc_pid_stat(5)).
const (
	fieldState   = 0
	fieldParent  = 1
	fieldSession = 3
	fieldFlags   = 6
	fieldUser    = 11 // with three more: system, children's user, children's system
	fieldThreads = 17
	fieldStart   = 19
	fieldEnviron = 47 // where it begins, and where it ends
)

// kernelThread is the flag of one (PF_KTHREAD).
const kernelThread = 0x00200000

// parse reads a line "pid (name) state ppid ...": the name may have anything
// in it, brackets and spaces included.
func parse(pid int, raw []byte) (Process, error) {
	bracket := bytes.LastIndexByte(raw, ')')
	f := strings.Fields(string(raw[bracket+1:]))
	if bracket < 0 || len(f) <= fieldStart {
		return Process{}, fmt.Errorf("proctab: /proc/%d/stat is not understood: %.80q", pid, raw)
	}
	var err error
	number := func(i int) uint64 {
		n, e := strconv.ParseInt(f[i], 10, 64)
		err = errors.Join(err, e)
		return uint64(n)
	}
	p := Process{
		PID: pid, Parent: int(number(fieldParent)), Session: int(number(fieldSession)), Start: number(fieldStart),
		// A process whose first thread alone has ended looks the same.
		zombie: (f[fieldState] == "Z" || f[fieldState] == "X") && number(fieldThreads) <= 1,
	}
	p.bare = len(f) > fieldEnviron+1 && f[fieldEnviron] == f[fieldEnviron+1] && number(fieldFlags)&kernelThread == 0
	for i := range 4 {
		p.CPU += time.Duration(number(fieldUser+i)) * tick
	}
	return p, err
}

func readProc(pid int, name string) ([]byte, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
	if err != nil && gone(err) {
		return nil, fmt.Errorf("proctab: process %d: %w", pid, fs.ErrNotExist)
	}
	return raw, err
}

// Variable returns what a variable of the environment was when the program
// began; "" where there is none, or where this process may not look. It is not
// settled where that could not be seen right now, since the process was just
// becoming another program: look again.
func Variable(pid int, name string) (value string, settled bool) {
	raw, err := readProc(pid, "environ")
	if err == nil && len(raw) == 0 || errors.Is(err, fs.ErrNotExist) {
		p, err := Read(pid) // kernels differ in how they say that there is none
		return "", err != nil || !p.bare || p.zombie
	}
	for entry := range bytes.SplitSeq(raw, []byte{0}) {
		if key, value, ok := bytes.Cut(entry, []byte{'='}); ok && string(key) == name {
			return string(value), true
		}
	}
	return "", true
}

// Boot names this run of the kernel and the namespace of its process numbers.
// "" is unknown.
func Boot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id)) + " " + space
}
