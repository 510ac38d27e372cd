package amqpbus

import (
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// desk is where the requests come of a member that leads. It has a channel of
// its own for as long as the session, so that what came while the member led can
// be answered afterwards.
type desk struct {
	post     *post
	session  *session
	line     *line
	lookout  *amqp.Channel // to look at the queue
	queue    string
	hold     *hold
	incoming sequence

	// What follows needs post.turning.
	rank    rank
	turns   int    // consumers so far
	tag     string // of the consumer, while it leads
	window  window
	readers sync.WaitGroup // the goroutines that receive
}

// openDesk opens one at which nobody sits. When the broker closes its channel,
// the anchor's is closed, too, so that both are opened anew.
func (p *post) openDesk(s *session, anchor *amqp.Channel, queue string) (*desk, error) {
	ch, err := s.conn.Channel()
	if err != nil {
		return nil, err
	}
	lookout, err := s.conn.Channel()
	if err != nil {
		_ = ch.Close()
		return nil, err
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	l := &line{channel: ch}
	d := &desk{post: p, session: s, line: l, lookout: lookout, queue: queue, hold: newHold(s, l), rank: following}
	if !s.spawn(d.hold.run) {
		return nil, bus.ErrDisconnected
	}
	s.spawn(d.govern)
	s.spawn(func() {
		if err := <-closed; err != nil && !s.isOver() {
			p.conn.limits.learn(err)
			p.conn.log.Warn("the broker closed a channel", "what", p.consumer.what, "error", err)
			if isMissing(err) {
				s.rebind()
			}
			_ = anchor.Close()
		}
	})
	return d, nil
}

// sit takes requests with that rank, or none where it is following.
func (d *desk) sit(r rank) error {
	if d.rank == r {
		return nil
	}
	if err := d.rise(); err != nil || r == following {
		return err
	}
	if err := d.consume(r, newWindow()); err != nil {
		return err
	}
	d.hold.stir()
	return nil
}

// consume begins a consumer that is given as many requests at a time as the
// window says. AMQP has the limit of a consumer begin with it. (The limit of a
// channel can be changed, but RabbitMQ loses count when it is.)
func (d *desk) consume(r rank, w window) error {
	d.turns++
	// It travels with every message, so it is short.
	tag := strconv.Itoa(d.turns)
	var deliveries <-chan amqp.Delivery
	err := d.line.ask(func(ch *amqp.Channel) (err error) {
		if err := ch.Qos(w.limit, 0, false); err != nil {
			return err
		}
		deliveries, err = ch.Consume(d.queue, tag, false, false, false, false, priority(r))
		return err
	})
	if err != nil {
		return err
	}
	d.rank, d.tag, d.window = r, tag, w
	d.hold.setLimit(w.limit)
	return d.receive(deliveries)
}

// admit changes the window: one consumer takes the other's place. Between them
// there is no instant without one, in which somebody else would be given a
// request.
func (d *desk) admit(w window) error {
	old := d.tag
	if err := d.consume(d.rank, w); err != nil {
		return err
	}
	return d.cancel(old)
}

func (d *desk) cancel(tag string) error {
	return d.line.ask(func(ch *amqp.Channel) error { return ch.Cancel(tag, false) })
}

// receive begins to.
func (d *desk) receive(deliveries <-chan amqp.Delivery) error {
	d.readers.Add(1)
	started := d.session.spawn(func() {
		defer d.readers.Done()
		for delivery := range deliveries {
			d.incoming.put(delivery, d.take)
		}
	})
	if !started {
		d.readers.Done()
		return bus.ErrDisconnected
	}
	return nil
}

func (d *desk) take(delivery amqp.Delivery) {
	k := d.hold.receive(delivery.DeliveryTag)
	k.again = delivery.Redelivered
	d.post.take(delivery.Body, k)
}

// rise takes no more requests, and returns when those are with the handler that
// had come.
func (d *desk) rise() error {
	if d.rank == following {
		return nil
	}
	if err := d.cancel(d.tag); err != nil {
		return err
	}
	d.rank = following
	d.readers.Wait()
	return nil
}

// leave ends the desk. What is not answered then goes to somebody else.
func (d *desk) leave() {
	_ = d.rise()
	d.hold.end()
	_ = d.lookout.Close()
	_ = d.line.ask((*amqp.Channel).Close)
	d.readers.Wait()
}

// govern keeps the window as small as the load lets it be, until the hold ends.
// It sleeps while there are no requests.
func (d *desk) govern() {
	next := time.NewTimer(0)
	defer next.Stop()
	for await(d, d.hold.busy) {
		next.Reset(lookEvery)
		if !await(d, next.C) {
			return
		}
		if d.look() {
			d.hold.stir()
		}
	}
}

// await reports false if the desk ended first.
func await[T any](d *desk, event <-chan T) bool {
	select {
	case <-event:
		return true
	case <-d.hold.ending:
	case <-d.session.over:
	}
	return false
}

// look adapts the window, and reports whether another look is due even if no
// more requests come. Errors mean that the channel is gone.
func (d *desk) look() (again bool) {
	d.post.turning.Lock()
	defer d.post.turning.Unlock()
	if d.rank == following {
		return false
	}
	r := d.hold.read()
	if r.full && d.window.limit < floodInHand {
		q, err := d.lookout.QueueDeclarePassive(d.queue, false, true, false, false, nil)
		if err != nil {
			return false
		}
		r.waiting = q.Messages
	}
	w := d.window.after(r)
	if w.limit == d.window.limit {
		d.window = w
	} else if err := d.admit(w); err != nil {
		return false
	}
	return r.inHand > 0 || w.limit > leastInHand
}
