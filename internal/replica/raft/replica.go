package raft

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// Replica is one manager's copy of the state among several: a Core with a clock,
// a network and, optionally, a disk. Only the owner of the state may call the
// methods of replica.Replica; the others are safe for concurrent use.
type Replica struct {
	opts        Options
	log         *slog.Logger
	core        *Core    // used by the loop only
	applier     *Applier // used by the owner only
	wal         *wal     // used by the disk's goroutine only; nil without a disk
	dialer      *dialer
	listener    net.Listener // nil for a single manager
	refused     refusals
	incarnation atomic.Uint64

	proposals *mailbox.Box[replica.Proposal]
	reading   *mailbox.Box[func(*state.State, error)]
	commits   *mailbox.Box[Commit]
	writes    *mailbox.Box[Write]
	snapshots *mailbox.Box[*SnapshotJob] // written by the owner
	incoming  chan []Message
	calls     chan func(*Core)
	sending   map[string]bool    // receivers of snapshots; used by the loop only
	version   int                // of the members; used by the loop only
	backlog   []replica.Proposal // used by the loop only

	mu      sync.Mutex
	links   map[string]*link
	changed chan struct{} // closed when the role or the members change
	err     error

	stop  context.CancelFunc
	done  sync.WaitGroup
	ended chan struct{}
}

var _ replica.Replica = (*Replica)(nil)

// maxAtOnce is how many proposals go into the log before the loop looks at its
// clock again, which takes some milliseconds.
const maxAtOnce = 8192

// Start starts a manager's replica. It returns before the manager has reached the
// others; Role shows when it has.
func Start(opts Options) (*Replica, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	n := newReplica(opts)
	if err := n.open(); err != nil {
		n.closeFiles()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	if n.listener != nil {
		n.done.Go(func() { n.accept(ctx) })
	}
	if n.wal != nil {
		n.done.Go(func() { n.disk(ctx) })
	}
	n.act(ctx) // the output for the log on the disk
	n.done.Go(func() { n.run(ctx) })
	return n, nil
}

func newReplica(opts Options) *Replica {
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("component", "raft", "addr", opts.Addr)
	return &Replica{
		opts: opts, log: log,
		applier:   NewApplier(opts.Placement, opts.Observe, log),
		dialer:    &dialer{handshake: &handshake{cluster: opts.Cluster, addr: opts.Addr, secret: opts.Secret}, tls: opts.TLS},
		proposals: mailbox.New[replica.Proposal](), reading: mailbox.New[func(*state.State, error)](),
		commits: mailbox.New[Commit](), writes: mailbox.New[Write](), snapshots: mailbox.New[*SnapshotJob](),
		incoming: make(chan []Message, 64), calls: make(chan func(*Core), 64),
		sending: map[string]bool{}, links: map[string]*link{},
		changed: make(chan struct{}), ended: make(chan struct{}),
	}
}

// open opens the log and the listener.
func (n *Replica) open() error {
	var saved *Saved
	var err error
	if n.opts.Dir != "" {
		if n.wal, err = openWAL(n.opts.Dir); err != nil {
			return err
		}
		saved = n.wal.saved()
	}
	n.core, err = NewCore(CoreConfig{
		Addr: n.opts.Addr, Peers: n.opts.Peers, Label: n.opts.Label, Seed: newSeed(),
		ElectionTicks: n.opts.ElectionTicks, HeartbeatTicks: n.opts.HeartbeatTicks,
		CompactBytes: n.opts.CompactBytes,
		Placement:    n.opts.Placement, Durable: n.wal != nil, Restored: n.opts.Restored, Logger: n.log,
	}, saved)
	if err != nil {
		return err
	}
	if n.listener = n.opts.Listener; n.listener != nil || n.opts.Secret == nil && n.opts.TLS == nil {
		return nil
	}
	addr := n.opts.Listen
	if addr == "" {
		addr = n.opts.Addr
	}
	if n.listener, err = net.Listen("tcp", addr); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	return nil
}

func newSeed() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

func (n *Replica) closeFiles() error {
	var err error
	if n.listener != nil {
		n.listener.Close()
	}
	if n.wal != nil {
		err = n.wal.Close()
	}
	return err
}

// Close stops the replica and waits for its goroutines. Proposals that are not
// decided fail with replica.ErrLost when the owner calls Apply once more. To stop
// a leader without a gap, call Transfer first.
func (n *Replica) Close() error {
	n.stop()
	if n.listener != nil {
		n.listener.Close()
	}
	<-n.ended
	n.done.Wait()
	return n.closeFiles()
}

// Done is closed when the replica has ended: by Close, or because of an error,
// which Err returns.
func (n *Replica) Done() <-chan struct{} { return n.ended }

// Err returns the error that ended the replica, nil if there was none.
func (n *Replica) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// Propose is part of replica.Replica.
func (n *Replica) Propose(batch ...replica.Proposal) {
	if role := n.applier.Role(); role.Kind != replica.Leader {
		for _, p := range batch {
			p.Done(state.Result{}, nil, replica.NotLeaderError{Leader: role.Leader})
		}
		return
	}
	n.proposals.Put(batch...)
	n.refuseRest()
}

// Read is part of replica.Replica.
func (n *Replica) Read(f func(*state.State, error)) {
	n.reading.Put(f)
	n.refuseRest()
}

// refuseRest fails what was queued after the end.
func (n *Replica) refuseRest() {
	select {
	case <-n.ended:
	default:
		return
	}
	for _, p := range n.proposals.Take() {
		p.Done(state.Result{}, nil, replica.NotLeaderError{})
	}
	for _, f := range n.reading.Take() {
		f(n.applier.State(), replica.NotLeaderError{})
	}
}

// State is part of replica.Replica.
func (n *Replica) State() *state.State { return n.applier.State() }

// Role is part of replica.Replica.
func (n *Replica) Role() replica.Role { return n.applier.Role() }

// TaskEvents is part of replica.Replica.
func (n *Replica) TaskEvents(wanted bool) { n.applier.TaskEvents(wanted) }

// Index is the last entry of the log that is applied to the state. Only the owner
// of the state may call it.
func (n *Replica) Index() uint64 { return n.applier.Index() }

// Ready is part of replica.Replica.
func (n *Replica) Ready() <-chan struct{} { return n.commits.Ready() }

// Apply is part of replica.Replica.
func (n *Replica) Apply() {
	for _, done := range n.commits.Take() {
		n.applier.Apply(done)
	}
	if job := n.applier.TakeSnapshotJob(); job != nil {
		n.snapshots.Put(job)
	}
	if n.applier.IsWriting() {
		n.commits.Ready().Raise() // the next piece, after what else the owner has to do
	}
}

// run drives the Core until ctx is done or the Core fails.
func (n *Replica) run(ctx context.Context) {
	tick := time.NewTicker(n.opts.Tick)
	defer tick.Stop()
	for ctx.Err() == nil && n.core.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			n.core.Tick()
		case messages := <-n.incoming:
			n.step(messages)
		case <-n.proposals.Ready():
		case <-n.reading.Ready():
		case <-n.snapshots.Ready():
			n.compacted()
		case f := <-n.calls:
			f(n.core)
		}
		n.drain()
		n.act(ctx)
	}
	n.end()
}

func (n *Replica) step(messages []Message) {
	for _, m := range messages {
		n.core.Step(m)
	}
}

// drain handles what else has arrived, so that it is sent together. It stops in
// time for the heartbeats.
func (n *Replica) drain() {
	for began := time.Now(); time.Since(began) < n.opts.Tick/2; {
		select {
		case messages := <-n.incoming:
			n.step(messages)
			continue
		default:
		}
		break
	}
	if n.backlog = append(n.backlog, n.proposals.Take()...); len(n.backlog) > 0 {
		n.propose()
	}
	if reads := n.reading.Take(); len(reads) > 0 {
		n.core.Read(reads...)
	}
}

// propose passes proposals to the Core, at most maxAtOnce, so that heartbeats are
// not late.
func (n *Replica) propose() {
	batch := n.backlog[:min(len(n.backlog), maxAtOnce)]
	if n.backlog = n.backlog[len(batch):]; len(n.backlog) == 0 {
		n.backlog = nil
	} else {
		n.proposals.Ready().Raise()
	}
	n.core.Propose(batch...)
}

// act carries out the output of the Core.
func (n *Replica) act(ctx context.Context) {
	out := n.core.Take()
	n.incarnation.Store(n.core.id)
	if v := n.core.version; v != n.version {
		n.version = v
		n.keepLinks(ctx)
		defer n.notify()
	}
	for _, e := range out.Messages {
		n.post(ctx, e)
	}
	n.writes.Put(out.Writes...)
	n.commits.Put(out.Commits...)
	for _, done := range out.Commits {
		if done.Role != nil {
			n.notify()
		}
	}
}

// compacted handles the snapshots that the owner of the state wrote.
func (n *Replica) compacted() {
	for _, job := range n.snapshots.Take() {
		n.core.Compacted(job)
	}
}

// end fails everything that waits.
func (n *Replica) end() {
	n.stop()
	if n.listener != nil {
		n.listener.Close()
	}
	n.mu.Lock()
	n.err = n.core.Err()
	n.mu.Unlock()
	n.core.end()
	for n.drain(); len(n.backlog) > 0; {
		n.propose()
	}
	n.commits.Put(n.core.Take().Commits...)
	n.notify()
	close(n.ended)
}

// enqueue has the loop run f later.
func (n *Replica) enqueue(ctx context.Context, f func(*Core)) {
	select {
	case n.calls <- f:
	case <-ctx.Done():
	}
}

// disk makes writes durable, until ctx is done.
func (n *Replica) disk(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.writes.Ready():
		}
		writes := n.writes.Take()
		err := n.wal.append(writes)
		n.enqueue(ctx, func(c *Core) {
			if err != nil {
				c.fail(err)
			}
			for _, w := range writes {
				c.Wrote(w)
			}
		})
	}
}

// post queues a message on the link to its receiver. Snapshots have connections
// of their own.
func (n *Replica) post(ctx context.Context, e Envelope) {
	if !e.Message.isSnapshot() {
		if l := n.link(e.To); l != nil {
			l.send(e.Message)
		}
		return
	}
	if n.sending[e.To] {
		n.core.SnapshotSent(e.Message, false)
		return
	}
	n.sending[e.To] = true
	n.done.Go(func() { n.sendSnapshot(ctx, e.To, e.Message) })
}
