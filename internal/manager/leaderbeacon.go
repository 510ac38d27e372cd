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
type leaderBeacon struct {
	conn bus.Conn
	log  *slog.Logger
	self beaconMessage
	sub  bus.Subscription

	leads    atomic.Uint64 // own term, 0 unless this manager leads
	heard    atomic.Int64  // how many announcements of other leaders arrived
	ask      chan struct{} // has a token when a question is to be sent
	announce chan struct{} // has a token when the own lead is to be announced
}

// beaconMessage is the body of both messages.
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

// open subscribes to the topic.
func (b *leaderBeacon) open(ctx context.Context) (err error) {
	b.sub, err = b.conn.Subscribe(ctx, topicManagers, "lead.*", b.listen)
	return err
}

func (b *leaderBeacon) close() error { return b.sub.Close() }

// listen handles a message, on a goroutine of the bus.
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

// follow adopts the role of this manager, and announces a new lead.
func (b *leaderBeacon) follow(role replica.Role) {
	if role.Kind != replica.Leader {
		b.leads.Store(0)
		return
	}
	b.leads.Store(role.Term)
	token(b.announce)
}

// run sends questions and announcements until ctx ends.
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

// publish sends one message. A failure is only logged: the question is repeated.
func (b *leaderBeacon) publish(ctx context.Context, key string, term uint64) {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	w := b.self
	w.Term = term
	if err := b.conn.Publish(ctx, topicManagers, key, w); err != nil {
		b.log.Debug("leader beacon not sent", "key", key, "err", err)
	}
}

// token puts a token into c unless it holds one.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// askEvery is the time between two questions, where stale reads start after
// that time.
func askEvery(after time.Duration) time.Duration { return max(after/4, 10*time.Millisecond) }
