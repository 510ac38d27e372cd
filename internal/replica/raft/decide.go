package raft

import (
	"errors"
	"maps"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// Commit is something for the owner of the state to do: see Applier.
type Commit struct {
	// Index and Term are of the entry of the log; 0 where it is none.
	Index, Term uint64
	// Role is what this manager is from now on, where that has changed.
	Role *replica.Role

	state *state.State       // takes the place of the copy
	batch record             // commands that others proposed
	own   []replica.Proposal // decided, or with err lost
	reads []func(*state.State, error)
	job   *SnapshotJob // a snapshot of the copy, as it is then
	err   error
}

// Propose puts commands into the log, as few entries as they fit into. On a
// manager that does not lead they are answered so.
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

func (p *proposals) add(data []byte, batch []replica.Proposal) {
	sequence := p.sequence
	p.batches[sequence] = batch
	if err := p.core.rn.Propose(data); err != nil {
		delete(p.batches, sequence)
		p.refuse(batch, replica.NotLeaderError{})
	}
}

func (p *proposals) refuse(batch []replica.Proposal, err error) {
	p.core.out.Commits = append(p.core.out.Commits, Commit{own: batch, err: err})
}

// lose answers what was proposed by this manager as the leader that it no
// longer is. Some of it may still come to be decided, under another leader.
func (p *proposals) lose() {
	for _, sequence := range slices.Sorted(maps.Keys(p.batches)) {
		p.refuse(p.batches[sequence], replica.ErrLost)
	}
	clear(p.batches)
}

// decided takes what a majority has.
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
		c.handed = e.GetIndex()
		c.handedTerm = e.GetTerm()
	}
	if c.elected() {
		c.led = c.handedTerm
	}
	for _, resp := range m.GetResponses() {
		c.stepLocal(resp)
	}
	c.reads.release()
	c.snapshots.compact()
}

// decidedRecord hands out a decided entry. One that is malformed is nothing,
// for all managers alike; one that is newer ends this manager's work.
func (c *Core) decidedRecord(e *pb.Entry) {
	done := Commit{Index: e.GetIndex(), Term: e.GetTerm()}
	rec, err := decodeRecord(e.GetData())
	switch {
	case len(e.GetData()) == 0:
	case errors.Is(err, errNewer):
		c.fail(err)
		return
	case err != nil:
		c.log.Error("entry of the log ignored", "index", e.GetIndex(), "err", err)
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

func (p *proposals) decided(rec record, done *Commit) {
	if own, ok := p.batches[rec.sequence]; ok && rec.origin == p.core.id {
		delete(p.batches, rec.sequence)
		done.own = own
		return
	}
	done.batch = rec
}

// entryCommands returns the commands in an entry: none where it has another
// purpose, or is malformed.
func entryCommands(e *pb.Entry) ([]state.Command, error) {
	if e.GetType() != pb.EntryNormal || len(e.GetData()) == 0 {
		return nil, nil
	}
	rec, err := decodeRecord(e.GetData())
	if err == nil && rec.kind == recordBatch {
		commands, _ := rec.commands()
		return commands, nil
	}
	if errors.Is(err, errNewer) {
		return nil, err
	}
	return nil, nil
}

// stepLocal gives the library what it sent to itself.
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
	// Identity is set by the first write of an incarnation of the log, which makes
	// everything that was written before void.
	Identity *Identity
	Hard     *pb.HardState
	Entries  []*pb.Entry
	// Snapshot takes the place of the entries up to it, or, with Install, of
	// all entries.
	Snapshot *pb.Snapshot
	Install  bool
	// Acks, where it is not nil, is what is known of the members from now on.
	Acks map[uint64]ackRecord
	// Sync tells that the write must be on the disk before Wrote is called.
	Sync bool

	incarnation uint64
	responses   []*pb.Message
	start       bool // of the library, after the first write
}

// Identity is who a log belongs to.
type Identity struct {
	ID, ClusterID uint64
	Addr          string
}

// Saved is what was written before.
type Saved struct {
	Identity Identity
	Hard     *pb.HardState
	Snapshot *pb.Snapshot
	Entries  []*pb.Entry
	Acks     map[uint64]ackRecord
}

// write takes what the library wants to have written.
func (c *Core) write(m *pb.Message) {
	w := Write{Entries: m.GetEntries(), responses: m.GetResponses(), Sync: len(m.GetResponses()) > 0}
	if m.Term != nil {
		w.Hard = &pb.HardState{Term: proto.Uint64(m.GetTerm()), Vote: proto.Uint64(m.GetVote()), Commit: proto.Uint64(m.GetCommit())}
	}
	if m.GetSnapshot().GetMetadata() != nil {
		w.Snapshot, w.Install = m.GetSnapshot(), true
	}
	c.queue(w)
}

// queue hands a write out, or, where nothing is durable, takes it as done.
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

// Wrote tells that a write is done.
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
