package roombench

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// usageOf is what a process has used: the kernel's clock of its processor time,
// which is exact where /proc counts hundredths of a second, and its resident
// memory.
func usageOf(pid int) (usage, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|processClock), &ts); err != nil {
		return usage{}, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return usage{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(text), &total, &resident); err != nil {
		return usage{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return usage{cpu: time.Duration(ts.Nano()), memory: resident * int64(os.Getpagesize())}, nil
}

// processClock marks the clock of a process among those of clock_gettime
// (CPUCLOCK_SCHED).
const processClock = 2
