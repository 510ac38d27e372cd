package agent

import (
	"context"

	"github.com/muster-fleet/muster/bus"
)

// Agent is a worker that runs nodes. All methods may be called from several
// goroutines at once.
type Agent struct{ opts Options }

// Start joins the cluster as a worker, and starts the first idle nodes. ctx
// bounds the joining only; the agent lives until Close, or until the Conn is
// closed. Where Start fails nothing is left running.
func Start(ctx context.Context, conn bus.Conn, opts Options) (*Agent, error) { panic("being written") }

// ID is the worker's name, and that of its server on the bus.
func (a *Agent) ID() string { return a.opts.Worker.ID }

// Nodes lists the nodes, the oldest first.
func (a *Agent) Nodes() []NodeInfo { return nil }

// Drain takes no new tasks and waits until none is left. Those that still run
// when ctx is over are ended, and the error says how many. The agent stays a
// member, without tasks, until Close.
func (a *Agent) Drain(ctx context.Context) error { return nil }

// Close stops the nodes, leaves the cluster, and returns when nothing of the
// agent is left. Nodes that still run when ctx is over are killed. The Conn
// stays open. Close may be called again.
func (a *Agent) Close(ctx context.Context) error { return nil }

// Done is closed when the agent has ended: after Close, or because the Conn
// was closed.
func (a *Agent) Done() <-chan struct{} { return nil }

// Err is why the agent has ended, once Done is closed: worker.ErrQuit after
// Close, or an error that wraps bus.ErrClosed.
func (a *Agent) Err() error { return nil }
