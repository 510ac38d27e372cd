package agent

import (
	"context"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
)

// mostLog is how many bytes one answer to readLog has at most. As JSON they
// are up to six times as many, and a message of the queue has its limits.
const mostLog = 128 << 10

// LogQuery is the argument of readLog.
type LogQuery struct {
	Node string `json:"node"`
	// Offset is where to read from; negative counts from the end.
	Offset int64 `json:"offset"`
	// Limit is the most bytes that are wanted; 0 is as many as there may be.
	Limit int `json:"limit"`
}

// LogAnswer is the answer to readLog.
type LogAnswer struct {
	Data string `json:"data"`
	// Offset is where Data begins, Next where to read on.
	Offset int64 `json:"offset"`
	Next   int64 `json:"next"`
	// Ended: the node has ended, and there is nothing after Next.
	Ended bool `json:"ended"`
}

// readLog reads files, which may take a while: it has a goroutine of its own.
func (a *Agent) readLog(_ context.Context, _ *worker.Worker, r *bus.Request) {
	var q LogQuery
	if err := worker.Decode(r.Args, &q); err != nil {
		r.Fail(err.Error())
		return
	}
	if a.opts.ReadLog == nil {
		r.Fail(reasonNotFound)
		return
	}
	if q.Limit <= 0 || q.Limit > mostLog {
		q.Limit = mostLog
	}
	a.owner.do(func(*pool, time.Time) { a.helpers.Go(func() { a.answerLog(r, q) }) })
}

func (a *Agent) answerLog(r *bus.Request, q LogQuery) {
	part, err := a.opts.ReadLog(q.Node, q.Offset, q.Limit)
	if err != nil {
		r.FailDetail(reasonNotFound, refusal{Node: q.Node, Error: err.Error()})
		return
	}
	r.Reply(LogAnswer{Data: string(part.Data), Offset: part.Offset, Next: part.Next, Ended: part.Ended})
}
