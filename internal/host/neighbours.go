package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/replica/owt"
)

const (
	// listenTime is how long a manager that starts listens for others. Masters
	// of OWT send a heartbeat every 20 ms, leaders of its master branch every
	// 100 ms at most.
	listenTime = 400 * time.Millisecond
	// consumerTime is how long a lone manager waits for a consumer of the
	// cluster's queue that answers nothing: RabbitMQ takes up to three
	// heartbeats of 5 s to notice that a machine is gone.
	consumerTime  = 20 * time.Second
	consumerEvery = 250 * time.Millisecond
	// warnEvery bounds the log lines about a neighbour.
	warnEvery = time.Minute
)

// ErrNeighbour is wrapped by the error of a manager that does not start, or stops, beside managers that
// it cannot share the cluster's queue with: each would get a part of the calls,
// and workers would hear that they are unknown and drop their tasks.
var ErrNeighbour = errors.New("another manager uses this cluster's queue")

// neighbours listens for managers of OWT beside this one.
type neighbours struct {
	cluster  string
	withOWT  bool // replica = "owt": those of 4.2 to 5.1 are welcome
	log      *slog.Logger
	observer bus.Subscription

	mu     sync.Mutex
	begun  bool // this manager serves
	warned time.Time
	heard  map[owt.Protocol]bool

	once  sync.Once
	ended chan struct{}
	err   error
}

// meetNeighbours refuses to start beside managers that are none of this
// cluster's kind, and goes on to listen for such that start later.
func (h *Host) meetNeighbours(ctx context.Context) error {
	if h.opts.OwnQueue {
		return nil
	}
	if h.opts.OWTQueue || h.opts.OWT {
		if err := h.listenForOWT(ctx); err != nil {
			return err
		}
	}
	if h.opts.Raft != nil && !h.opts.OWT {
		return nil // lookAround asks the managers there
	}
	if err := h.askNeighbours(ctx); err != nil {
		return err
	}
	if h.opts.OWT {
		return nil
	}
	return h.awaitFreeQueue(ctx, consumerTime)
}

// listenForOWT listens to the topic of OWT's managers for listenTime.
func (h *Host) listenForOWT(ctx context.Context) error {
	n := &neighbours{
		cluster: h.opts.Manager.Cluster, withOWT: h.opts.OWT, log: h.log,
		heard: map[owt.Protocol]bool{}, ended: make(chan struct{}),
	}
	var err error
	if n.observer, err = owt.Observe(ctx, h.opts.Conn, n.cluster, n.hear); err != nil {
		return err
	}
	h.neighbours = n
	pause.For(ctx, listenTime)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.begun = true
	for _, p := range []owt.Protocol{owt.Votes, owt.Election} {
		if n.heard[p] && !n.welcomes(p) {
			return n.refusal(p)
		}
	}
	return nil
}

func (n *neighbours) welcomes(p owt.Protocol) bool { return n.withOWT && p == owt.Election }

func (n *neighbours) refusal(p owt.Protocol) error {
	switch {
	case p == owt.Votes && n.withOWT:
		return fmt.Errorf("%w: managers of %v are in %q, and --replica owt speaks with those of OWT 4.2 to 5.1 only: "+
			"stop them all first (docs/owt.md), then start this one", ErrNeighbour, p, n.cluster)
	case p == owt.Votes:
		return fmt.Errorf("%w: managers of %v are in %q: stop them all first (docs/owt.md), then start this one", ErrNeighbour, p, n.cluster)
	}
	return fmt.Errorf("%w: managers of %v are in %q: stop them first (docs/owt.md), or join them with --replica owt",
		ErrNeighbour, p, n.cluster)
}

// hear takes a message of OWT's managers. One that starts beside a manager that
// serves is reported; beside managers with --replica owt, the master branch ends
// this manager, which would take its role for free.
func (n *neighbours) hear(p owt.Protocol) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard[p] = true
	switch {
	case !n.begun || n.welcomes(p):
	case n.withOWT:
		n.once.Do(func() {
			n.err = n.refusal(p)
			close(n.ended)
		})
	case time.Since(n.warned) >= warnEvery:
		n.warned = time.Now()
		n.log.Error("an OWT manager runs beside this one on the same queue: stop one of them at once", "cluster", n.cluster, "protocol", p.String())
	}
}

func (n *neighbours) close() error { return n.observer.Close() }

// askNeighbours asks who serves the cluster's name. A manager that stands alone
// shares it with none, one of OWT's protocol with those that were heard.
func (h *Host) askNeighbours(ctx context.Context) error {
	if n := h.neighbours; n != nil && n.withOWT && n.hears(owt.Election) {
		return nil
	}
	err := h.whoServes(ctx)
	if n := h.neighbours; err != nil && n != nil && n.hearsElection(ctx) {
		return nil
	}
	return err
}

// whoServes returns an error that says who answers to the cluster's name, nil if
// no one does.
func (h *Host) whoServes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	_, err := h.opts.Conn.Call(ctx, h.opts.Manager.Cluster, "status")
	switch {
	case err == nil:
		return fmt.Errorf("%w: a Muster manager serves %q already: stop it first, or let several agree with --raft and --peers", ErrNeighbour, h.opts.Manager.Cluster)
	case errors.Is(err, muster.ReasonUnsupported):
		return fmt.Errorf("%w: an OWT manager serves %q: stop it first (docs/owt.md)", ErrNeighbour, h.opts.Manager.Cluster)
	}
	return nil
}

// hearsElection reports whether this manager speaks OWT's protocol beside others
// that do. It listens once more: managers that start together with this one may
// be elected just after it listened first.
func (n *neighbours) hearsElection(ctx context.Context) bool {
	if !n.withOWT {
		return false
	}
	const looks = 20
	for range looks {
		if n.hears(owt.Election) || !pause.For(ctx, listenTime/looks) {
			break
		}
	}
	return n.hears(owt.Election)
}

func (n *neighbours) hears(p owt.Protocol) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.heard[p]
}

// awaitFreeQueue waits until the cluster's queue has no consumer: a manager
// that hangs answers nothing, and still gets its part of the calls.
func (h *Host) awaitFreeQueue(ctx context.Context, limit time.Duration) error {
	queue, ok := h.opts.Conn.(interface {
		Consumers(context.Context, string) (int, error)
	})
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for first := true; ; first = false {
		n, err := queue.Consumers(ctx, h.opts.Manager.Cluster)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w: the queue %q still has a consumer after %v that answers nothing: end that program "+
				"(rabbitmqctl list_consumers names its connection), or choose another name with --cluster", ErrNeighbour, h.opts.Manager.Cluster, limit)
		case err != nil:
			return err
		case n == 0:
			return nil
		case first:
			h.log.Warn("the cluster's queue has a consumer already: waiting until it is gone", "cluster", h.opts.Manager.Cluster, "consumers", n, "for", limit)
		}
		pause.For(ctx, consumerEvery)
	}
}
