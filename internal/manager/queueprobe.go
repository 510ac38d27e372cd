package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/bus"
)

// topicProbes is where managers send messages to themselves.
const topicProbes = "musterManagers"

// queueProbe sends a message through the queue to itself in each liveness
// interval. One that is not back an interval later means that the queue carries
// nothing, although the connection looks well: a broker that is frozen, or out
// of memory, silences all workers at once.
type queueProbe struct {
	conn bus.Conn
	key  string
	sub  bus.Subscription
	// due holds a token when a message is to be sent.
	due chan struct{}

	sent  uint64        // by the owner
	heard atomic.Uint64 // the newest that came back
	send  atomic.Uint64 // the newest that is to be sent
}

func openProbe(ctx context.Context, conn bus.Conn) (*queueProbe, error) {
	p := &queueProbe{conn: conn, key: fmt.Sprintf("probe.%x", rand.Uint64()), due: make(chan struct{}, 1)}
	var err error
	p.sub, err = conn.Subscribe(ctx, topicProbes, p.key, p.listen)
	return p, err
}

func (p *queueProbe) close() error { return p.sub.Close() }

func (p *queueProbe) listen(_ string, body json.RawMessage) {
	var n uint64
	if json.Unmarshal(body, &n) == nil && n > p.heard.Load() {
		p.heard.Store(n)
	}
}

// next reports whether the last message came back, and has the next one sent.
func (p *queueProbe) next() (carried bool) {
	carried = p.heard.Load() >= p.sent
	p.sent++
	p.send.Store(p.sent)
	select {
	case p.due <- struct{}{}:
	default:
	}
	return carried
}

// forget expects nothing back of what was sent.
func (p *queueProbe) forget() { p.heard.Store(p.sent) }

// run sends until ctx is over. Sending may wait for the broker.
func (p *queueProbe) run(ctx context.Context) {
	for {
		select {
		case <-p.due:
			p.publish(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (p *queueProbe) publish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = p.conn.Publish(ctx, topicProbes, p.key, p.send.Load()) // what does not come back is what counts
}
