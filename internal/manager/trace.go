package manager

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/muster-fleet/muster/internal/span"
	"github.com/muster-fleet/muster/internal/state"
)

// traced is a request whose spans are recorded when it is decided:
//
//	schedule                from its arrival to its answer
//	├─ wait                 in the inbox
//	├─ commit               until a majority of the managers has it
//	└─ decide               until it is applied, those before it in the batch included
type traced struct {
	sender   context.Context // with the sender's span
	method   string
	arrived  time.Time
	began    time.Duration // when it arrived, as Moment.Passed has it
	taken    time.Duration // out of the inbox
	recorded bool
}

// at turns a Moment's Passed into the machine's time.
func (t *traced) at(passed time.Duration) time.Time { return t.arrived.Add(passed - t.began) }

// beginsTrace are the methods that are recorded also if their sender records nothing.
var beginsTrace = map[string]bool{"schedule": true, "scheduleMany": true}

// carryOut carries out a request in this step.
func (c *core) carryOut(it item) {
	if it.traced != nil {
		it.traced.taken = c.out.now().Passed
		c.tracing = it.traced
		defer func() { c.tracing = nil }()
	}
	c.guard(it.req, "act", func() { it.act(c, it.req) })
}

// decided records the spans of a request, but for the end of the first, which end
// records. id is that of the trace, "" where it is not sampled. A request that
// proposes several changes is recorded with the first.
func (c *core) decided(t *traced, op state.Op, result state.Result, err error) (id string, end func()) {
	if t == nil || t.recorded {
		return "", func() {}
	}
	t.recorded = true
	ctx, whole := c.opts.Tracer.Start(t.sender, t.method, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(t.arrived))
	if !whole.IsRecording() {
		return "", func() {}
	}
	committed := max(c.at.Passed, t.taken) // when the step began
	c.part(ctx, "wait", t.arrived, t.at(t.taken))
	c.part(ctx, "commit", t.at(t.taken), t.at(committed))
	c.part(ctx, "decide", t.at(committed), t.at(c.out.now().Passed))
	describe(ctx, op, result)
	if err == nil {
		err = result.Err
	}
	return whole.SpanContext().TraceID().String(), func() { span.End(whole, err) }
}

func (c *core) part(ctx context.Context, name string, from, to time.Time) {
	_, s := c.opts.Tracer.Start(ctx, name, trace.WithTimestamp(from))
	s.End(trace.WithTimestamp(to))
}

// describe says what was asked and decided.
func describe(ctx context.Context, op state.Op, result state.Result) {
	switch op := op.(type) {
	case state.Schedule:
		span.Set(ctx, span.Purpose, op.Purpose, span.Task, op.Task, span.Worker, result.Worker)
	case state.ClaimTask:
		span.Set(ctx, span.Task, op.Task, span.Worker, op.Worker)
	}
	if result.Placement != 0 {
		span.Set(ctx, span.Placement, strconv.FormatUint(result.Placement, 10))
	}
}
