package owt

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
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
	conn     bus.Conn
	topic    string
	now      func() time.Time
	messages *mailbox.Box[outgoing]
	unsent   atomic.Uint64
	stop     context.CancelFunc // ends the waiting for messages
	cancel   context.CancelFunc // ends the sending
	done     sync.WaitGroup
}

func newOutbox(conn bus.Conn, topic string, now func() time.Time) *outbox {
	o := &outbox{conn: conn, topic: topic, now: now, messages: mailbox.Bounded[outgoing](outboxLimit)}
	sending, cancel := context.WithCancel(context.Background())
	waiting, stop := context.WithCancel(sending)
	o.cancel, o.stop = cancel, stop
	o.done.Go(func() {
		o.messages.Ready().Follow(waiting, func() { o.sendAll(sending) })
		o.sendAll(sending)
	})
	return o
}

func (o *outbox) put(p outgoing) { o.messages.Put(p) }

func (o *outbox) sendAll(ctx context.Context) {
	for _, p := range o.messages.Take() {
		if !p.deadline.IsZero() && o.now().After(p.deadline) {
			continue
		}
		if err := o.send(ctx, p); err != nil {
			o.unsent.Add(1)
		}
	}
}

func (o *outbox) send(ctx context.Context, p outgoing) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	return o.conn.Publish(ctx, o.topic, p.key, p.body)
}

func (o *outbox) failed() uint64 { return o.messages.Dropped() + o.unsent.Load() }

// close sends the waiting messages, for a second at most, and returns when the
// goroutine has ended.
func (o *outbox) close() {
	defer time.AfterFunc(sendLimit, o.cancel).Stop()
	o.stop()
	o.done.Wait()
	o.cancel()
}
