package amqpbus

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// consumer receives from a queue, on each session in turn. It has its own
// channel, which is reopened if the broker closes it.
type consumer struct {
	owner *Conn
	what  string // for the log
	// declare declares the queue and returns its name.
	declare func(*amqp.Channel) (queue string, err error)
	// begin starts to consume the queue, cancel stops it.
	begin  func(s *session, ch *amqp.Channel, queue string) (<-chan amqp.Delivery, error)
	cancel func(ch *amqp.Channel)
	// ready is called with the queue's name once it is consumed; it may be nil.
	ready func(s *session, queue string)
	// handle is called with one message at a time. It must be quick: the library
	// buffers without limit.
	handle func(amqp.Delivery)
	// stop is called once, after the last message was handled.
	stop func()

	done    chan struct{} // closed by close
	closing sync.Once
	pumps   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	session *session
	channel *amqp.Channel
}

// attach declares the queue and consumes it. It does nothing if the consumer is
// attached to this session already.
func (k *consumer) attach(s *session) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return bus.ErrClosed
	}
	if k.session == s {
		return nil
	}
	deliveries, err := k.open(s)
	if err != nil {
		return err
	}
	k.session = s
	return s.start(&k.pumps, func() { k.pump(s, deliveries) })
}

// retryAttach retries until it succeeds, or the session or the consumer ends.
func (k *consumer) retryAttach(s *session) {
	var pause backoff
	for k.pause(&pause, s) {
		if k.attach(s) == nil {
			return
		}
	}
}

// pause returns false if the session or the consumer ended meanwhile.
func (k *consumer) pause(b *backoff, s *session) bool {
	return b.wait(s.over, k.done) && !s.isOver()
}

// open needs k.mu. The broker deletes the exchange owtRpc with its last binding,
// which can happen between declaring it and binding to it: then it is retried.
func (k *consumer) open(s *session) (<-chan amqp.Delivery, error) {
	const tries = 10
	for try := 1; ; try++ {
		deliveries, err := k.openOnce(s)
		if err == nil || !isMissing(err) || try == tries {
			return deliveries, err
		}
	}
}

func (k *consumer) openOnce(s *session) (<-chan amqp.Delivery, error) {
	ch, err := s.conn.Channel()
	if err != nil {
		return nil, err
	}
	queue, err := k.declare(ch)
	if err != nil {
		_ = ch.Close()
		return nil, err
	}
	deliveries, err := k.begin(s, ch, queue)
	if err != nil {
		_ = ch.Close()
		return nil, err
	}
	k.channel = ch
	if k.ready != nil {
		k.ready(s, queue)
	}
	return deliveries, nil
}

// consumerTag travels with every message, so it is short. It needs to be
// unique on its channel only.
const consumerTag = "m"

// consumePlainly is OWT's way, without acknowledgements.
func consumePlainly(_ *session, ch *amqp.Channel, queue string) (<-chan amqp.Delivery, error) {
	return ch.Consume(queue, consumerTag, true, false, false, false, nil)
}

// pump handles messages until the consumer or the session is closed. When it
// is only the channel, or the queue, it begins again.
func (k *consumer) pump(s *session, deliveries <-chan amqp.Delivery) {
	for {
		for d := range deliveries {
			k.handle(d)
		}
		var pause backoff
		for again := false; !again; {
			if s.isOver() || !k.pause(&pause, s) {
				return
			}
			deliveries, again = k.reopen(s)
		}
	}
}

func (k *consumer) reopen(s *session) (<-chan amqp.Delivery, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, false
	}
	_ = k.channel.Close()
	deliveries, err := k.open(s)
	if err != nil {
		k.owner.log.Warn("broker closed a consumer and refuses to restore it, retrying", "what", k.what, "err", err)
		return nil, false
	}
	k.owner.log.Info("consuming again", "what", k.what)
	return deliveries, true
}

// close stops consuming and waits until all received messages are handled.
func (k *consumer) close() {
	k.closing.Do(func() {
		close(k.done)
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		k.detach(ctx)
		if k.stop != nil {
			k.stop()
		}
	})
}

// detach cancels the consumer at the broker. It does not wait past its context
// for a broker that is frozen.
func (k *consumer) detach(ctx context.Context) {
	k.mu.Lock()
	k.closed = true
	s, ch := k.session, k.channel
	k.mu.Unlock()
	if s == nil {
		return
	}
	gone := make(chan struct{})
	started := s.spawn(func() {
		k.cancel(ch)
		_ = ch.Close()
		// The pump may have been opening the channel again.
		k.pumps.Wait()
		close(gone)
	})
	if !started {
		k.pumps.Wait()
		return
	}
	select {
	case <-gone:
	case <-ctx.Done():
	}
}

// newConsumer returns a consumer without acknowledgements. Callers set declare
// and handle, and may replace the rest.
func newConsumer(c *Conn, what string) *consumer {
	return &consumer{
		owner: c, what: what, done: make(chan struct{}),
		begin:  consumePlainly,
		cancel: func(ch *amqp.Channel) { _ = ch.Cancel(consumerTag, false) },
	}
}
