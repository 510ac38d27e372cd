package amqpbus

import (
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// leaderConsumer receives the requests of a member while it leads. It has its own
// channels for as long as the session, so that requests received while leading
// can be answered afterwards. All but answers are on the session's connection
// that only consumes.
type leaderConsumer struct {
	member   *groupMember
	session  *session
	channel  *amqp.Channel
	probe    *amqp.Channel // to read the length of the queue
	answers  *answers
	queue    string
	hold     *hold
	incoming sequence

	// The fields below need member.changing.
	rank      rank
	consumers int    // started so far
	tag       string // of the current consumer
	window    window
	bodies    bodySize
	readers   sync.WaitGroup // the goroutines of receive
}

// openLeaderConsumer opens the channels and does not consume yet. When the broker
// closes one, the idle consumer's channel is closed, too, so that all are
// reopened.
func (p *groupMember) openLeaderConsumer(s *session, idle *amqp.Channel, queue string) (*leaderConsumer, error) {
	conn, err := s.consuming()
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	probe, err := conn.Channel()
	if err != nil {
		_ = ch.Close()
		return nil, err
	}
	a, err := openAnswers(s)
	if err != nil {
		_ = ch.Close()
		_ = probe.Close()
		return nil, err
	}
	d := &leaderConsumer{member: p, session: s, channel: ch, probe: probe, answers: a, queue: queue, hold: newHold(s, ch, a), rank: following}
	if !s.spawn(d.hold.run) {
		return nil, bus.ErrDisconnected
	}
	s.spawn(d.adjustWindow)
	for _, ch := range []*amqp.Channel{ch, a.channel} {
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		s.spawn(func() {
			if err := <-closed; err != nil && !s.isOver() {
				d.lost(err)
				_ = idle.Close()
			}
		})
	}
	return d, nil
}

// lost is called when the broker has closed a channel.
func (d *leaderConsumer) lost(err error) {
	d.member.conn.limits.learn(err)
	d.member.conn.log.Warn("broker closed a channel", "what", d.member.consumer.what, "err", err)
	if isMissing(err) {
		d.session.reconnect()
	}
}

// consume starts a consumer with that priority, or stops consuming if the rank is
// following.
func (d *leaderConsumer) consume(r rank) error {
	if d.rank == r {
		return nil
	}
	if err := d.stopConsuming(); err != nil || r == following {
		return err
	}
	if err := d.startConsumer(r, newWindow()); err != nil {
		return err
	}
	d.hold.busy.Raise()
	return nil
}

// startConsumer starts a consumer with the window as its prefetch limit, which
// AMQP fixes when a consumer starts. (The limit of a channel can be changed, but
// RabbitMQ then miscounts.)
func (d *leaderConsumer) startConsumer(r rank, w window) error {
	d.consumers++
	// It travels with every message, so it is short.
	tag := strconv.Itoa(d.consumers)
	if err := d.channel.Qos(w.limit, 0, false); err != nil {
		return err
	}
	deliveries, err := d.channel.Consume(d.queue, tag, false, false, false, false, priority(r))
	if err != nil {
		return err
	}
	d.rank, d.tag, d.window = r, tag, w
	d.hold.setLimit(w.limit)
	return d.receive(deliveries)
}

// resize changes the window: it starts the new consumer before it cancels the old
// one, since without a consumer another member would get requests.
func (d *leaderConsumer) resize(w window) error {
	old := d.tag
	if err := d.startConsumer(d.rank, w); err != nil {
		return err
	}
	return d.channel.Cancel(old, false)
}

// receive starts a goroutine that takes the deliveries.
func (d *leaderConsumer) receive(deliveries <-chan amqp.Delivery) error {
	return d.session.start(&d.readers, func() {
		for delivery := range deliveries {
			d.incoming.put(delivery, d.take)
		}
	})
}

func (d *leaderConsumer) take(delivery amqp.Delivery) {
	k := d.hold.receive(delivery.DeliveryTag, len(delivery.Body))
	k.again = delivery.Redelivered
	d.member.take(delivery.Body, k)
}

// stopConsuming cancels the consumer, and returns when the requests received so
// far are queued for the handler.
func (d *leaderConsumer) stopConsuming() error {
	if d.rank == following {
		return nil
	}
	if err := d.channel.Cancel(d.tag, false); err != nil {
		return err
	}
	d.rank = following
	d.readers.Wait()
	return nil
}

// close ends it. Unanswered requests go to another member.
func (d *leaderConsumer) close() {
	_ = d.stopConsuming()
	d.answers.close()
	d.hold.end()
	_ = d.probe.Close()
	_ = d.channel.Close()
	d.readers.Wait()
}

// adjustWindow keeps the window as small as the load allows, until the hold ends.
// It sleeps while there are no requests.
func (d *leaderConsumer) adjustWindow() {
	next := time.NewTimer(0)
	defer next.Stop()
	for await(d, d.hold.busy) {
		next.Reset(lookEvery)
		if !await(d, next.C) {
			return
		}
		if d.measure() {
			d.hold.busy.Raise()
		}
	}
}

// await reports false if the hold or the session ends first.
func await[T any](d *leaderConsumer, event <-chan T) bool {
	select {
	case <-event:
		return true
	case <-d.hold.ending:
	case <-d.session.over:
	}
	return false
}

// measure adapts the window to the load, and reports whether to measure again even
// if no more requests arrive. Errors mean that the channel is closed.
func (d *leaderConsumer) measure() (again bool) {
	d.member.changing.Lock()
	defer d.member.changing.Unlock()
	if d.rank == following {
		return false
	}
	r := d.hold.read()
	if r.mayWait() && d.window.limit < floodInHand {
		q, err := d.probe.QueueDeclarePassive(d.queue, false, true, false, false, nil)
		if err != nil {
			return false
		}
		r.waiting = q.Messages
	}
	d.bodies = d.bodies.after(r)
	w := d.bodies.fit(d.window.after(r))
	if w.limit == d.window.limit {
		d.window = w
	} else if err := d.resize(w); err != nil {
		return false
	}
	return r.inHand > 0 || w.limit > leastInHand
}
