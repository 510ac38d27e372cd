package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
)

// topicProbes is where managers send messages to themselves.
const topicProbes = "musterManagers"

// probeMethod is a keep-alive, so that the probe waits where those of the workers
// wait, and so that any manager that gets it by mistake ignores it: it comes from
// an unknown worker.
const probeMethod = "keepAlive"

// probePatience is how long a probe may take, at least an interval.
const probePatience = 500 * time.Millisecond

// queueProbe sends messages through the queue to itself in each liveness
// interval. While one is late, workers cannot be heard in time either, although
// the connection looks well:
//
//   - A notice that is late: the broker carries nothing. It is frozen, or out of
//     memory.
//   - A request of a leader that is late: requests wait. RabbitMQ keeps them in one
//     queue, in which a flood delays the signs of life.
type queueProbe struct {
	conn    bus.Conn
	cluster string
	key     string          // of the notices
	name    json.RawMessage // of the worker that sends the requests
	sub     bus.Subscription
	due     mailbox.Signal // messages are to be sent

	notices, requests echo
	leads             atomic.Bool // requests are probed
}

// echo is a message that is sent in each interval and comes back.
type echo struct {
	sent  uint64        // by the owner
	send  atomic.Uint64 // the newest that is to be sent
	heard atomic.Uint64 // the newest that came back
}

func (e *echo) hear(n uint64) {
	if n > e.heard.Load() {
		e.heard.Store(n)
	}
}

// next reports whether what was sent that many intervals ago came back, and has
// the next one sent.
func (e *echo) next(intervals uint64) (carried bool) {
	carried = e.sent < intervals || e.heard.Load() > e.sent-intervals
	e.sent++
	e.send.Store(e.sent)
	return carried
}

// forget expects nothing back of what was sent.
func (e *echo) forget() { e.heard.Store(e.sent) }

func newProbe(conn bus.Conn, cluster string) *queueProbe {
	id := fmt.Sprintf("%x", rand.Uint64())
	return &queueProbe{
		conn: conn, cluster: cluster, due: mailbox.NewSignal(),
		key: "probe." + id, name: json.RawMessage(strconv.Quote("muster-probe-" + id)),
	}
}

func (p *queueProbe) open(ctx context.Context) (err error) {
	p.sub, err = p.conn.Subscribe(ctx, topicProbes, p.key, p.listen)
	return err
}

func (p *queueProbe) close() error { return p.sub.Close() }

func (p *queueProbe) listen(_ string, body json.RawMessage) {
	var n uint64
	if json.Unmarshal(body, &n) == nil {
		p.notices.hear(n)
	}
}

// takes reports whether a request is a probe of this manager's own, and ends it.
func (p *queueProbe) takes(req *bus.Request) bool {
	if p == nil || req.Method != probeMethod || len(req.Args) != 2 || string(req.Args[0]) != string(p.name) {
		return false
	}
	if n, err := strconv.ParseUint(string(req.Args[1]), 10, 64); err == nil {
		p.requests.hear(n)
	}
	req.Done()
	return true
}

// probed is what the probes found.
type probed int

const (
	probesCarried probed = iota
	noticesLate
	requestsLate
)

// next reports how the last messages fared, and has the next ones sent.
func (p *queueProbe) next(leads bool, interval time.Duration) (found probed) {
	intervals := uint64(max(1, probePatience/interval))
	if !p.notices.next(intervals) {
		found = noticesLate
	}
	if !leads {
		p.requests.forget()
	} else if !p.requests.next(intervals) && found == probesCarried {
		found = requestsLate
	}
	p.leads.Store(leads)
	p.due.Raise()
	return found
}

// forget expects nothing back of what was sent.
func (p *queueProbe) forget() {
	p.notices.forget()
	p.requests.forget()
}

// run sends until ctx is done. Sending may wait for the broker.
func (p *queueProbe) run(ctx context.Context) {
	p.due.Follow(ctx, func() { p.publish(ctx) })
}

// publish ignores errors: what does not come back is what counts.
func (p *queueProbe) publish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = p.conn.Publish(ctx, topicProbes, p.key, p.notices.send.Load())
	if p.leads.Load() {
		_ = p.conn.Cast(ctx, p.cluster, probeMethod, p.name, p.requests.send.Load())
	}
}
