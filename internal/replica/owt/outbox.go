package owt

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
)

const (
	// outboxLimit is how many messages may wait for a slow broker.
	outboxLimit = 1 << 16
	// sendLimit bounds the sending of one message.
	sendLimit = time.Second
)

// outgoing is a message to be sent. After its deadline it is not sent at all: an
// outdated heart-beat would unseat the current master.
type outgoing struct {
	key      string
	body     json.RawMessage
	deadline time.Time // zero: none
}

// outbox sends messages in order, so that the state's owner never waits for the
// broker. It counts messages that it cannot send; the slaves notice the gap and
// request the state.
type outbox struct {
	conn   bus.Conn
	topic  string
	now    func() time.Time
	cancel context.CancelFunc

	mu       sync.Mutex
	wake     sync.Cond
	messages []outgoing
	closed   bool
	lost     uint64
	done     sync.WaitGroup
}

func newOutbox(conn bus.Conn, topic string, now func() time.Time) *outbox {
	ctx, cancel := context.WithCancel(context.Background())
	o := &outbox{conn: conn, topic: topic, now: now, cancel: cancel}
	o.wake.L = &o.mu
	o.done.Go(func() { o.work(ctx) })
	return o
}

func (o *outbox) put(p outgoing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.messages) >= outboxLimit {
		o.lost++
		return
	}
	o.messages = append(o.messages, p)
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

func (o *outbox) send(ctx context.Context, p outgoing) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	return o.conn.Publish(ctx, o.topic, p.key, p.body)
}

// next waits for messages; nil means that there will be none.
func (o *outbox) next() []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.messages) == 0 && !o.closed {
		o.wake.Wait()
	}
	batch := o.messages
	o.messages = nil
	return batch
}

func (o *outbox) failed() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// close sends the waiting messages, for a second at most, and returns when the
// goroutine has ended.
func (o *outbox) close() {
	defer time.AfterFunc(sendLimit, o.cancel).Stop()
	o.mu.Lock()
	o.closed = true
	o.wake.Signal()
	o.mu.Unlock()
	o.done.Wait()
	o.cancel()
}
