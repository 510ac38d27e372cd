package load

import (
	"context"
	"fmt"
	"os"

	"github.com/shirou/gopsutil/v4/process"
)

// Processes is the number of processes that this one has started and that
// still run, as a part of limit, which must be positive. It is the load of a
// worker that gives every task a process.
func Processes(limit int) Source {
	return sourceFunc(func(ctx context.Context) (float64, error) {
		if limit <= 0 {
			return 0, fmt.Errorf("load: Processes: limit must be positive, not %d", limit)
		}
		children, err := (&process.Process{Pid: int32(os.Getpid())}).ChildrenWithContext(ctx)
		if err != nil {
			return 0, fmt.Errorf("load: counting processes: %w", err)
		}
		return clamp(float64(len(children)) / float64(limit))
	})
}
