// Package host runs a manager on a message queue that it may share with others:
// with managers that it agrees with, by Raft or in OWT's protocol, and with such
// as it must not run beside. It keeps what a manager and a replica alone do not:
//
//   - Two clusters on one queue would each get a part of the calls. A manager does
//     not start beside managers that it cannot agree with, nor forms a second
//     cluster beside the one that serves the name.
//   - A leader that cannot be heard over the queue gives the lead away.
//   - One that ends hands the lead over while it still serves, then stops to serve,
//     and leaves the others last.
//
// The binary reads its configuration into Options. A program that embeds a
// manager makes them itself.
package host

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica/raft"
)

// handOverTime is how long a manager that ends tries to hand over the lead.
const handOverTime = time.Second

// Options are what a Host is started with.
type Options struct {
	// Conn is the connection to the message queue. The caller closes it, after the
	// Host.
	Conn bus.Conn
	// OwnQueue: the message queue is in this process, so that no manager was on it
	// before.
	OwnQueue bool
	// OWTQueue: programs of OWT use the message queue, and perhaps its managers.
	OWTQueue bool

	// Manager is what the manager is started with. The Host sets Replica, Members
	// and Membership.
	Manager manager.Options
	// Raft, unless nil, has the manager agree with others by Raft. The Host sets
	// Cluster, Label, Placement and Logger.
	Raft *raft.Options
	// OWT, instead, has it agree in the protocol of OWT's managers of 4.2 to 5.1.
	OWT bool
}

// Host is a manager that runs. Close stops it.
type Host struct {
	opts Options
	log  *slog.Logger
	// neighbours is nil where no manager of OWT can be.
	neighbours  *neighbours
	cohort      *cohort // nil where the manager is alone
	manager     *manager.Manager
	leaderWatch *leaderWatch // nil where no other manager could lead

	closing sync.Once
	err     error
	last    bool
}

// Start starts a manager, or ends what it had started. It waits for signs of other
// managers for less than a second, and for up to 20 s where the queue has a
// consumer that says nothing.
func Start(ctx context.Context, opts Options) (*Host, error) {
	h := &Host{opts: opts, log: opts.Manager.Logger}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if err := h.start(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Host) start(ctx context.Context) error {
	err := h.meetNeighbours(ctx)
	if err == nil {
		h.cohort, err = h.joinCohort(ctx)
	}
	if err != nil {
		return err
	}
	opts := h.opts.Manager
	if c := h.cohort; c != nil {
		opts.Replica, opts.Members, opts.Membership = c, c.members, c.membership
	}
	if h.manager, err = manager.Start(ctx, h.opts.Conn, opts); err != nil || h.cohort == nil || h.cohort.leads == nil {
		return err
	}
	h.leaderWatch, err = startLeaderWatch(ctx, h.opts.Conn, h.cohort.leads, h.cohort.handOver, h.log)
	return err
}

// Manager is the manager.
func (h *Host) Manager() *manager.Manager { return h.manager }

// Done is closed when the manager cannot go on by itself, which Err explains. It
// is to be closed then. It is nil where that cannot be.
func (h *Host) Done() <-chan struct{} {
	if h.cohort == nil {
		return nil
	}
	return h.cohort.ended
}

// Err is why Done is closed.
func (h *Host) Err() error { return h.cohort.err() }

// Close stops the manager, and returns when its goroutines have ended. One that
// leads others hands over first, so that no caller has to wait for an election.
func (h *Host) Close() error {
	h.closing.Do(func() { h.err = h.close() })
	return h.err
}

// Last reports, after Close, whether no other manager goes on.
func (h *Host) Last() bool { return h.last }

func (h *Host) close() error {
	var errs []error
	if h.leaderWatch != nil {
		errs = append(errs, h.leaderWatch.close())
	}
	if h.manager != nil {
		h.handOver()
		errs = append(errs, h.manager.Close())
	}
	if h.cohort != nil {
		errs = append(errs, h.cohort.close())
	}
	if h.neighbours != nil {
		errs = append(errs, h.neighbours.close())
	}
	return errors.Join(errs...)
}

// handOver gives the lead to another manager, if this one has it.
func (h *Host) handOver() {
	if h.cohort == nil {
		h.last = true
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handOverTime)
	defer cancel()
	if err := h.cohort.handOver(ctx); err != nil {
		h.log.Warn("leadership not transferred", "err", err)
		h.last = h.cohort.leads != nil && h.cohort.leads(ctx)
	}
}
