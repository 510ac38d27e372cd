package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
)

// CPU is the part of the processors' time that was in use since the call
// before; the first call takes 200 ms. In a cgroup with a processor quota (a
// container, a systemd unit with CPUQuota) it is the worse of the machine's
// use and of the cgroup's use of its quota.
func CPU() Source {
	machine := newGrowth(readCPU, cpuLoad)
	quota, ok := findCgroup(systemRoot).cpuQuota()
	if !ok {
		return machine
	}
	return Worst(machine, newGrowth(quota.read, quota.load))
}

func newGrowth[T any](
	read func(context.Context) (T, error),
	load func(before, after T, passed time.Duration) (float64, error),
) *growth[T] {
	return &growth[T]{read: read, load: load, now: time.Now}
}

// cpuTime is processor time in seconds, of all processors together.
type cpuTime struct{ busy, total float64 }

func readCPU(ctx context.Context) (cpuTime, error) {
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return cpuTime{}, fmt.Errorf("load: reading processor times: %w", err)
	}
	if len(times) == 0 {
		return cpuTime{}, errors.New("load: the system reports no processor times")
	}
	t := times[0]
	// Guest time is part of User and Nice already.
	total := t.User + t.System + t.Idle + t.Nice + t.Iowait + t.Irq + t.Softirq + t.Steal
	return cpuTime{busy: total - t.Idle - t.Iowait, total: total}, nil
}

// cpuLoad is 0 where no time was counted: then nothing ran either.
func cpuLoad(before, after cpuTime, _ time.Duration) (float64, error) {
	total := after.total - before.total
	if total <= 0 {
		return 0, nil
	}
	return (after.busy - before.busy) / total, nil
}
