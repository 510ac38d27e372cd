package process

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/muster-fleet/muster/worker/load"
)

// Load is the part of the machine's processors that the host's nodes use, with
// all that they started, since the call before; the first call says 0. Time
// that a process has used is known as long as it lives, or its parent waits
// for it; what is used by processes without a waiting parent, between two calls,
// goes unseen where there are no control groups.
func (h *Host) Load() load.Source { return &usage{host: h, last: map[string]time.Duration{}} }

// usage compares the processor time of nodes from call to call.
type usage struct {
	host *Host

	mu   sync.Mutex
	at   time.Time
	last map[string]time.Duration // by mark
	load float64
}

// shortestUsage is the least time that says anything: the kernel counts in
// steps of 10 ms.
const shortestUsage = 50 * time.Millisecond

// Load implements load.Source.
func (u *usage) Load(ctx context.Context) (float64, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	passed := time.Since(u.at)
	if !u.at.IsZero() && passed < shortestUsage {
		return u.load, nil
	}
	now, err := u.host.used()
	if err != nil {
		return 0, fmt.Errorf("process: processor time of nodes: %w", err)
	}
	if !u.at.IsZero() {
		u.load = share(u.last, now, passed, runtime.NumCPU())
	}
	u.at, u.last = time.Now(), now
	return u.load, nil
}

// share is how much of so many processors was used. A node whose count went
// down has lost a process, and what that had used with it.
func share(before, after map[string]time.Duration, passed time.Duration, processors int) float64 {
	var grown time.Duration
	for mark, used := range after {
		grown += max(0, used-before[mark])
	}
	return min(1, float64(grown)/(float64(passed)*float64(processors)))
}
