package manager

import (
	"encoding/json"

	"github.com/muster-fleet/muster"
)

// orderEvent is an event of what an operator did, as it is published, or any other.
func orderEvent(e muster.Event) muster.FeedEvent {
	switch e := e.(type) {
	case muster.WorkerDrained:
		if e.Drain == 0 {
			return muster.FeedEvent{Type: muster.FeedWorkerFreed, Worker: e.Worker}
		}
		return muster.FeedEvent{Type: muster.FeedWorkerDrained, Worker: e.Worker, Drain: e.Drain}
	case muster.WorkerCordoned:
		if !e.Cordoned {
			return muster.FeedEvent{Type: muster.FeedWorkerOpened, Worker: e.Worker}
		}
		return muster.FeedEvent{Type: muster.FeedWorkerCordoned, Worker: e.Worker}
	case muster.DrainOrdered:
		return muster.FeedEvent{Type: muster.FeedDrainBegan, Drain: e.Drain, Reason: e.Order.Selector.String(), Until: e.Deadline}
	case muster.DrainOverdue:
		return muster.FeedEvent{Type: muster.FeedDrainOverdue, Drain: e.Drain}
	case muster.DrainEmptied:
		return muster.FeedEvent{Type: muster.FeedDrainEmpty, Drain: e.Drain}
	case muster.DrainEnded:
		return muster.FeedEvent{Type: muster.FeedDrainEnded, Drain: e.Drain, State: string(e.State)}
	case muster.StrategyChanged:
		return muster.FeedEvent{Type: muster.FeedStrategy, Purpose: e.Purpose, State: string(e.Strategy)}
	case muster.DebitChanged:
		return muster.FeedEvent{Type: muster.FeedDebit, State: e.Mode}
	case muster.Audited:
		detail, _ := json.Marshal(e.Entry) // nil if it has no JSON
		return muster.FeedEvent{Type: muster.FeedOrder, Detail: detail}
	}
	detail, _ := json.Marshal(e)
	return muster.FeedEvent{Type: muster.FeedOther, Detail: detail}
}
