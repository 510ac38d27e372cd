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

// CoreConfig is what a Core is made with.
type CoreConfig struct {
	// Addr is the address of this manager, by which the others know it.
	Addr string
	// Peers are the addresses of the managers that form the cluster, with Addr
	// or, for a manager that is added later, without.
	Peers []string
	// Label is shown to the others in Status, such as a process id.
	Label string
	// Seed is where everything random comes from. Two incarnations of a log must not
	// have the same.
	Seed uint64
	// ElectionTicks is how many ticks a leader may be silent: a follower
	// campaigns after that, at the latest after twice that.
	ElectionTicks int
	// HeartbeatTicks is how many ticks are between two heartbeats.
	HeartbeatTicks int
	// CompactBytes is how long the log grows before a snapshot replaces it.
	// It grows to the size of the snapshot where that is more.
	CompactBytes int
	// OwnSnapshotBytes is how large the last snapshot may be for the owner of
	// the state to make the next one: see Applier.TakeSnapshotJob. 0 means never.
	OwnSnapshotBytes int
	// Placement is the configuration of the state, if this manager forms it.
	Placement state.Config
	// Durable tells that Writes go to a disk, and that Wrote is called when
	// they are there. Otherwise they are not handed out.
	Durable bool
	// Restored takes the saved log as it is, even if other managers have a record
	// of more, and forgets what it has on record of them: see ErrStaleLog.
	Restored bool
	// patience takes the place of checkPatience, in ticks, where it is not 0.
	patience int
	Logger   *slog.Logger
}

// maxEntry is about how many bytes of commands go into one entry of the log.
const maxEntry = 256 << 10

// Core is Raft for one manager, without clock, disk and network: see the
// package. It is not safe for concurrent use.
type Core struct {
	cfg CoreConfig
	log *slog.Logger
	rng *rand.Rand

	id          uint64 // of this incarnation of the log
	incarnation uint64 // how many there were before in this Core
	rn          *etcd.RawNode
	store       *memLog
	conf        *pb.ConfState
	roster      roster
	handed      uint64 // index up to which everything was handed out
	// handedTerm is the term of the last entry that was handed out.
	handedTerm uint64
	led        uint64            // the last term of which an own entry was decided here
	heard      map[uint64]string // addresses of those who sent messages

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

// Output is what is to be done, in this order: Commits may be done beside the
// rest.
type Output struct {
	// Messages may be sent at once.
	Messages []Envelope
	// Writes are to be made durable in their order, each then given to Wrote.
	Writes []Write
	// Commits are for the owner of the state, in their order.
	Commits []Commit
	// Compact is to be run, and its outcome given to Compacted. So is what
	// Applier.TakeSnapshotJob returns.
	Compact *SnapshotJob
}

// Envelope is a message on its way.
type Envelope struct {
	To      string
	Message Message
}

// NewCore returns the Core of a manager that belongs to no cluster yet, or,
// with what was saved, of one that goes on where it was.
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

// renew begins an incarnation of the log: with nothing in it, and a new id.
func (c *Core) renew() {
	c.id = newID(c.rng)
	c.incarnation++
	c.rn, c.store, c.conf = nil, newMemLog(), &pb.ConfState{}
	c.roster = roster{addrs: map[uint64]string{}}
	c.version++
	c.handed, c.led = 0, 0
	c.heard = map[uint64]string{}
	c.bootstrap = bootstrap{core: c, nonce: c.rng.Uint64(), seen: map[string]sighting{}, lost: map[uint64]bool{}}
	c.election = election{core: c}
	c.membership = membership{core: c, joins: map[string]uint64{}}
	c.proposals = proposals{core: c, sequence: c.proposals.sequence, batches: map[uint64][]replica.Proposal{}}
	c.reads = reads{core: c, last: c.reads.last}
	c.acks, c.check = ackTable{core: c}, nil
	c.snapshots = snapshots{core: c}
}

// newID draws an id. The library keeps 0 and the highest for itself.
func newID(rng *rand.Rand) uint64 { return rng.Uint64()>>1 + 1 }

// resume goes on with what was saved.
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

// begin starts the library on what is in the store.
func (c *Core) begin() {
	rn, err := etcd.NewRawNode(&etcd.Config{
		ID: c.id, Storage: c.store, Applied: c.handed,
		ElectionTick: c.cfg.ElectionTicks, HeartbeatTick: c.cfg.HeartbeatTicks,
		AsyncStorageWrites: true, CheckQuorum: true, PreVote: true, StepDownOnRemoval: true,
		DisableProposalForwarding: true, ReadOnlyOption: etcd.ReadOnlySafe,
		MaxSizePerMsg: 1 << 20, MaxCommittedSizePerReady: 8 << 20, MaxUncommittedEntriesSize: 256 << 20,
		MaxInflightMsgs: 256, MaxInflightBytes: 64 << 20,
		Logger: libraryLog{c.log.With("raft", fmt.Sprintf("%x", c.id))},
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

// fail ends the work of this manager: it could only go on wrongly.
func (c *Core) fail(err error) {
	if c.err == nil {
		c.err = err
		c.log.Error("this manager cannot go on", "err", err)
	}
}

// Err is why this manager cannot go on, nil as long as it can.
func (c *Core) Err() error { return c.err }

// end answers everything that waits, and takes nothing more.
func (c *Core) end() {
	if c.err == nil {
		c.err = ErrClosed
	}
	c.proposals.lose()
	c.reads.drop()
	c.role = replica.Role{}
	c.out.Commits = append(c.out.Commits, Commit{Role: &replica.Role{}})
}

// Take returns what is to be done since the last call.
func (c *Core) Take() Output {
	out := c.out
	c.out = Output{}
	return out
}

// Tick lets one unit of time pass.
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
		c.rn.Tick()
		c.membership.reconcile()
	} else {
		c.rn.TickQuiesced()
		c.election.tick()
	}
	c.bootstrap.probe()
	c.reads.tick()
	c.acks.tick()
	c.pump()
}

// Step takes a message of another manager.
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
		return // it is asked again: see questionReads
	}
	if why := lostEntries(m.raft, c.rn.BasicStatus().GetTerm(), c.store.last()); why != "" {
		c.fail(&staleLog{addr: c.cfg.Addr, by: m.From, why: why})
		return
	}
	c.acks.onMessage(m.raft)
	c.heard[m.raft.GetFrom()] = m.From
	if m.isSnapshot() {
		c.snapshots.opened = &m
	}
	if err := c.rn.Step(m.raft); err != nil {
		c.log.Debug("message refused", "from", m.From, "type", m.raft.GetType().String(), "err", err)
	}
	c.election.onMessage(m.raft)
}

// pump does what the library has ready.
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

// send hands out a message of the library.
func (c *Core) send(m *pb.Message) {
	addr, ok := c.roster.addrs[m.GetTo()]
	if !ok {
		addr, ok = c.heard[m.GetTo()]
	}
	if !ok || m.GetTo() == c.id || c.canWait(m) {
		return
	}
	if m.GetType() == pb.MsgSnap {
		m = introduce(m)
	}
	c.post(addr, Message{raft: m})
}

// canWait tells that a message does no more than tell a follower which commands
// are decided. The next entries do, too, or the next heartbeat: under load half
// of all messages are saved, and no caller waits for what a follower has
// applied. What changes the members is told at once.
func (c *Core) canWait(m *pb.Message) bool {
	return c.acked && m.GetType() == pb.MsgApp && len(m.GetEntries()) == 0 &&
		progressOf(c.rn)[m.GetTo()].State == tracker.StateReplicate && c.store.onlyCommands(c.handed, m.GetCommit())
}

func (c *Core) post(addr string, m Message) {
	m.From, m.ClusterID = c.cfg.Addr, c.roster.clusterID
	c.out.Messages = append(c.out.Messages, Envelope{To: addr, Message: m})
}

// updateRole tells the owner what this manager is, when that has changed.
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
	c.log.Info("role", "role", role.Kind.String(), "term", role.Term, "leader", role.Leader)
	c.out.Commits = append(c.out.Commits, Commit{Role: &role})
}

// currentRole is what this manager is. Who was elected leads when an entry of
// its own term is decided: it has everything then that was answered before.
func (c *Core) currentRole() replica.Role {
	if c.rn == nil {
		return replica.Role{}
	}
	st := c.rn.BasicStatus()
	role := replica.Role{Term: st.GetTerm(), Leader: c.roster.addrs[st.Lead]}
	switch {
	case st.RaftState == etcd.StateLeader && c.led == st.GetTerm():
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

// leader is the address of the leader, empty where none is known.
func (c *Core) leader() string { return c.role.Leader }
