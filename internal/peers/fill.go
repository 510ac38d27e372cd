package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// FillOptions configure Fill.
type FillOptions struct {
	// Muster and NATS are as in Options.
	Muster string
	NATS   []string
	// Managers is how many there are, Workers how many workers they have.
	Managers, Workers int
	// Tasks are placed in each of Fills, Inflight calls at a time. Each fill has new
	// managers.
	Tasks, Inflight, Fills int
}

// DefaultFillOptions are one fill of a million tasks.
func DefaultFillOptions() FillOptions {
	return FillOptions{Managers: 3, Workers: 10_000, Tasks: 1_000_000, Inflight: 256, Fills: 1}
}

// Validate returns an error that names the invalid option.
func (o FillOptions) Validate() error {
	if o.Managers < 1 || o.Workers < 1 || o.Tasks < 1 || o.Inflight < 1 || o.Fills < 1 {
		return errors.New("peers: managers, workers, tasks, inflight and fills must be at least 1")
	}
	return nil
}

// FillResult is one fill.
type FillResult struct {
	Fill    int           `json:"fill"`
	Took    time.Duration `json:"took_ns"`
	Failed  int           `json:"failed"`
	Managed int           `json:"managers"`
	// Elections is how many terms began meanwhile.
	Elections uint64 `json:"elections"`
	// Leader and Follower are bytes a task of resident memory, at the end; Follower
	// is the largest, 0 where there is none. LeaderPeak is the leader's highest.
	Leader     int64 `json:"leader_bytes"`
	LeaderPeak int64 `json:"leader_peak_bytes"`
	Follower   int64 `json:"follower_bytes"`
}

// Fill places tasks that stay, and says how much memory the managers take and
// whether the leader changed by load alone. done is called after each fill.
func Fill(ctx context.Context, o FillOptions, done func(FillResult)) error {
	if err := o.Validate(); err != nil {
		return err
	}
	for fill := range o.Fills {
		r, err := fillOnce(ctx, o)
		if err != nil {
			return fmt.Errorf("peers: fill %d: %w", fill+1, err)
		}
		r.Fill = fill + 1
		done(r)
	}
	return nil
}

func fillOnce(ctx context.Context, o FillOptions) (FillResult, error) {
	c, err := startMuster(ctx, Options{Muster: o.Muster, NATS: o.NATS, Workers: o.Workers}, o.Managers)
	if err != nil {
		return FillResult{}, err
	}
	defer c.close()
	f := c.(*fleet)
	_, before, err := f.standing(ctx)
	if err != nil {
		return FillResult{}, err
	}
	start := time.Now()
	failed := f.place(ctx, o)
	r := FillResult{Took: time.Since(start), Failed: failed, Managed: o.Managers}
	leader, term, err := f.standing(ctx)
	if err != nil {
		return r, err
	}
	r.Elections = term - before
	for _, m := range f.managed.Managers() {
		now, peak, err := residentBytes(m.Process.PID)
		if err != nil {
			return r, err
		}
		if m.Process.PID == leader {
			r.Leader, r.LeaderPeak = now/int64(o.Tasks), peak/int64(o.Tasks)
		} else {
			r.Follower = max(r.Follower, now/int64(o.Tasks))
		}
	}
	return r, nil
}

// place places the tasks, and returns how many calls failed.
func (f *fleet) place(ctx context.Context, o FillOptions) int {
	var next, failed atomic.Int64
	var lanes sync.WaitGroup
	for range o.Inflight {
		lanes.Go(func() {
			for n := next.Add(1); n <= int64(o.Tasks) && ctx.Err() == nil; n = next.Add(1) {
				_, err := f.clients[0].Schedule(ctx, client.Request{
					Purpose: testbed.Purpose, Task: fmt.Sprintf("5f0c2a8e-room-%08d", n), ISP: "isp-0", Region: "region-0", Reserve: 24 * time.Hour,
				})
				if err != nil {
					failed.Add(1)
				}
			}
		})
	}
	lanes.Wait()
	return int(failed.Load())
}

// standing returns the leader's process and its term.
func (f *fleet) standing(ctx context.Context) (pid int, term uint64, err error) {
	if all := f.managed.Managers(); len(all) == 1 {
		return all[0].Process.PID, 0, nil
	}
	leader, err := f.managed.AwaitLeader(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	members, err := f.managed.Members(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range members {
		term = max(term, m.Term)
	}
	return leader.Process.PID, term, nil
}

// residentBytes returns the resident memory of a process, and the most it was.
func residentBytes(pid int) (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("memory of a manager: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &now)
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	return now << 10, peak << 10, nil
}
