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
		return muster.FeedEvent{Type: muster.FeedOrder, Detail: detailOf(e.Entry)}
	}
	return muster.FeedEvent{Type: muster.FeedOther, Detail: detailOf(e)}
}

// detailOf is v as JSON, nil if it has none.
func detailOf(v any) json.RawMessage {
	detail, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return detail
}
