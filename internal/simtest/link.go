package simtest

import (
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/raft"
	"github.com/muster-fleet/muster/internal/state"
)

// link is a manager's replica: a raft.Core and a raft.Applier, and around them what
// a raft.Replica has goroutines for. Each of its turns takes a little time.
type link struct {
	m    *simManager
	life int
	core *raft.Core
	copy *raft.Applier
	gen  uint64 // of the cluster that the copy is of

	proposals []replica.Proposal
	reading   []func(*state.State, error)
	commits   []commit
	writes    []raft.Write
	writing   bool
	turning   bool   // a turn for proposals and reads is under way
	index     uint64 // of the commit that is done just now
	changed   bool   // something happened by it
}

var _ replica.Replica = (*link)(nil)

// commit is a raft.Commit, and the cluster that it is of.
type commit struct {
	raft.Commit
	gen uint64
}

// newLink starts on what the disk has. Nil means that it cannot.
func newLink(m *simManager) *link {
	k := &link{m: m, life: m.life}
	core, err := raft.NewCore(m.config(), m.disk.copied())
	if err != nil {
		m.sim.failf("%s: %w: %w", m.name, errNotWell, err)
		return nil
	}
	k.core = core
	k.copy = raft.NewApplier(state.DefaultConfig(), func(cmd state.Command, result state.Result, events []muster.Event) {
		m.sim.truth.applied(k, cmd, events)
	}, nil)
	return k
}

// Propose implements replica.Replica, as the following do.
func (k *link) Propose(batch ...replica.Proposal) {
	role := k.copy.Role()
	for _, p := range batch {
		if role.Kind != replica.Leader {
			p.Done(state.Result{}, nil, replica.NotLeaderError{Leader: role.Leader})
			continue
		}
		k.proposals = append(k.proposals, k.watched(p))
	}
	k.turn()
}

// watched is a proposal of which the simulation hears before its owner.
func (k *link) watched(p replica.Proposal) replica.Proposal {
	k.m.sim.truth.proposes(k.m, p.Command)
	done := p.Done
	p.Done = func(result state.Result, events []muster.Event, err error) {
		if err == nil {
			k.m.sim.truth.applied(k, p.Command, events)
		}
		done(result, events, err)
	}
	return p
}

// Read implements replica.Replica.
func (k *link) Read(f func(*state.State, error)) {
	k.reading = append(k.reading, f)
	k.turn()
}

// State implements replica.Replica.
func (k *link) State() *state.State { return k.copy.State() }

// Ready implements replica.Replica. The simulation has turns instead.
func (k *link) Ready() <-chan struct{} { return nil }

// Role implements replica.Replica.
func (k *link) Role() replica.Role { return k.copy.Role() }

// TaskEvents implements replica.Replica. The simulation reads all events.
func (k *link) TaskEvents(bool) {}

// Apply implements replica.Replica.
func (k *link) Apply() {
	commits := k.commits
	k.commits = nil
	for _, done := range commits {
		k.gen, k.index = done.gen, done.Index
		k.m.sim.truth.before(k, done.Commit)
		k.copy.Apply(done.Commit)
		k.m.sim.truth.after(k, done.Commit)
	}
	k.m.watch.turned(k.Role(), k.m.sim.now)
	if job := k.copy.TakeSnapshotJob(); job != nil {
		k.compact(job)
	}
	if k.copy.IsWriting() {
		k.m.apply()
	}
}

// turn hands over what the owner asked for.
func (k *link) turn() {
	if k.turning {
		return
	}
	k.turning = true
	k.m.turn(func() {
		k.turning = false
		proposals, reading := k.proposals, k.reading
		k.proposals, k.reading = nil, nil
		if len(proposals) > 0 {
			k.core.Propose(proposals...)
		}
		if len(reading) > 0 {
			k.core.Read(reading...)
		}
		k.collect()
	})
}

func (k *link) tick() {
	k.core.Tick()
	k.collect()
}

func (k *link) step(msg raft.Message) {
	k.core.Step(msg)
	k.collect()
}

func (k *link) peerGone(other *simManager) {
	k.core.PeerGone(other.name)
	k.collect()
}

// collect does what the Core put out.
func (k *link) collect() {
	m, s := k.m, k.m.sim
	if err := k.core.Err(); err != nil {
		s.failf("%s: %w: %w", m.name, errNotWell, err)
		return
	}
	out := k.core.Take()
	for _, e := range out.Messages {
		k.send(e)
	}
	k.writes = append(k.writes, out.Writes...)
	k.write()
	for _, done := range out.Commits {
		k.commits = append(k.commits, commit{done, k.core.ClusterID()})
		if done.Role != nil {
			s.truth.turned(k, *done.Role)
		}
	}
	if len(out.Commits) > 0 {
		m.apply()
	}
}

// compact hands over a snapshot some time after it is complete.
func (k *link) compact(job *raft.SnapshotJob) {
	k.m.when(k.m.sim.between(0, 5*diskTime), func() {
		k.core.Compacted(job)
		k.collect()
	})
}

// write makes the writes, one after the other.
func (k *link) write() {
	if k.writing || len(k.writes) == 0 {
		return
	}
	k.writing = true
	s := k.m.sim
	took := s.between(diskTime/5, diskTime) + k.m.slow
	k.m.when(took, func() {
		k.writing = false
		done := k.writes
		k.writes = nil
		for _, w := range done {
			k.m.disk.save(w)
		}
		for _, w := range done {
			k.core.Wrote(w)
		}
		k.collect()
	})
}

// send sends a message to another manager.
func (k *link) send(e raft.Envelope) {
	s, from := k.m.sim, k.m
	to := s.manager(e.To)
	if to == nil {
		return
	}
	told := false
	s.datagram(from.name, to.name, func(ok bool) {
		ok = ok && to.up
		if e.Message.IsSnapshot() && !told {
			told = true
			from.do(k.life, func() {
				k.core.SnapshotSent(e.Message, ok)
				k.collect()
			})
		}
		if ok {
			to.do(to.life, func() { to.link.step(e.Message) })
		}
	})
}

// String names the life of the manager.
func (k *link) String() string { return fmt.Sprintf("%s.%d", k.m.name, k.life) }
