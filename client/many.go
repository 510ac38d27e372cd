package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/span"
)

// Outcome is the answer for one task of ScheduleMany.
type Outcome struct {
	// Placement is where the task is; its Worker is "" where Err is set. Info is
	// nil where the infos of all workers together were too long for an answer:
	// Worker has it.
	muster.Placement
	// Explanation says how the task was placed, where ExplainMany asked for it.
	Explanation *muster.Explanation
	// Err is why the task was not placed, as Schedule returns it.
	Err error
}

// callBytes is how many bytes of tasks go into one call, at most, beside the
// first one: well below muster.MaxBody, and what one slow call delays.
const callBytes = 256 << 10

// ScheduleMany asks for workers for several tasks of any purposes, and answers
// for each of them in their order as Schedule would; one that is refused does
// not hold the others back. It costs a fraction of as many single calls, since
// calls cost more than decisions.
//
// The tasks go out in calls of up to muster.MaxScheduleMany, one after the
// other. The error is that of the first call that failed as a whole, and is that
// of each task in it, too: it may be repeated, as Schedule may. OWT's own
// manager, and a manager of Muster before this method, refuse it with
// ErrUnsupported.
func (c *Client) ScheduleMany(ctx context.Context, requests []Request) ([]Outcome, error) {
	return c.scheduleMany(ctx, requests, refusals)
}

// ExplainMany is ScheduleMany that also asks how each task was placed. It costs
// the manager and the queue a multiple of it; where the explanations together
// are too long for an answer, those of the later tasks are left out, and Why has
// them.
func (c *Client) ExplainMany(ctx context.Context, requests []Request) ([]Outcome, error) {
	return c.scheduleMany(ctx, requests, everything)
}

// What scheduleMany is to explain.
var (
	refusals   = json.RawMessage(`{"explain":"refusal"}`)
	everything = json.RawMessage(`{"explain":true}`)
)

func (c *Client) scheduleMany(ctx context.Context, requests []Request, explain json.RawMessage) ([]Outcome, error) {
	outcomes := make([]Outcome, len(requests))
	var failed error
	ctx, end := span.Below(ctx, span.Client, "scheduleMany")
	defer func() { end(failed) }()
	batch := batch{}
	send := func() {
		if len(batch.at) == 0 {
			return
		}
		err := c.sendBatch(ctx, batch, explain, outcomes)
		for _, i := range batch.at {
			if err != nil {
				outcomes[i].Err = err
			}
		}
		if failed == nil {
			failed = err
		}
		batch.reset()
	}
	for i, r := range requests {
		outcomes[i].Purpose, outcomes[i].Task = r.Purpose, r.Task
		preference, err := c.preference(r)
		if err != nil {
			outcomes[i].Err = err
			continue
		}
		batch.add(i, &r, preference)
		if len(batch.at) == muster.MaxScheduleMany || len(batch.tasks) >= callBytes {
			send()
		}
	}
	send()
	return outcomes, failed
}

// batch is the tasks of one call.
type batch struct {
	tasks []byte // a JSON array, without its end
	at    []int  // of each task, its place among all requests
}

func (b *batch) reset() { b.tasks, b.at = b.tasks[:0], b.at[:0] }

// add writes a request that is right.
func (b *batch) add(i int, r *Request, preference json.RawMessage) {
	b.at = append(b.at, i)
	lead := byte(',')
	if len(b.tasks) == 0 {
		lead = '['
	}
	b.tasks = append(b.tasks, lead)
	b.tasks = gjson.AppendJSONString(append(b.tasks, `{"purpose":`...), r.Purpose)
	b.tasks = gjson.AppendJSONString(append(b.tasks, `,"task":`...), r.Task)
	b.tasks = append(append(b.tasks, `,"preference":`...), preference...)
	if r.Reserve > 0 {
		b.tasks = strconv.AppendInt(append(b.tasks, `,"reserveTime":`...), r.Reserve.Milliseconds(), 10)
	}
	b.tasks = append(b.tasks, '}')
}

// sendBatch makes one call, and reads its answers.
func (c *Client) sendBatch(ctx context.Context, b batch, explain json.RawMessage, outcomes []Outcome) error {
	raw, err := c.persist(ctx, "scheduleMany", []any{json.RawMessage(append(b.tasks, ']')), explain})
	if err != nil {
		return fmt.Errorf("client: scheduleMany: %w", err)
	}
	answer := gjson.ParseBytes(raw)
	workers := map[string]placedOn{}
	answer.Get("workers").ForEach(func(id, info gjson.Result) bool {
		workers[id.Str] = placedOn{strings.Clone(id.Str), json.RawMessage(info.Raw)}
		return true
	})
	n := 0
	answer.Get("tasks").ForEach(func(_, task gjson.Result) bool {
		if n < len(b.at) {
			outcomes[b.at[n]].read(task, workers)
		}
		n++
		return true
	})
	if n != len(b.at) {
		return fmt.Errorf("client: scheduleMany: %d answers for %d tasks", n, len(b.at))
	}
	return nil
}

var errNoAnswer = errors.New("client: scheduleMany: the manager's answer for the task has neither a worker nor an error")

// placedOn is a worker of an answer, apart from the answer: a placement that is
// kept must not keep all of it.
type placedOn struct {
	id   string
	info json.RawMessage
}

// read takes what the manager says of the task.
func (o *Outcome) read(task gjson.Result, workers map[string]placedOn) {
	var refusal bus.Reply
	task.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id":
			if w, ok := workers[value.Str]; ok {
				o.Worker, o.Info = w.id, w.info
			} else {
				o.Worker = strings.Clone(value.Str)
			}
		case "placement":
			o.Number = value.Uint()
		case "error":
			refusal.Failed, refusal.Err = true, strings.Clone(value.Str)
		case "code":
			refusal.Code = muster.Code(strings.Clone(value.Str))
		case "explanation":
			o.Explanation = new(muster.Explanation)
			if json.Unmarshal([]byte(value.Raw), o.Explanation) != nil {
				o.Explanation = nil
			}
			refusal.Detail = json.RawMessage(value.Raw)
		}
		return true
	})
	switch {
	case refusal.Failed:
		o.Err = fmt.Errorf("client: scheduleMany: %w", noWorker(refusal.Refusal(), o.Purpose))
	case o.Worker == "":
		o.Err = errNoAnswer
	}
}
