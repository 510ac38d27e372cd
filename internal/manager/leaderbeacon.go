package manager

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// topicManagers is where managers ask each other who leads.
const topicManagers = "musterManagers"

// The keys on it.
const (
	keyWhoLeads = "lead.who" // asked by one that knows of no leader
	keyLeads    = "lead.me"  // told by the leader, when it is asked and when it begins
)

// hearsay is what a manager hears over the message queue about who leads. One
// that is cut off from the other managers, but not from the queue, learns by it
// that there is a leader, and must not stand in for one. While all is well
// nothing is sent.
type leaderBeacon struct {
	conn bus.Conn
	log  *slog.Logger
	self beaconMessage
	sub  bus.Subscription

	leads    atomic.Uint64 // own term, 0 for one that does not lead
	heard    atomic.Int64  // how often another leader was heard
	ask      chan struct{} // has a token when a question is to leave
	announce chan struct{} // has a token when it is to be told that this one leads
}

// word is what is said.
type beaconMessage struct {
	Cluster string `json:"cluster"`
	ID      string `json:"id"`
	Term    uint64 `json:"term"`
}

func newLeaderBeacon(conn bus.Conn, cluster string, log *slog.Logger) *leaderBeacon {
	return &leaderBeacon{
		conn: conn, log: log, self: beaconMessage{Cluster: cluster, ID: strconv.FormatUint(rand.Uint64(), 36)},
		ask: make(chan struct{}, 1), announce: make(chan struct{}, 1),
	}
}

// open hears from now on.
func (b *leaderBeacon) open(ctx context.Context) (err error) {
	b.sub, err = b.conn.Subscribe(ctx, topicManagers, "lead.*", b.listen)
	return err
}

func (b *leaderBeacon) close() error { return b.sub.Close() }

// listen runs on a goroutine of the queue's.
func (b *leaderBeacon) listen(key string, body json.RawMessage) {
	var w beaconMessage
	if json.Unmarshal(body, &w) != nil || w.Cluster != b.self.Cluster || w.ID == b.self.ID {
		return
	}
	switch key {
	case keyWhoLeads:
		if b.leads.Load() > 0 {
			token(b.announce)
		}
	case keyLeads:
		b.heard.Add(1)
	}
}

// follow takes up the role that this manager has.
func (b *leaderBeacon) follow(role replica.Role) {
	if role.Kind != replica.Leader {
		b.leads.Store(0)
		return
	}
	b.leads.Store(role.Term)
	token(b.announce)
}

// run sends what is to be said, until ctx is over.
func (b *leaderBeacon) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.ask:
			b.publish(ctx, keyWhoLeads, 0)
		case <-b.announce:
			if term := b.leads.Load(); term > 0 {
				b.publish(ctx, keyLeads, term)
			}
		}
	}
}

// say sends one word. Where that fails nobody hears it; it is asked again.
func (b *leaderBeacon) publish(ctx context.Context, key string, term uint64) {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	w := b.self
	w.Term = term
	if err := b.conn.Publish(ctx, topicManagers, key, w); err != nil {
		b.log.Debug("the managers do not hear", "key", key, "err", err)
	}
}

// token puts a token where there is none.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// askEvery is how often the others are asked who leads, before this manager
// stands in after that time.
func askEvery(after time.Duration) time.Duration { return max(after/4, 10*time.Millisecond) }
