package raft

import (
	"errors"
	"maps"
	"slices"

	etcd "go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// Commit is a step for the owner of the state: see Applier.
type Commit struct {
	// Index and Term are those of the entry of the log, 0 if it is not an entry.
	Index, Term uint64
	// Role is the new role of this manager, nil if it has not changed.
	Role *replica.Role

	state *state.State       // replaces the copy
	batch record             // commands of other managers
	own   []replica.Proposal // decided, or failed with err
	reads []func(*state.State, error)
	job   *SnapshotJob // to be given a snapshot of the copy
	err   error
}

// Propose appends commands to the log, in as few entries as possible. If this
// manager does not lead, they fail with a replica.NotLeaderError.
func (c *Core) Propose(batch ...replica.Proposal) {
	for len(batch) > 0 {
		if c.role.Kind != replica.Leader || c.err != nil {
			c.proposals.refuse(batch, replica.NotLeaderError{Leader: c.leader()})
			return
		}
		c.proposals.sequence++
		data, n, err := encodeBatch(c.id, c.proposals.sequence, batch, maxEntry)
		if err != nil {
			c.proposals.refuse(batch[n:n+1], err)
		}
		if n > 0 {
			c.proposals.add(data, batch[:n])
		}
		if err != nil {
			n++
		}
		batch = batch[n:]
	}
	c.pump()
}

// proposals are the batches of this manager that are not decided yet.
type proposals struct {
	core     *Core
	sequence uint64 // of the last batch
	batches  map[uint64][]replica.Proposal
}

// add appends an entry to the log.
func (p *proposals) add(data []byte, batch []replica.Proposal) {
	sequence := p.sequence
	p.batches[sequence] = batch
	if err := p.core.rn.Propose(data); err != nil {
		delete(p.batches, sequence)
		p.refuse(batch, replica.NotLeaderError{})
	}
}

// refuse fails proposals.
func (p *proposals) refuse(batch []replica.Proposal, err error) {
	p.core.out.Commits = append(p.core.out.Commits, Commit{own: batch, err: err})
}

// lose fails all proposals with ErrLost when this manager no longer leads. A
// later leader may still decide some of them.
func (p *proposals) lose() {
	for _, sequence := range slices.Sorted(maps.Keys(p.batches)) {
		p.refuse(p.batches[sequence], replica.ErrLost)
	}
	clear(p.batches)
}

// decided handles entries that a majority has.
func (c *Core) decided(m *pb.Message) {
	for _, e := range m.GetEntries() {
		switch e.GetType() {
		case pb.EntryNormal:
			c.decidedRecord(e)
		default:
			c.membership.decided(e)
		}
		if c.err != nil {
			return
		}
		c.applied = e.GetIndex()
		c.appliedTerm = e.GetTerm()
	}
	if c.elected() {
		c.ledTerm = c.appliedTerm
	}
	for _, resp := range m.GetResponses() {
		c.stepLocal(resp)
	}
	c.reads.release()
	c.snapshots.compact()
}

// decidedRecord passes a decided entry to the owner. All managers ignore a
// malformed one alike; one of a newer version stops this manager.
func (c *Core) decidedRecord(e *pb.Entry) {
	done := Commit{Index: e.GetIndex(), Term: e.GetTerm()}
	rec, err := decodeRecord(e.GetData())
	switch {
	case len(e.GetData()) == 0:
	case errors.Is(err, errNewer):
		c.fail(err)
		return
	case err != nil:
		c.log.Error("malformed entry ignored", "index", e.GetIndex(), "err", err)
	case rec.kind == recordBatch:
		c.proposals.decided(rec, &done)
	case rec.kind == recordAdmit:
		c.roster.admit(rec.addr)
		c.version++
	case rec.kind == recordDismiss:
		c.roster.dismiss(rec.addr)
		c.version++
	}
	c.out.Commits = append(c.out.Commits, done)
}

// decided fills in the commands of a batch: as proposals if it is one of these.
func (p *proposals) decided(rec record, done *Commit) {
	if own, ok := p.batches[rec.sequence]; ok && rec.origin == p.core.id {
		delete(p.batches, rec.sequence)
		done.own = own
		return
	}
	done.batch = rec
}

// stepLocal returns a message to the library that it sent to itself.
func (c *Core) stepLocal(m *pb.Message) {
	if m.GetTo() != c.id {
		c.send(m)
		return
	}
	if err := c.rn.Step(m); err != nil {
		c.log.Debug("local message refused", "type", m.GetType().String(), "err", err)
	}
}

// Write is something that must be durable before it counts.
type Write struct {
	// Identity is set in the first write of an incarnation of the log, which
	// replaces everything that was written before.
	Identity *Identity
	Hard     *pb.HardState
	Entries  []*pb.Entry
	// Snapshot replaces the entries up to it or, with Install, all entries.
	Snapshot *pb.Snapshot
	Install  bool
	// Acks, unless nil, replaces what is known about the members.
	Acks map[uint64]ackRecord
	// Sync means that the write must be on the disk before Wrote is called.
	Sync bool

	incarnation uint64
	responses   []*pb.Message
	start       bool // start the library afterwards
}

// Identity names the member and the cluster that a log belongs to.
type Identity struct {
	ID, ClusterID uint64
	Addr          string
}

// Saved is what earlier Writes left on the disk.
type Saved struct {
	Identity Identity
	Hard     *pb.HardState
	Snapshot *pb.Snapshot
	Entries  []*pb.Entry
	Acks     map[uint64]ackRecord
}

// write outputs what the library wants to have on the disk.
func (c *Core) write(m *pb.Message) {
	w := Write{Entries: m.GetEntries(), responses: m.GetResponses(), Sync: len(m.GetEntries()) > 0}
	if m.Term != nil {
		w.Hard = &pb.HardState{Term: proto.Uint64(m.GetTerm()), Vote: proto.Uint64(m.GetVote()), Commit: proto.Uint64(m.GetCommit())}
		// A new commit index alone may be lost, also if responses wait for it: they
		// need what was written before, which has been synced by then.
		w.Sync = w.Sync || etcd.MustSync(w.Hard, c.hard, 0)
		c.hard = w.Hard
	}
	if m.GetSnapshot().GetMetadata() != nil {
		w.Snapshot, w.Install = m.GetSnapshot(), true
	}
	c.queue(w)
}

// queue outputs a write, or completes it at once if the log is not durable.
func (c *Core) queue(w Write) {
	w.incarnation = c.incarnation
	if w.Install {
		c.snapshots.installing = w.Snapshot.GetMetadata().GetIndex()
	}
	if c.cfg.Durable {
		c.out.Writes = append(c.out.Writes, w)
		return
	}
	c.wrote(w)
}

// Wrote reports that a write is done.
func (c *Core) Wrote(w Write) {
	if c.err == nil {
		c.wrote(w)
		c.pump()
	}
}

func (c *Core) wrote(w Write) {
	if w.incarnation != c.incarnation {
		return
	}
	if w.Hard != nil {
		c.store.hard = w.Hard
	}
	if w.Install {
		c.store.install(w.Snapshot)
		c.snapshots.install(w.Snapshot)
	}
	c.store.append(w.Entries)
	if w.start {
		c.begin()
		c.bootstrap.started()
	}
	for _, m := range w.responses {
		c.stepLocal(m)
	}
}
