// Package failover measures what callers notice when the leader fails: how long no
// call is answered, and whether anything is lost or duplicated. Managers run as
// separate processes, on a queue of their own.
package failover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/bench/testbed"
	"github.com/muster-fleet/muster/internal/systemtest/history"
)

// Fault is a fault that Run causes in the leader.
type Fault string

// The faults.
const (
	// FaultKill ends its process with SIGKILL; another process takes its place.
	FaultKill Fault = "kill"
	// FaultStop stops its process for a while with SIGSTOP.
	FaultStop Fault = "stop"
	// FaultCut cuts the leader off for a while from the other managers and from the
	// message queue.
	FaultCut Fault = "cut"
)

// Faults lists all faults.
var Faults = []Fault{FaultKill, FaultStop, FaultCut}

// Caller is the kind of caller during the faults.
type Caller string

// The callers.
const (
	// CallerOWT makes every call once, and waits 2 s for its answer, as an
	// unmodified program of OWT does.
	CallerOWT Caller = "owt"
	// CallerMuster is Muster's own client, which tries again.
	CallerMuster Caller = "muster"
)

// Options configure a run.
type Options struct {
	// Bus says which queue to measure on; see RPCOptions.
	Bus bus.Options
	// Program is the muster program that runs as manager, usually this one.
	Program string
	// Managers is how many managers there are, Workers how many simulated workers.
	Managers, Workers int
	// How is the kind of fault, Kills is how many there are.
	How   Fault
	Kills int
	// Pause is how long a leader stays stopped or cut off, or until another one
	// leads if that takes longer. If it is shorter than the callers' timeout, the
	// leader may still answer calls that it holds when it is back.
	Pause time.Duration
	// Rate is how many calls are made per second.
	Rate int
	// Caller makes them. Empty means OWT's on RabbitMQ, Muster's on NATS, where
	// there is no other.
	Caller Caller
	// Cluster is as in RPCOptions.
	Cluster string
	Seed    uint64
	// Logger logs lost connections. Nil means none.
	Logger *slog.Logger
	// Progress, if set, is called with the number of completed faults.
	Progress func(done, total int)
}

// DefaultOptions returns three managers on an embedded NATS server.
func DefaultOptions() Options {
	return Options{
		Bus: bus.Options{URL: testbed.EmbeddedNATS}, Managers: 3, Workers: 20,
		How: FaultKill, Kills: 10, Pause: 3 * time.Second, Rate: 500, Seed: 1,
	}
}

// Result is what Run measured.
type Result struct {
	// Bus is "nats" or "amqp".
	Bus      string `json:"bus"`
	How      Fault  `json:"how"`
	Caller   Caller `json:"caller"`
	Managers int    `json:"managers"`
	// Kills is how many faults there were.
	Kills int `json:"kills"`
	// A gap is the longest time from an answer to the next one around one
	// fault, in milliseconds. Without a fault it would be some 1000 ÷ rate.
	GapP50 float64 `json:"gap_ms_p50"`
	GapP99 float64 `json:"gap_ms_p99"`
	GapMax float64 `json:"gap_ms_max"`
	// Calls is how many calls there were. Lost is Unanswered, the calls that were
	// not answered within the caller's timeout, plus Forgotten, the answered
	// placements that are unknown in the end.
	Calls      int `json:"calls"`
	Lost       int `json:"lost"`
	Unanswered int `json:"unanswered"`
	Forgotten  int `json:"forgotten"`
	// Doubled is how many tasks had two workers during their reservation.
	Doubled int `json:"doubled"`
	// Refused is how many calls a manager refused instead of placing a task.
	Refused int `json:"refused"`
	// Problems has one example of each kind of the above.
	Problems []string `json:"problems,omitempty"`
	// Gaps are all gaps, in their order.
	Gaps []float64 `json:"gaps_ms"`
	// Interrupted is set if the run ended early.
	Interrupted bool `json:"interrupted,omitempty"`
}

func (o Options) withDefaults() Options {
	o.Cluster = cmp.Or(o.Cluster, fmt.Sprintf("muster-failover-%d", os.Getpid()))
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o
}

// Validate returns an error that names the invalid option.
func (o Options) Validate() error {
	switch {
	case o.Program == "":
		return errors.New("failover: program must name the muster that is run as manager")
	case o.Managers < 3:
		return errors.New("failover: managers must be at least 3: fewer go on without none")
	case o.Workers < 1:
		return errors.New("failover: workers must be at least 1")
	case o.Kills < 1:
		return errors.New("failover: kills must be at least 1")
	case o.Rate < 1 || o.Rate > 100_000:
		return errors.New("failover: rate must be from 1 to 100000 calls a second")
	case o.Pause < 0:
		return errors.New("failover: pause must not be negative")
	case !slices.Contains(Faults, o.How):
		return fmt.Errorf("failover: how must be one of %v, not %q", Faults, o.How)
	case o.Caller != "" && o.Caller != CallerOWT && o.Caller != CallerMuster:
		return fmt.Errorf("failover: caller must be %s or %s, not %q", CallerOWT, CallerMuster, o.Caller)
	}
	return nil
}

// Run starts managers as processes and a fleet that joins them, makes calls at a
// steady rate, and makes the leader fail repeatedly, each time after all managers
// have recovered. In the end it looks up every placement that was answered. If ctx
// ends, it returns what was measured so far.
func Run(ctx context.Context, o Options) (Result, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return Result{}, err
	}
	t, err := startTrial(ctx, o)
	if err != nil {
		return Result{}, err
	}
	defer t.close()
	t.load.Begin()
	failed := t.failAll(ctx)
	calls := t.load.End()
	result := t.measured(calls)
	if failed != nil && ctx.Err() == nil {
		return result, fmt.Errorf("failover: after %d faults: %w", len(t.faults), failed)
	}
	final, err := t.final(context.WithoutCancel(ctx), history.Placed(calls))
	if err != nil {
		return result, fmt.Errorf("failover: %w", err)
	}
	result.judge(history.Judge(calls, final))
	result.Interrupted = ctx.Err() != nil
	return result, nil
}
