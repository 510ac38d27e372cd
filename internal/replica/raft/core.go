package raft

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"

	etcd "go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// CoreConfig configures a Core.
type CoreConfig struct {
	// Addr is the address of this manager, and its name among the others.
	Addr string
	// Peers are the addresses of the managers that form the cluster, with Addr
	// or, for a manager that is added later, without.
	Peers []string
	// Label is shown to the others in Status, such as a process id.
	Label string
	// Seed is the source of all randomness. Two incarnations of a log must not
	// share one.
	Seed uint64
	// ElectionTicks is how many ticks a leader may be silent. A follower
	// campaigns after one to two times as many.
	ElectionTicks int
	// HeartbeatTicks is the number of ticks between two heartbeats.
	HeartbeatTicks int
	// CompactBytes is the size of the log at which a snapshot replaces it, or
	// half the size of the last snapshot if that is larger.
	CompactBytes int
	// Placement is the configuration of the state if this manager creates the
	// cluster.
	Placement state.Config
	// Durable means that Writes go to a disk, and that Wrote is called when they
	// are there. Without it no Writes come out.
	Durable bool
	// Restored accepts the saved log even if other managers remember more, and
	// forgets what it says about them: see ErrStaleLog.
	Restored bool
	// patience replaces checkPatience, in ticks, unless it is 0.
	patience int
	Logger   *slog.Logger
}

// maxEntry is the approximate size of one entry of the log, in bytes.
const maxEntry = 256 << 10

// Core runs Raft for one manager, without a clock, a disk or a network: see the
// package comment. It is not safe for concurrent use.
type Core struct {
	cfg CoreConfig
	log *slog.Logger
	rng *rand.Rand

	id          uint64 // of this incarnation of the log
	incarnation uint64 // counts the incarnations in this Core
	rn          *etcd.RawNode
	store       *memLog
	hard        *pb.HardState // the last that was written; the disk may not have it yet
	conf        *pb.ConfState
	roster      roster
	// applied and appliedTerm are of the last entry that was handed to the
	// owner of the state.
	applied, appliedTerm uint64
	// ledTerm is the last term in which this manager led and an entry of its
	// own was decided.
	ledTerm uint64
	senders map[uint64]string // addresses of members, from their messages
	active  map[uint64]int    // when members were active last, in ticks; see progress

	role    replica.Role
	err     error
	now     int  // ticks of this Core
	acked   bool // the message being handled is a follower's acknowledgement
	out     Output
	version int // rises when what is known of the members changes

	// The parts of the protocol. Each has its own state and calls back into
	// the Core to send, write and hand out.
	bootstrap  bootstrap
	check      *logCheck // nil once it has ended
	election   election
	membership membership
	proposals  proposals
	reads      reads
	acks       ackTable
	snapshots  snapshots
}

// Output is what the caller has to do, in this order. Commits may be applied
// concurrently with the rest.
type Output struct {
	// Messages may be sent at once.
	Messages []Envelope
	// Writes must be made durable in this order, and each passed to Wrote.
	Writes []Write
	// Commits are for the owner of the state, in this order.
	Commits []Commit
}

// Envelope is a message and the address of its receiver.
type Envelope struct {
	To      string
	Message Message
}

// NewCore returns the Core of a manager that belongs to no cluster yet, or of
// one that continues from what it saved.
func NewCore(cfg CoreConfig, saved *Saved) (*Core, error) {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Core{cfg: cfg, log: log, rng: rand.New(rand.NewPCG(cfg.Seed, 0x6d7573746572))}
	c.cfg.Peers = slices.Sorted(slices.Values(cfg.Peers))
	c.renew()
	if saved == nil || saved.Identity.ID == 0 {
		return c, nil
	}
	if saved.Identity.Addr != cfg.Addr {
		return nil, fmt.Errorf("raft: the data directory belongs to the manager at %s, not to %s: "+
			"start it with that address, or with an empty directory", saved.Identity.Addr, cfg.Addr)
	}
	return c, c.resume(saved)
}

// renew starts a new incarnation of the log: an empty one with a new id.
func (c *Core) renew() {
	c.id = newID(c.rng)
	c.incarnation++
	c.rn, c.store, c.hard, c.conf = nil, newMemLog(), nil, &pb.ConfState{}
	c.roster = roster{addrs: map[uint64]string{}}
	c.version++
	c.applied, c.ledTerm = 0, 0
	c.senders = map[uint64]string{}
	c.active = map[uint64]int{}
	c.bootstrap = bootstrap{core: c, nonce: c.rng.Uint64(), seen: map[string]sighting{}, lost: map[uint64]bool{}}
	c.election = election{core: c}
	c.membership = membership{core: c, joins: map[string]uint64{}}
	c.proposals = proposals{core: c, sequence: c.proposals.sequence, batches: map[uint64][]replica.Proposal{}}
	c.reads = reads{core: c, last: c.reads.last}
	c.acks, c.check = ackTable{core: c}, nil
	c.snapshots = snapshots{core: c}
}

// newID draws a random id. The library reserves 0 and the highest numbers.
func newID(rng *rand.Rand) uint64 { return rng.Uint64()>>1 + 1 }

// resume continues from what was saved.
func (c *Core) resume(saved *Saved) error {
	c.id, c.roster.clusterID = saved.Identity.ID, saved.Identity.ClusterID
	if saved.Snapshot != nil {
		c.store.install(saved.Snapshot)
		c.snapshots.install(saved.Snapshot)
	}
	c.store.append(saved.Entries)
	if saved.Hard != nil {
		c.store.hard = saved.Hard
	}
	c.acks.records = maps.Clone(saved.Acks)
	if c.cfg.Restored {
		c.acks = ackTable{core: c, changed: true}
	}
	c.startCheck()
	c.pump()
	return c.err
}

// begin starts the library on the log in the store.
func (c *Core) begin() {
	rn, err := etcd.NewRawNode(&etcd.Config{
		ID: c.id, Storage: c.store, Applied: c.applied,
		ElectionTick: c.cfg.ElectionTicks, HeartbeatTick: c.cfg.HeartbeatTicks,
		AsyncStorageWrites: true, CheckQuorum: true, PreVote: true, StepDownOnRemoval: true,
		DisableProposalForwarding: true, ReadOnlyOption: etcd.ReadOnlySafe,
		MaxSizePerMsg: 1 << 20, MaxCommittedSizePerReady: 8 << 20, MaxUncommittedEntriesSize: 256 << 20,
		MaxInflightMsgs: 256, MaxInflightBytes: 64 << 20,
		Logger: libraryLog{c.log.With("id", hexID(c.id))},
	})
	if err != nil {
		c.fail(fmt.Errorf("raft: %w", err))
		return
	}
	c.rn = rn
	c.election.restart()
	if len(c.conf.GetVoters()) == 1 && isVoter(c.conf, c.id) {
		c.election.campaign()
	}
}

// fail stops this manager, because continuing would be wrong.
func (c *Core) fail(err error) {
	if c.err == nil {
		c.err = err
		c.log.Error("replica stopped by an error", "err", err)
	}
}

// Err returns the error that stopped this manager, nil while it runs.
func (c *Core) Err() error { return c.err }

// end answers everything that waits, and refuses what comes later.
func (c *Core) end() {
	if c.err == nil {
		c.err = ErrClosed
	}
	c.proposals.lose()
	c.reads.drop()
	c.role = replica.Role{}
	c.out.Commits = append(c.out.Commits, Commit{Role: &replica.Role{}})
}

// Take returns the output since the last call.
func (c *Core) Take() Output {
	out := c.out
	c.out = Output{}
	return out
}

// Tick advances time by one unit.
func (c *Core) Tick() {
	if c.err != nil {
		return
	}
	c.now++
	if c.check != nil {
		c.check.tick()
		return
	}
	if c.rn == nil {
		c.bootstrap.tick()
		return
	}
	if c.elected() {
		c.noteActive()
		c.rn.Tick()
		c.membership.reconcile()
	} else {
		c.rn.TickQuiesced()
		c.election.tick()
	}
	c.bootstrap.probe()
	c.reads.tick()
	c.acks.tick()
	c.snapshots.compact()
	c.pump()
}

// Step handles a message from another manager.
func (c *Core) Step(m Message) {
	switch {
	case c.err != nil:
	case m.hello != nil:
		c.bootstrap.onHello(m)
	case m.join != nil:
		c.membership.onJoin(m)
	case m.bootstrap != nil:
		c.bootstrap.onInitial(m)
	case m.acks != nil:
		c.acks.onAcks(m)
	case m.raft != nil:
		c.onRaft(m)
		c.acked = m.raft.GetType() == pb.MsgAppResp && !m.raft.GetReject()
	}
	c.pump()
	c.acked = false
}

func (c *Core) onRaft(m Message) {
	switch {
	case m.raft.GetTo() != c.id || m.ClusterID == 0 || c.check != nil:
		return
	case c.rn == nil:
		c.bootstrap.follow(m)
		return
	case m.ClusterID != c.roster.clusterID:
		return
	case c.election.fromDeadLeader(m.raft):
		return
	case m.raft.GetType() == pb.MsgReadIndex && c.role.Kind != replica.Leader:
		return // the sender asks again: see reads.question
	}
	if why := lostEntries(m.raft, c.rn.BasicStatus().GetTerm(), c.store.last()); why != "" {
		c.fail(&staleLog{addr: c.cfg.Addr, by: m.From, why: why})
		return
	}
	c.acks.onMessage(m.raft)
	c.senders[m.raft.GetFrom()] = m.From
	if m.isSnapshot() {
		c.snapshots.opened = &m
	}
	if err := c.rn.Step(m.raft); err != nil {
		c.log.Debug("message refused", "from", m.From, "type", m.raft.GetType().String(), "err", err)
	}
	c.election.onMessage(m.raft)
}

// pump carries out everything that the library has ready.
func (c *Core) pump() {
	for c.rn != nil && c.err == nil && c.rn.HasReady() {
		rd := c.rn.Ready()
		for _, m := range rd.Messages {
			switch m.GetTo() {
			case etcd.LocalAppendThread:
				c.write(m)
			case etcd.LocalApplyThread:
				c.decided(m)
			default:
				c.send(m)
			}
		}
		c.reads.onStates(rd.ReadStates)
	}
	c.updateRole()
}

// send outputs a message of the library.
func (c *Core) send(m *pb.Message) {
	addr, ok := c.roster.addrs[m.GetTo()]
	if !ok {
		addr, ok = c.senders[m.GetTo()]
	}
	if !ok || m.GetTo() == c.id || c.canWait(m) {
		return
	}
	if m.GetType() == pb.MsgSnap {
		m = introduce(m)
	}
	c.post(addr, Message{raft: m})
}

// canWait reports whether a message only informs a follower which commands are
// decided. The next entries or the next heartbeat contain that too. Leaving the
// message out saves half of all messages under load, and no caller waits for a
// follower to apply. Membership changes are announced at once.
func (c *Core) canWait(m *pb.Message) bool {
	return c.acked && m.GetType() == pb.MsgApp && len(m.GetEntries()) == 0 &&
		c.progress()[m.GetTo()].State == tracker.StateReplicate && c.store.onlyCommands(c.applied, m.GetCommit())
}

func (c *Core) post(addr string, m Message) {
	m.From, m.ClusterID = c.cfg.Addr, c.roster.clusterID
	c.out.Messages = append(c.out.Messages, Envelope{To: addr, Message: m})
}

// updateRole notifies the owner when the role of this manager has changed.
func (c *Core) updateRole() {
	role := c.currentRole()
	if role == c.role {
		return
	}
	if c.role.Kind == replica.Leader {
		c.proposals.lose()
	}
	c.role = role
	if role.Kind == replica.Leader && len(c.reads.asked) > 0 && c.reads.index == 0 {
		defer c.pump()
		c.reads.question()
	}
	c.log.Info("role changed", "role", role.Kind.String(), "term", role.Term, "leader", role.Leader)
	c.out.Commits = append(c.out.Commits, Commit{Role: &role})
}

// currentRole returns the role of this manager. A manager that won an election
// leads once an entry of its own term is decided, because only then does it
// have everything that earlier leaders answered.
func (c *Core) currentRole() replica.Role {
	if c.rn == nil {
		return replica.Role{}
	}
	st := c.rn.BasicStatus()
	role := replica.Role{Term: st.GetTerm(), Leader: c.roster.addrs[st.Lead]}
	switch {
	case st.RaftState == etcd.StateLeader && c.ledTerm == st.GetTerm():
		role.Kind = replica.Leader
	case st.RaftState == etcd.StateFollower && st.Lead != etcd.None:
		role.Kind = replica.Follower
	default:
		role.Leader = ""
	}
	return role
}

// elected reports whether this manager won the last election.
func (c *Core) elected() bool { return c.rn.BasicStatus().RaftState == etcd.StateLeader }

// leader is the address of the leader, empty if none is known.
func (c *Core) leader() string { return c.role.Leader }
