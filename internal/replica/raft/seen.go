package raft

import (
	"fmt"
	"strings"
)

// ClusterID is the random number that this manager's cluster got when it was
// created. It is 0 before the manager is in one.
func (c *Core) ClusterID() uint64 { return c.roster.clusterID }

// IsSnapshot reports whether the message is sent over its own connection, and its
// arrival reported to the sender: see Core.SnapshotSent.
func (m Message) IsSnapshot() bool { return m.isSnapshot() }

// String describes the message in a few words.
func (m Message) String() string {
	switch {
	case m.hello != nil && m.hello.reply:
		return "hello reply"
	case m.hello != nil:
		return "hello"
	case m.join != nil:
		return "join"
	case m.bootstrap != nil:
		return "initial snapshot"
	case m.acks != nil:
		return "acks"
	case m.raft == nil:
		return "nothing"
	}
	text := fmt.Sprintf("%s term %d", strings.TrimPrefix(m.raft.GetType().String(), "Msg"), m.raft.GetTerm())
	if n := len(m.raft.GetEntries()); n > 0 {
		first := m.raft.GetEntries()[0].GetIndex()
		text += fmt.Sprintf(" entries %d to %d", first, first+uint64(n)-1)
	}
	if m.raft.GetReject() {
		text += " refused"
	}
	return text
}
