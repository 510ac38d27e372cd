package raft

import (
	"fmt"
	"strings"
)

// ClusterID is the random number of the cluster that this manager is in: of
// all that grew from one formation. It is 0 before it is in one.
func (c *Core) ClusterID() uint64 { return c.roster.clusterID }

// IsSnapshot reports whether the message is one that travels alone, and whose
// end the sender waits for: see Core.SnapshotSent.
func (m Message) IsSnapshot() bool { return m.isSnapshot() }

// String says what the message is, in a few words.
func (m Message) String() string {
	switch {
	case m.hello != nil && m.hello.reply:
		return "hello back"
	case m.hello != nil:
		return "hello"
	case m.join != nil:
		return "let me in"
	case m.bootstrap != nil:
		return "the beginning"
	case m.acks != nil:
		return "what the members have"
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
