package agent

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/worker"
)

// The defaults of Options.
const (
	DefaultReadyTimeout = 10 * time.Second
	// DefaultAnswerWithin is OWT's. Its callers give up after 2 s.
	DefaultAnswerWithin = 1500 * time.Millisecond
	DefaultStopGrace    = 5 * time.Second
)

// Options are what an agent is. Worker.Purpose and Launcher are required; the
// zero value of every other field means its default.
type Options struct {
	// Worker is the member of the cluster that the agent is. Its Handlers and
	// callbacks are kept; Handlers must not have the names of the agent's own
	// methods.
	Worker worker.Options
	// Policy says how many nodes there are; zero is DefaultPolicy(purpose).
	Policy Policy
	// Launcher starts the nodes.
	Launcher process.Launcher

	// Slots bound how many tasks of a sort there are at once, within
	// Worker.MaxTasks: Slots[SlotOf(spec)], where it is there. A task for which there
	// is none is refused like one for which the agent has no place.
	Slots map[string]int
	// SlotOf is the sort of a task. It must not block. Nil gives all the sort "".
	SlotOf func(spec json.RawMessage) string

	// ReadyTimeout is how long a node may take to become ready. One that takes
	// longer has failed and is killed.
	ReadyTimeout time.Duration
	// AnswerWithin is how long getNode waits for a node to become ready, or
	// for a place, before it is refused. Longer than the callers wait leaves
	// tasks behind that no caller knows of.
	AnswerWithin time.Duration
	// StopGrace is how long a node has to end by itself when it is stopped.
	StopGrace time.Duration

	// ReadLog reads what a node has printed, as process.Host's ReadLog does;
	// nil means that there is nothing to read. It is called from several
	// goroutines at once.
	ReadLog func(node string, offset int64, limit int) (process.LogChunk, error)

	// Ended are tasks that ended before the agent began, the oldest first: it
	// answers for them as for its own.
	Ended []muster.TaskReport
	// OnEnded hears of each task that has ended. It must not block.
	OnEnded func(muster.TaskReport)

	// Seed makes the jitter of the back-off; 0 takes one at random.
	Seed uint64
	// Logger hears of nodes and tasks. Nil means none.
	Logger *slog.Logger
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	if o.Policy == (Policy{}) {
		o.Policy = DefaultPolicy(o.Worker.Purpose)
	}
	o.ReadyTimeout = cmp.Or(o.ReadyTimeout, DefaultReadyTimeout)
	o.AnswerWithin = cmp.Or(o.AnswerWithin, DefaultAnswerWithin)
	o.StopGrace = cmp.Or(o.StopGrace, DefaultStopGrace)
	if o.SlotOf == nil {
		o.SlotOf = func(json.RawMessage) string { return "" }
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Worker.Logger = cmp.Or(o.Worker.Logger, o.Logger)
	return o
}

// Validate returns what is wrong, by the name of the field.
func (o Options) Validate() error {
	o = o.withDefaults()
	if o.Launcher == nil {
		return errors.New("agent: Launcher must be set; InProcess makes one of a function")
	}
	if err := o.Worker.Validate(); err != nil {
		return fmt.Errorf("agent: Worker: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Worker.Handlers)) {
		if slices.Contains(ownMethods, name) {
			return fmt.Errorf("agent: Worker.Handlers must not hold %q, which the agent answers itself", name)
		}
	}
	for sort, most := range o.Slots {
		if most < 1 {
			return fmt.Errorf("agent: Slots[%q] must be at least 1, not %d", sort, most)
		}
	}
	return errors.Join(o.Policy.Validate(), o.validateTimes())
}

func (o Options) validateTimes() error {
	times := []struct {
		field string
		value time.Duration
	}{{"ReadyTimeout", o.ReadyTimeout}, {"AnswerWithin", o.AnswerWithin}, {"StopGrace", o.StopGrace}}
	for _, t := range times {
		if t.value < 0 {
			return fmt.Errorf("agent: %s must be positive, not %v", t.field, t.value)
		}
	}
	return nil
}
