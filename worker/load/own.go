package load

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// Own is the part of the processors' time that this process used since the call
// before, whatever else the machine does.
func Own() Source {
	return newGrowth(readOwn, func(before, after float64, passed time.Duration) (float64, error) {
		return (after - before) / passed.Seconds() / float64(runtime.GOMAXPROCS(0)), nil
	})
}

// readOwn returns the processor time of this process, in seconds.
func readOwn(ctx context.Context) (float64, error) {
	times, err := (&process.Process{Pid: int32(os.Getpid())}).TimesWithContext(ctx)
	if err != nil {
		return 0, fmt.Errorf("load: reading this process's times: %w", err)
	}
	return times.User + times.System, nil
}
