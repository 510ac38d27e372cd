package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"
)

// controllers are what limits need.
const controllers = "+memory +cpu"

// leaf is the group that this process moves to (see Delegate).
const leaf = "muster"

// Delegate lets the groups within sub, a group within g, have limits. g must be
// that of this process. The kernel allows that only where no process is in g
// itself ("no internal processes"); where this one is alone there, it moves to
// a group of its own.
func (g Group) Delegate(sub Group) error {
	err := g.write("cgroup.subtree_control", controllers)
	if errors.Is(err, syscall.EBUSY) {
		if err = g.stepDown(); err == nil {
			err = g.write("cgroup.subtree_control", controllers)
		}
	}
	if err != nil {
		return err
	}
	return sub.write("cgroup.subtree_control", controllers)
}

func (g Group) stepDown() error {
	self := os.Getpid()
	for _, pid := range g.Processes() {
		if pid != self {
			return fmt.Errorf("cgroup: %s has other processes beside this one (%d): run the agent as a service of its own, with delegation (systemd: Delegate=yes)", g.dir, pid)
		}
	}
	down, err := g.Make(leaf)
	if err != nil {
		return err
	}
	return down.write("cgroup.procs", strconv.Itoa(self))
}

// period is that of processor time: the kernel's own default.
const period = 100_000 // microseconds

// Limit bounds the memory and the processors that all of g may use. Zero is no
// limit.
func (g Group) Limit(memoryBytes int64, cpus float64) error {
	if memoryBytes > 0 {
		if err := g.write("memory.max", strconv.FormatInt(memoryBytes, 10)); err != nil {
			return err
		}
		// One process of it gone is the node broken: the kernel kills all.
		if err := g.write("memory.oom.group", "1"); err != nil {
			return err
		}
	}
	if cpus > 0 {
		// The kernel refuses less than a millisecond.
		quota := max(1000, int64(math.Round(cpus*period)))
		return g.write("cpu.max", fmt.Sprintf("%d %d", quota, period))
	}
	return nil
}
