package raft

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/state"
)

// Message goes from one Core to another. Only one of raft, hello, join, bootstrap
// and acks is set.
type Message struct {
	// From is the address of the sender, which it proved when it connected.
	From string
	// ClusterID is the cluster of the sender, 0 if it is in none yet.
	ClusterID uint64

	raft      *pb.Message
	hello     *hello
	join      *join
	bootstrap *pb.Snapshot         // the initial snapshot of a cluster
	acks      map[uint64]ackRecord // what the leader knows about the logs of the members

	// members and restored are the content of the snapshot in raft, if the
	// receiver has decoded it.
	members  *roster
	restored *state.State
}

// hello asks a manager who it is, or answers that.
type hello struct {
	id     uint64
	leader string // the address of its leader
	label  string
	nonce  uint64 // of the one that asked
	reply  bool
	// known is, in a reply, what the one that asked acknowledged before.
	known ackRecord
}

// join asks the leader to admit a manager.
type join struct{ id uint64 }

// The kinds of message.
const (
	messageRaft = iota + 1
	messageHello
	messageJoin
	messageBootstrap
	messageAcks
)

// maxText is the longest address or label in a message, in bytes.
const maxText = 1024

// peerTypes are the messages of the library that managers send to each other. The
// others are for the library itself.
var peerTypes = map[pb.MessageType]bool{
	pb.MsgApp: true, pb.MsgAppResp: true, pb.MsgVote: true, pb.MsgVoteResp: true, pb.MsgSnap: true,
	pb.MsgHeartbeat: true, pb.MsgHeartbeatResp: true, pb.MsgTimeoutNow: true, pb.MsgReadIndex: true,
	pb.MsgReadIndexResp: true, pb.MsgPreVote: true, pb.MsgPreVoteResp: true,
}

// isSnapshot reports whether the message has a snapshot of the state.
func (m *Message) isSnapshot() bool { return m.raft.GetType() == pb.MsgSnap && m.raft != nil }

// appendMessage encodes a message without From.
func appendMessage(buf []byte, m *Message) ([]byte, error) {
	w := newWriter(buf)
	w.Fixed(m.ClusterID)
	switch {
	case m.hello != nil:
		w.Byte(messageHello)
		w.Fixed(m.hello.id)
		w.Text(m.hello.leader)
		w.Text(m.hello.label)
		w.Fixed(m.hello.nonce)
		w.Bool(m.hello.reply)
		w.ack(m.hello.known)
	case m.acks != nil:
		w.Byte(messageAcks)
		w.acks(m.acks)
	case m.join != nil:
		w.Byte(messageJoin)
		w.Fixed(m.join.id)
	case m.bootstrap != nil:
		w.Byte(messageBootstrap)
		return proto.MarshalOptions{}.MarshalAppend(w.Buf, m.bootstrap)
	default:
		w.Byte(messageRaft)
		return proto.MarshalOptions{}.MarshalAppend(w.Buf, m.raft)
	}
	return w.Buf, nil
}

// decodeMessage decodes a message, and refuses what no manager sends.
func decodeMessage(data []byte) (Message, error) {
	r := newReader(data)
	m := Message{ClusterID: r.Fixed()}
	switch r.Byte() {
	case messageHello:
		m.hello = &hello{id: r.Fixed(), leader: r.Text(), label: r.Text(), nonce: r.Fixed(), reply: r.Bool(), known: r.ack()}
		if len(m.hello.leader) > maxText || len(m.hello.label) > maxText {
			r.Fail()
		}
	case messageJoin:
		m.join = &join{id: r.Fixed()}
	case messageAcks:
		m.acks = r.acks()
	case messageBootstrap:
		m.bootstrap = &pb.Snapshot{}
		return m, m.unmarshal(r.Buf, m.bootstrap)
	case messageRaft:
		m.raft = &pb.Message{}
		if err := m.unmarshal(r.Buf, m.raft); err != nil {
			return m, err
		}
		return m, checkRaft(m.raft)
	default:
		r.Fail()
	}
	if !r.Whole() {
		return m, fmt.Errorf("message: %w", errMalformed)
	}
	return m, nil
}

func (m *Message) unmarshal(data []byte, to proto.Message) error {
	if err := proto.Unmarshal(data, to); err != nil {
		return fmt.Errorf("message: %w: %w", errMalformed, err)
	}
	return nil
}

// checkRaft refuses messages that make the library panic, or that are for the
// library itself.
func checkRaft(m *pb.Message) error {
	if !peerTypes[m.GetType()] || m.GetFrom() == 0 || m.GetTo() == 0 || len(m.GetResponses()) > 0 {
		return fmt.Errorf("message of type %s: %w", m.GetType(), errMalformed)
	}
	if (m.GetType() == pb.MsgSnap) != (m.GetSnapshot().GetMetadata() != nil) {
		return fmt.Errorf("message with a snapshot in the wrong place: %w", errMalformed)
	}
	for i, e := range m.GetEntries() {
		if m.GetType() == pb.MsgApp && e.GetIndex() != m.GetIndex()+uint64(i)+1 {
			return fmt.Errorf("message with entries out of order: %w", errMalformed)
		}
	}
	return nil
}
