package agent

import (
	"context"

	"github.com/muster-fleet/muster/bus"
)

// TaskNotice reports that a task started or ended. It is published on
// bus.TopicTasks, under the keys "<purpose>.started", "<purpose>.done" and
// "<purpose>.failed".
type TaskNotice struct {
	Task    string `json:"task"`
	Room    string `json:"room"`
	Node    string `json:"node"`
	Worker  string `json:"worker"`
	Purpose string `json:"purpose"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
}

// publish is the goroutine that publishes notices in order, so that a slow
// message queue delays nothing else.
func (a *Agent) publish(ctx context.Context) {
	a.news.Ready().Follow(ctx, func() {
		for _, tell := range a.news.Take() {
			tell(ctx)
		}
	})
}

// tellAbnormal reports that a node crashed, as OWT's agents do.
func (a *Agent) tellAbnormal(crash abnormal) {
	a.log.Warn("node crashed", "node", crash.node, "err", crash.err)
	exit := bus.Exit{
		Reason:  "abnormal",
		Message: bus.ExitMessage{Purpose: a.opts.Worker.Purpose, ID: crash.node, Type: "node"},
	}
	a.tell("exit.abnormal", func(ctx context.Context) error { return bus.PublishExit(ctx, a.conn, exit) })
}

func (a *Agent) tellTask(n notice) {
	a.log.Debug("task", "notice", n.key, "task", n.body.Task, "node", n.body.Node, "err", n.body.Error)
	a.tell(n.key, func(ctx context.Context) error { return a.conn.Publish(ctx, bus.TopicTasks, n.key, n.body) })
}

// tell publishes a notice after the report to the manager: a subscriber that
// asks the manager then finds it up to date.
func (a *Agent) tell(key string, publish func(context.Context) error) {
	notice := func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, quitTime)
		defer cancel()
		if err := publish(ctx); err != nil {
			a.log.Warn("notice not published", "key", key, "err", err)
		}
	}
	a.worker.AfterReports(func() { a.news.Put(notice) })
}
