package owt

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
)

const (
	// outboxLimit is how many messages wait for a broker that is slow.
	outboxLimit = 1 << 16
	// sendLimit bounds one message.
	sendLimit = time.Second
)

// parcel is a message to be sent. One that is not sent by its deadline is not
// sent at all: a heart-beat from a time that is over would unseat whoever leads
// now.
type parcel struct {
	key      string
	body     json.RawMessage
	deadline time.Time // zero: none
}

// outbox sends messages in order, so that the state's owner never waits for
// the broker. What it cannot send it counts; the slaves miss it and ask.
type outbox struct {
	conn   bus.Conn
	topic  string
	now    func() time.Time
	cancel context.CancelFunc

	mu      sync.Mutex
	wake    sync.Cond
	parcels []parcel
	closed  bool
	lost    uint64
	done    sync.WaitGroup
}

func newOutbox(conn bus.Conn, topic string, now func() time.Time) *outbox {
	ctx, cancel := context.WithCancel(context.Background())
	o := &outbox{conn: conn, topic: topic, now: now, cancel: cancel}
	o.wake.L = &o.mu
	o.done.Go(func() { o.work(ctx) })
	return o
}

func (o *outbox) put(p parcel) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.parcels) >= outboxLimit {
		o.lost++
		return
	}
	o.parcels = append(o.parcels, p)
	o.wake.Signal()
}

func (o *outbox) work(ctx context.Context) {
	for batch := o.next(); batch != nil; batch = o.next() {
		for _, p := range batch {
			if !p.deadline.IsZero() && o.now().After(p.deadline) {
				continue
			}
			if err := o.send(ctx, p); err != nil {
				o.mu.Lock()
				o.lost++
				o.mu.Unlock()
			}
		}
	}
}

func (o *outbox) send(ctx context.Context, p parcel) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	return o.conn.Publish(ctx, o.topic, p.key, p.body)
}

// next waits for parcels; nil means that there will be none.
func (o *outbox) next() []parcel {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.parcels) == 0 && !o.closed {
		o.wake.Wait()
	}
	batch := o.parcels
	o.parcels = nil
	return batch
}

func (o *outbox) failed() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// close sends what waits, for a second at most, and returns when its goroutine
// is gone.
func (o *outbox) close() {
	defer time.AfterFunc(sendLimit, o.cancel).Stop()
	o.mu.Lock()
	o.closed = true
	o.wake.Signal()
	o.mu.Unlock()
	o.done.Wait()
	o.cancel()
}
