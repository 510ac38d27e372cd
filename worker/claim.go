package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/span"
)

// claimPause is the time between two tries to reach a manager with a claim.
const claimPause = 50 * time.Millisecond

// Claim asks the manager whether this worker may start a task, and is to be
// called before the work begins. placement is the number that the caller was
// given with the worker (muster.TaskOrder), 0 where it has none. When Claim
// returns nil the task is one of Tasks and must be started; to be laid down it
// needs RemoveTask as after AddTask. Any error means that it must not be:
// muster.ReasonPlacementOver for a caller who comes too late,
// muster.ReasonTaskElsewhere, muster.ReasonNoSlot, muster.ReasonReplaced; or,
// where no manager answered within ctx, that of the last try.
//
// A claim may be repeated. A manager of OWT's cannot be asked; then Claim is
// AddTask.
func (w *Worker) Claim(ctx context.Context, task string, placement uint64) (err error) {
	ctx, end := span.Below(ctx, span.Client, "claimTask", span.Task, task, span.Worker, w.opts.ID)
	defer func() { end(err) }()
	var ends int
	w.do(func(m *machine) { ends = m.beginClaim(task) })
	for {
		o := w.tryClaim(ctx, task, placement)
		w.do(func(m *machine) { o, ends = m.tried(task, ends, o) })
		if !o.retry {
			return o.err
		}
		if !pause.For(ctx, claimPause) {
			w.do(func(m *machine) { m.endClaim(task, o) })
			return o.err
		}
	}
}

func (w *Worker) tryClaim(ctx context.Context, task string, placement uint64) claimOutcome {
	call, cancel := context.WithTimeout(ctx, w.opts.CallTimeout)
	defer cancel()
	raw, err := w.conn.Call(call, w.opts.Cluster, "claimTask", w.claimArgs(task, placement)...)
	return outcomeOf(raw, err)
}

// claimArg is the second argument of claimTask.
type claimArg struct {
	Task        string `json:"task"`
	Placement   uint64 `json:"placement,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
}

func (w *Worker) claimArgs(task string, placement uint64) []any {
	return []any{w.opts.ID, claimArg{task, placement, w.machine.incarnation}}
}

// claimOutcome is what came of a try to claim.
type claimOutcome struct {
	number uint64
	// plain: the manager does not know claims.
	plain bool
	// refused: the answer is final. retry: there is none yet.
	refused, retry bool
	err            error
}

// claimRefusals are final.
var claimRefusals = []muster.Code{
	muster.CodePlacementOver, muster.CodeTaskElsewhere, muster.CodeNoSlot, muster.CodeReplaced,
}

func outcomeOf(raw json.RawMessage, err error) claimOutcome {
	var refused muster.Reason
	switch {
	case err == nil:
		var answer struct{ Placement uint64 }
		if err := json.Unmarshal(raw, &answer); err != nil {
			return claimOutcome{err: fmt.Errorf("worker: the answer to claimTask: %w", err)}
		}
		return claimOutcome{number: answer.Placement}
	case unsupported(err):
		return claimOutcome{plain: true}
	case errors.As(err, &refused) && slices.Contains(claimRefusals, refused.Code):
		return claimOutcome{refused: true, err: refused}
	case errors.Is(err, bus.ErrClosed):
		return claimOutcome{err: err}
	}
	return claimOutcome{retry: true, err: fmt.Errorf("worker: the manager cannot be asked for the task: %w", err)}
}

// beginClaim keeps the comparison of tasks from laying down what is being
// claimed. It returns how often the task has ended, which tried compares.
func (m *machine) beginClaim(task string) (ends int) {
	if m.claims == nil {
		m.claims, m.ends = map[string]int{}, map[string]int{}
	}
	m.claims[task]++
	m.changes++
	return m.ends[task]
}

// endedMeanwhile is a task that ended. A claim of it that is under way may have
// been answered before that.
func (m *machine) endedMeanwhile(task string) {
	if m.claims[task] > 0 {
		m.ends[task]++
	}
}

var (
	errEnded   = errors.New("worker: the task ended while it was claimed")
	errEndings = errors.New("worker: tasks that were dropped have not ended")
)

// tried is one try of a claim: its outcome ends the claim, unless another try is
// needed. The manager's word is old where the task ended since the try began,
// and there is no room while tasks that were dropped still run.
func (m *machine) tried(task string, ends int, o claimOutcome) (claimOutcome, int) {
	now := m.ends[task]
	granted := o.err == nil && !o.plain
	switch {
	case granted && now != ends:
		o = claimOutcome{retry: true, err: errEnded}
	case granted && m.isFull(task) && m.dropping > 0:
		o = claimOutcome{retry: true, err: errEndings}
	case granted && m.isFull(task):
		o = claimOutcome{number: o.number, err: muster.ReasonNoSlot}
	}
	if !o.retry {
		m.endClaim(task, o)
	}
	return o, now
}

// isFull reports whether there is no slot for a task that is not here yet. The
// manager counts by what it has heard, which may be less.
func (m *machine) isFull(task string) bool {
	return m.maxTasks > 0 && !slices.Contains(m.tasks, task) && len(m.tasks)+m.dropping >= m.maxTasks
}

// endClaim is what came of the last try. A claim without an answer may have been
// carried out, or may yet be: the next look at the tasks lays it down, by the
// number that it has then.
func (m *machine) endClaim(task string, o claimOutcome) {
	m.changes++
	if m.claims[task]--; m.claims[task] <= 0 {
		delete(m.claims, task)
		delete(m.ends, task)
	}
	switch {
	case o.plain:
		m.add([]string{task})
	case o.err == nil:
		m.claimed(task, o.number)
	case errors.Is(o.err, muster.ReasonReplaced):
		m.replaced()
	case errors.Is(o.err, muster.ReasonNoSlot) && !o.refused: // granted, but there is no room
		m.say("layDownTask", task, o.number)
		m.say("unschedule", task, o.number)
	case !o.refused:
		m.checkSoon = true
	}
}

// claimed is a task that the manager counts as picked up.
func (m *machine) claimed(task string, number uint64) {
	m.number(task, number)
	if slices.Contains(m.tasks, task) {
		return
	}
	m.tasks = append(m.tasks, task)
	m.unackedReports.cancel(task)
	m.report.due = true
}

// number keeps the number of a task's last claim. Numbers rise, and answers may
// overtake each other.
func (m *machine) number(task string, number uint64) {
	if m.numbers == nil {
		m.numbers = map[string]uint64{}
	}
	m.numbers[task] = max(m.numbers[task], number)
}

// tellTasks reports tasks that run here to the manager.
func (m *machine) tellTasks(tasks []string) {
	for part := range slices.Chunk(tasks, tasksAtOnce) {
		args := []any{slices.Clone(part)}
		if numbers := m.numbersOf(part); numbers != nil {
			args = append(args, numbers)
		}
		m.tell("pickUpTasks", args...)
	}
	m.checkSoon = m.checkSoon || len(tasks) > 0
}

// numbersOf returns the numbers of tasks, nil where none is known.
func (m *machine) numbersOf(tasks []string) []uint64 {
	numbers := make([]uint64, len(tasks))
	known := false
	for i, t := range tasks {
		numbers[i] = m.numbers[t]
		known = known || numbers[i] != 0
	}
	if !known {
		return nil
	}
	return numbers
}

// replaced ends this worker: a later process has its id.
func (m *machine) replaced() {
	if m.phase == ended {
		return
	}
	if len(m.tasks) > 0 {
		m.dropped(m.tasks)
	}
	m.tasks, m.numbers, m.pickups, m.unackedReports = nil, nil, unackedReports{}, unackedReports{}
	m.changes++
	m.member = false
	m.end(ErrReplaced)
}
