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
type hearsay struct {
	conn bus.Conn
	log  *slog.Logger
	self word
	sub  bus.Subscription

	leads atomic.Uint64 // own term, 0 for one that does not lead
	heard atomic.Int64  // how often another leader was heard
	ask   chan struct{} // has a token when a question is to leave
	tell  chan struct{} // has a token when it is to be told that this one leads
}

// word is what is said.
type word struct {
	Cluster string `json:"cluster"`
	ID      string `json:"id"`
	Term    uint64 `json:"term"`
}

func newHearsay(conn bus.Conn, cluster string, log *slog.Logger) *hearsay {
	return &hearsay{
		conn: conn, log: log, self: word{Cluster: cluster, ID: strconv.FormatUint(rand.Uint64(), 36)},
		ask: make(chan struct{}, 1), tell: make(chan struct{}, 1),
	}
}

// open hears from now on.
func (h *hearsay) open(ctx context.Context) (err error) {
	h.sub, err = h.conn.Subscribe(ctx, topicManagers, "lead.*", h.listen)
	return err
}

func (h *hearsay) close() error { return h.sub.Close() }

// listen runs on a goroutine of the queue's.
func (h *hearsay) listen(key string, body json.RawMessage) {
	var w word
	if json.Unmarshal(body, &w) != nil || w.Cluster != h.self.Cluster || w.ID == h.self.ID {
		return
	}
	switch key {
	case keyWhoLeads:
		if h.leads.Load() > 0 {
			token(h.tell)
		}
	case keyLeads:
		h.heard.Add(1)
	}
}

// follow takes up the role that this manager has.
func (h *hearsay) follow(role replica.Role) {
	if role.Kind != replica.Leader {
		h.leads.Store(0)
		return
	}
	h.leads.Store(role.Term)
	token(h.tell)
}

// run sends what is to be said, until ctx is over.
func (h *hearsay) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.ask:
			h.say(ctx, keyWhoLeads, 0)
		case <-h.tell:
			if term := h.leads.Load(); term > 0 {
				h.say(ctx, keyLeads, term)
			}
		}
	}
}

// say sends one word. Where that fails nobody hears it; it is asked again.
func (h *hearsay) say(ctx context.Context, key string, term uint64) {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	w := h.self
	w.Term = term
	if err := h.conn.Publish(ctx, topicManagers, key, w); err != nil {
		h.log.Debug("the managers do not hear", "key", key, "err", err)
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
