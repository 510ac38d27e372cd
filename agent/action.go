package agent

import (
	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
)

// action is something that the pool wants done. The concrete types follow.
type action any

type (
	// launch starts a node; nodeReady, nodeGone and notLaunched tell what comes
	// of it.
	launch struct{ spec process.Spec }
	// stop ends a node; kill: at once. nodeGone follows.
	stop struct {
		node string
		kill bool
	}
	// answer and refuse end a request. node and err say more of why.
	answer struct {
		ref  uint64
		text string
	}
	refuse struct {
		ref    uint64
		reason muster.Reason
		node   string
		err    error
	}
	// What the manager is to hear.
	pickUp  struct{ task string }
	layDown struct{ task string }
	reject  struct{ task string }
	report  struct{ available bool }
	// What is published: a node that crashed, and what happens to a task.
	abnormal struct {
		node string
		err  error
	}
	notice struct {
		key  string
		body TaskNotice
	}
)

func (p *pool) emit(a ...action) { p.actions = append(p.actions, a...) }

// take hands the actions over.
func (p *pool) take() []action {
	actions := p.actions
	p.actions = nil
	return actions
}
