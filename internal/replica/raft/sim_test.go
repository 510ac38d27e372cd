package raft

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// cluster runs several managers in one goroutine, with all events drawn from one
// seed.
type cluster struct {
	t       testing.TB
	seed    uint64
	rng     *rand.Rand
	durable bool
	peers   []string
	nodes   map[string]*simNode
	flights []flight
	lose    func(flight) bool // what is lost besides
	cut     map[[2]string]bool
	calm    bool // nothing is lost, doubled or late

	leaders      map[[2]uint64]string // by cluster and term
	states       map[[2]uint64][]byte // by cluster and index
	acked        map[string]string    // tasks that were answered, with their worker
	terms        map[string]uint64    // of the entries of these tasks
	refused      int                  // older copies that were refused
	term         uint64               // of the entry that is being applied
	tasks        int
	history      []string
	trace        uint64 // of all messages
	compactBytes int
	restored     bool // all start with Restored
	stay         bool // who is refused stays down
}

type flight struct {
	from, to string
	message  Message
}

// simNode is a manager, and its disk.
type simNode struct {
	addr    string
	core    *Core
	applier *Applier
	commits []Commit
	writes  []Write
	jobs    []*SnapshotJob
	disk    *Saved
	log     *memLog // of the disk
	synced  *Saved  // what of the disk a power failure leaves
	later   []Write // what was written after that
	backup  *Saved  // an older copy of the disk
	latest  *Saved  // what the disk had before the older copy was put back
	down    bool
	slow    bool // nothing becomes durable
}

func newCluster(t testing.TB, seed uint64, durable bool, n int) *cluster {
	c := &cluster{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), durable: durable, nodes: map[string]*simNode{},
		cut: map[[2]string]bool{}, leaders: map[[2]uint64]string{}, states: map[[2]uint64][]byte{}, acked: map[string]string{}, terms: map[string]uint64{},
		compactBytes: 2000,
	}
	for i := range n {
		c.peers = append(c.peers, fmt.Sprintf("m%d", i))
	}
	for _, addr := range c.peers {
		c.nodes[addr] = &simNode{addr: addr}
		c.boot(addr, c.peers)
	}
	return c
}

func (c *cluster) logf(format string, args ...any) {
	c.history = append(c.history, fmt.Sprintf(format, args...))
}

func (c *cluster) failf(format string, args ...any) {
	c.t.Helper()
	for _, line := range c.history[max(0, len(c.history)-60):] {
		c.t.Log(line)
	}
	c.t.Fatalf("seed %d: "+format, append([]any{c.seed}, args...)...)
}

// boot starts a manager from its disk.
func (c *cluster) boot(addr string, peers []string) {
	n := c.nodes[addr]
	core, err := NewCore(CoreConfig{
		Addr: addr, Peers: peers, Seed: c.rng.Uint64(), ElectionTicks: 10, HeartbeatTicks: 2,
		CompactBytes: c.compactBytes, Placement: state.DefaultConfig(), Durable: c.durable,
		patience: c.patience(n), Restored: c.restored,
	}, n.disk)
	if err != nil {
		c.failf("boot %s: %v", addr, err)
	}
	n.core, n.applier, n.down = core, NewApplier(state.DefaultConfig(), nil, nil), false
	if c.seed/6%2 == 1 { // clusters of all six kinds
		n.applier.piece = 1 // a worker at a time
	}
	n.commits, n.writes, n.jobs = nil, nil, nil
	n.synced, n.later = nil, nil
	if n.disk != nil {
		n.synced = copyOf(n.disk) // opening the log syncs it
	}
	c.collect(n)
}

// crash ends a manager. A random prefix of its unconfirmed writes is on the disk. A
// power failure also loses what was confirmed and not synced.
func (c *cluster) crash(n *simNode) {
	c.logf("crash %s", n.addr)
	for range c.rng.IntN(len(n.writes) + 1) {
		c.save(n)
	}
	if n.synced != nil && c.rng.IntN(2) == 0 {
		c.logf("the power of %s fails, which loses %d writes", n.addr, len(n.later))
		n.loseUnsynced()
	}
	n.down = true
	c.flights = slices.DeleteFunc(c.flights, func(f flight) bool { return f.from == n.addr && c.rng.IntN(2) == 0 })
}

// save makes the oldest write durable.
func (c *cluster) save(n *simNode) Write {
	w := n.writes[0]
	n.writes = n.writes[1:]
	if w.Identity != nil {
		n.disk, n.log = &Saved{Identity: *w.Identity}, newMemLog()
	}
	if w.Hard != nil {
		n.disk.Hard = w.Hard
	}
	switch {
	case w.Install:
		n.log.install(w.Snapshot)
	case w.Snapshot != nil:
		n.log.compact(w.Snapshot, 0)
	}
	if w.Acks != nil {
		n.disk.Acks = w.Acks
	}
	n.log.append(w.Entries)
	n.disk.Snapshot, n.disk.Entries = n.log.snap, slices.Clone(n.log.entries)
	n.later = append(n.later, w)
	if w.Sync || w.Identity != nil || w.Snapshot != nil {
		synced := *n.disk
		n.synced, n.later = &synced, nil
	}
	return w
}

// loseUnsynced puts the disk back to the last sync. What is known of the other
// members stays: losing it is a limit of the check for older directories.
func (n *simNode) loseUnsynced() {
	acks := n.disk.Acks
	disk := *n.synced
	disk.Acks = acks
	n.disk, n.later = &disk, nil
	n.log.entries = slices.Clone(disk.Entries)
}

// collect takes the output of a Core.
func (c *cluster) collect(n *simNode) {
	if err := n.core.Err(); errors.Is(err, ErrStaleLog) && n.latest != nil {
		c.onRefused(n)
		return
	} else if err != nil {
		c.failf("%s: %v", n.addr, err)
	}
	out := n.core.Take()
	for _, e := range out.Messages {
		c.note(&e)
		c.flights = append(c.flights, flight{n.addr, e.To, e.Message})
	}
	n.writes = append(n.writes, out.Writes...)
	n.commits = append(n.commits, out.Commits...)
	if st := n.core.role; st.Kind == replica.Leader {
		key := [2]uint64{n.core.roster.clusterID, st.Term}
		if who, ok := c.leaders[key]; ok && who != n.core.Status().ID {
			c.failf("two leaders in term %d: %s and %s", st.Term, who, n.addr)
		}
		c.leaders[key] = n.core.Status().ID
	}
}

// note makes a message part of the trace.
func (c *cluster) note(e *Envelope) {
	data, err := appendMessage([]byte(e.To), &e.Message)
	if err != nil {
		c.failf("message: %v", err)
	}
	h := fnv.New64a()
	_, _ = h.Write(data)
	c.trace = c.trace*31 + h.Sum64()
}

// own applies one Commit, as the owner of the state does.
func (c *cluster) own(n *simNode) {
	done := n.commits[0]
	n.commits = n.commits[1:]
	before := n.applier.Role()
	c.term = done.Term
	n.applier.Apply(done)
	c.snapshot(n)
	if role := n.applier.Role(); role != before {
		c.logf("%s is %s of term %d, leader %q", n.addr, role.Kind, role.Term, role.Leader)
		if role.Kind == replica.Leader {
			c.checkAcked(n.applier.State(), c.ackedBefore(role.Term), n.addr)
		}
	}
	if done.Index > 0 && n.core.rn != nil {
		key := [2]uint64{n.core.roster.clusterID, done.Index}
		snap := n.applier.State().Snapshot()
		if other, ok := c.states[key]; ok && !bytes.Equal(other, snap) {
			c.failf("states differ at index %d on %s", done.Index, n.addr)
		}
		c.states[key] = snap
	}
}

func (c *cluster) checkAcked(s *state.State, acked map[string]string, who string) {
	for task, worker := range acked {
		if w, err := s.Scheduled("webrtc", task); err != nil || w != worker {
			c.failf("%s has task %s on %q (%v), answered was %s", who, task, w, err, worker)
		}
	}
}

// ackedBefore returns the tasks of earlier terms.
func (c *cluster) ackedBefore(term uint64) map[string]string {
	out := map[string]string{}
	for task, worker := range c.acked {
		if c.terms[task] < term {
			out[task] = worker
		}
	}
	return out
}

// propose proposes a few random commands to a manager.
func (c *cluster) propose(n *simNode) {
	var batch []replica.Proposal
	for range 1 + c.rng.IntN(5) {
		c.tasks++
		cmd := state.Command{At: muster.Instant(1000 + c.tasks), Seed: c.rng.Uint64()}
		task := fmt.Sprintf("t%d", c.tasks)
		if c.rng.IntN(8) == 0 {
			worker := fmt.Sprintf("w%d", c.rng.IntN(6))
			info := muster.Info{MaxLoad: 1, State: muster.StateReady, Raw: []byte(`{"a":1}`)}
			cmd.Op = state.Join{Purpose: "webrtc", Worker: worker, Info: info}
			batch = append(batch, replica.Proposal{Command: cmd, Done: func(state.Result, []muster.Event, error) {}})
			cmd.Op = state.ReportLoad{Loads: []state.WorkerLoad{{Worker: worker, Load: c.rng.Float64() / 2}}}
			batch = append(batch, replica.Proposal{Command: cmd, Done: func(state.Result, []muster.Event, error) {}})
			continue
		}
		cmd.Op = state.Schedule{Purpose: "webrtc", Task: task, ReserveMillis: state.MaxReserveMillis}
		called := false
		batch = append(batch, replica.Proposal{Command: cmd, Done: func(r state.Result, _ []muster.Event, err error) {
			if called {
				c.failf("answered twice: %s", task)
			}
			called = true
			if err == nil && r.Err == nil {
				c.acked[task], c.terms[task] = r.Worker, c.term
			}
		}})
	}
	n.core.Propose(batch...)
	c.collect(n)
}

func (c *cluster) read(n *simNode) {
	before := map[string]string{}
	for task, worker := range c.acked {
		before[task] = worker
	}
	n.core.Read(func(s *state.State, err error) {
		if err == nil {
			c.checkAcked(s, before, "a read on "+n.addr)
		}
	})
	c.collect(n)
}

// deliver delivers, loses or repeats one message.
func (c *cluster) deliver() {
	if len(c.flights) == 0 {
		return
	}
	i := 0
	if !c.calm {
		i = c.rng.IntN(min(len(c.flights), 20))
	}
	f := c.flights[i]
	if c.calm || c.rng.IntN(50) > 0 { // else it comes again
		c.flights = slices.Delete(c.flights, i, i+1)
	}
	to := c.nodes[f.to]
	lost := to == nil || to.down || c.lose != nil && c.lose(f) || c.cut[[2]string{f.from, f.to}] || !c.calm && c.rng.IntN(50) == 0
	if !lost {
		to.core.Step(f.message)
		c.collect(to)
	}
	if from := c.nodes[f.from]; f.message.isSnapshot() && !from.down {
		from.core.SnapshotSent(f.message, !lost)
		c.collect(from)
	}
}

// snapshot has the owner write a piece of the snapshot that it was asked for.
func (c *cluster) snapshot(n *simNode) {
	if job := n.applier.TakeSnapshotJob(); job != nil {
		n.jobs = append(n.jobs, job)
	}
}

// work carries out one pending commit, write or snapshot of a manager.
func (c *cluster) work(n *simNode) {
	switch {
	case n.down:
	case len(n.commits) > 0 && c.rng.IntN(2) == 0:
		c.own(n)
	case len(n.writes) > 0 && !n.slow:
		n.core.Wrote(c.save(n))
		c.collect(n)
	case n.applier.IsWriting():
		c.snapshot(n)
	case len(n.jobs) > 0:
		job := n.jobs[0]
		n.jobs = nil
		n.core.Compacted(job)
		c.collect(n)
	}
}

func (c *cluster) node() *simNode { return c.nodes[c.peers[c.rng.IntN(len(c.peers))]] }

// step makes one random event happen.
func (c *cluster) step() {
	n := c.node()
	switch k := c.rng.IntN(100); {
	case k < 12:
		if !n.down {
			n.core.Tick()
			c.collect(n)
		}
	case k < 60:
		c.deliver()
	case k < 96:
		c.work(n)
	case k < 99:
		if !n.down {
			c.propose(n)
		}
	default:
		if !n.down {
			c.read(n)
		}
	}
}
