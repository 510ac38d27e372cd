package manager

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/replica"
)

// topicManagers is the topic on which managers ask each other who leads.
const topicManagers = "musterManagers"

// The keys on it.
const (
	keyWhoLeads = "lead.who" // a question, from a manager that knows no leader
	keyLeads    = "lead.me"  // the leader, when it is asked and when it starts to lead
)

// leaderBeacon learns over the message queue whether another manager leads. A
// manager that is cut off from the others, but not from the queue, must not serve
// stale reads while there is a leader. Nothing is sent while a leader is known.
// It may be used by several goroutines, and has none of its own.
type leaderBeacon struct {
	self beaconMessage

	leads     atomic.Uint64  // own term, 0 unless this manager leads
	heard     atomic.Int64   // how many announcements of other leaders arrived
	asks      atomic.Bool    // a question is to be sent
	announces atomic.Bool    // the own lead is to be announced
	ready     mailbox.Signal // something is to be sent
}

// beaconMessage is the body of both messages.
type beaconMessage struct {
	Cluster string `json:"cluster"`
	ID      string `json:"id"`
	Term    uint64 `json:"term"`
}

func newLeaderBeacon(cluster, id string) *leaderBeacon {
	return &leaderBeacon{self: beaconMessage{Cluster: cluster, ID: id}, ready: mailbox.NewSignal()}
}

// listen takes a message.
func (b *leaderBeacon) listen(key string, body json.RawMessage) {
	var w beaconMessage
	if json.Unmarshal(body, &w) != nil || w.Cluster != b.self.Cluster || w.ID == b.self.ID {
		return
	}
	switch key {
	case keyWhoLeads:
		if b.leads.Load() > 0 {
			b.announce()
		}
	case keyLeads:
		b.heard.Add(1)
	}
}

// follow adopts the role of this manager, and announces a new lead.
func (b *leaderBeacon) follow(role replica.Role) {
	if role.Kind != replica.Leader {
		b.leads.Store(0)
		return
	}
	b.leads.Store(role.Term)
	b.announce()
}

// ask sends a question.
func (b *leaderBeacon) ask() {
	b.asks.Store(true)
	b.ready.Raise()
}

func (b *leaderBeacon) announce() {
	b.announces.Store(true)
	b.ready.Raise()
}

// take returns the next message to be sent, if there is one.
func (b *leaderBeacon) take() (key string, message beaconMessage, ok bool) {
	message = b.self
	if b.asks.Swap(false) {
		return keyWhoLeads, message, true
	}
	if b.announces.Swap(false) {
		message.Term = b.leads.Load()
		return keyLeads, message, message.Term > 0
	}
	return "", message, false
}

// askEvery is the time between two questions, where stale reads start after
// that time.
func askEvery(after time.Duration) time.Duration { return max(after/4, 10*time.Millisecond) }
