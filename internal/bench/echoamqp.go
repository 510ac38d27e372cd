package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// amqpEcho calls by the default exchange, and consumes without
// acknowledgement, both as OWT's programs do.
type amqpEcho struct {
	conns   []*amqp.Connection
	channel *amqp.Channel
	name    string
	replyTo string
	request []byte
	lanes   []amqpLane
	running sync.WaitGroup
}

// amqpLane is where a call waits for its answer.
type amqpLane struct {
	answers chan uint64
	calls   uint64
	_       [48]byte // a cache line for each lane
}

func startAMQPEcho(o bus.Options, name string, request, answer []byte, lanes int) (*amqpEcho, error) {
	e := &amqpEcho{name: name, request: request, lanes: make([]amqpLane, lanes)}
	for i := range e.lanes {
		e.lanes[i].answers = make(chan uint64, 2) // one may be late
	}
	err := e.serve(o, answer)
	if err == nil {
		err = e.listen(o, len(answer))
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// open makes a connection with one queue on it, and consumes that.
func (e *amqpEcho) open(o bus.Options, queue string) (*amqp.Channel, string, <-chan amqp.Delivery, error) {
	conn, err := dialAMQP(o)
	if err != nil {
		return nil, "", nil, err
	}
	e.conns = append(e.conns, conn)
	channel, err := conn.Channel()
	if err != nil {
		return nil, "", nil, err
	}
	q, err := channel.QueueDeclare(queue, false, true, true, false, nil)
	if err != nil {
		return nil, "", nil, err
	}
	deliveries, err := channel.Consume(q.Name, "", true, true, false, false, nil)
	return channel, q.Name, deliveries, err
}

func dialAMQP(o bus.Options) (*amqp.Connection, error) {
	url, _, _ := strings.Cut(o.URL, ",")
	cfg := amqp.Config{TLSClientConfig: o.TLS, Locale: "en_US"}
	if o.User != "" {
		cfg.SASL = []amqp.Authentication{&amqp.PlainAuth{Username: o.User, Password: o.Password}}
	}
	return amqp.DialConfig(url, cfg)
}

func (e *amqpEcho) serve(o bus.Options, answer []byte) error {
	channel, _, requests, err := e.open(o, e.name)
	if err != nil {
		return err
	}
	e.running.Go(func() {
		for d := range requests {
			_ = channel.PublishWithContext(context.Background(), "", d.ReplyTo, false, false,
				amqp.Publishing{CorrelationId: d.CorrelationId, Body: answer})
		}
	})
	return nil
}

func (e *amqpEcho) listen(o bus.Options, answerSize int) error {
	channel, queue, answers, err := e.open(o, "")
	if err != nil {
		return err
	}
	e.channel, e.replyTo = channel, queue
	e.running.Go(func() {
		for d := range answers {
			if id, err := strconv.ParseUint(d.CorrelationId, 10, 64); err == nil && len(d.Body) == answerSize {
				e.deliver(id)
			}
		}
	})
	return nil
}

// deliver hands an answer over. One whose caller has given up is dropped.
func (e *amqpEcho) deliver(id uint64) {
	select {
	case e.lanes[id%uint64(len(e.lanes))].answers <- id:
	default:
	}
}

func (e *amqpEcho) call(ctx context.Context, lane int) error {
	l := &e.lanes[lane]
	id := l.calls*uint64(len(e.lanes)) + uint64(lane)
	l.calls++
	err := e.channel.PublishWithContext(ctx, "", e.name, false, false,
		amqp.Publishing{CorrelationId: strconv.FormatUint(id, 10), ReplyTo: e.replyTo, Body: e.request})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	for {
		select {
		case got := <-l.answers:
			if got == id {
				return nil
			}
		case <-ctx.Done():
			return errors.New("the echo server did not answer in time")
		}
	}
}

func (e *amqpEcho) close() {
	for _, c := range e.conns {
		_ = c.Close()
	}
	e.running.Wait()
}
