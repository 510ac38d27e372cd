package agent

import (
	"context"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
)

// mostLog is how many bytes one answer to readLog has at most. As JSON they
// are up to six times as many, and a message of the queue has its limits.
const mostLog = 128 << 10

// readLog reads files, which may take a while: it has a goroutine of its own.
func (a *Agent) readLog(_ context.Context, _ *worker.Worker, r *bus.Request) {
	var q muster.LogQuery
	if err := worker.Decode(r.Args, &q); err != nil {
		r.Fail(err.Error())
		return
	}
	if a.opts.ReadLog == nil {
		r.Refuse(reasonNotFound)
		return
	}
	if q.Limit <= 0 || q.Limit > mostLog {
		q.Limit = mostLog
	}
	a.owner.do(func(*pool, time.Time) { a.helpers.Go(func() { a.answerLog(r, q) }) })
}

func (a *Agent) answerLog(r *bus.Request, q muster.LogQuery) {
	part, err := a.opts.ReadLog(q.Node, q.Offset, q.Limit)
	if err != nil {
		r.RefuseDetail(reasonNotFound, refusal{Node: q.Node, Error: err.Error()})
		return
	}
	r.Reply(muster.LogPart{Data: string(part.Data), Offset: part.Offset, Next: part.Next, Ended: part.Ended})
}
