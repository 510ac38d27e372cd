package load

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// Memory is the part of the memory that is not available to programs; caches
// that can be given back count as available. In a cgroup with a memory limit
// it is the worse of the machine's and of the cgroup's.
func Memory() Source {
	machine := sourceFunc(machineMemory)
	limit, ok := findCgroup(systemRoot).memoryLimit()
	if !ok {
		return machine
	}
	return Worst(machine, sourceFunc(limit.load))
}

func machineMemory(ctx context.Context) (float64, error) {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return 0, fmt.Errorf("load: reading memory: %w", err)
	}
	if m.Total == 0 {
		return 0, fmt.Errorf("load: the system reports no memory size")
	}
	return clamp(1 - float64(m.Available)/float64(m.Total))
}

// Disk is the part of the file system of path that is in use.
func Disk(path string) Source {
	return sourceFunc(func(ctx context.Context) (float64, error) {
		use, err := disk.UsageWithContext(ctx, path)
		if err != nil {
			return 0, fmt.Errorf("load: file system of %q: %w", path, err)
		}
		return clamp(use.UsedPercent / 100)
	})
}
