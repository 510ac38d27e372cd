package bench

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/bench/measure"
)

type natsEcho struct {
	server, client *nats.Conn
	subject        string
	request        []byte
	answerSize     int
}

func startNATSEcho(o bus.Options, name string, request, answer []byte) (*natsEcho, error) {
	e := &natsEcho{subject: name, request: request, answerSize: len(answer)}
	var err error
	if e.server, err = dialNATS(o, name+"-server"); err != nil {
		return nil, err
	}
	if e.client, err = dialNATS(o, name+"-client"); err != nil {
		e.close()
		return nil, err
	}
	_, err = e.server.Subscribe(name, func(m *nats.Msg) { _ = m.Respond(answer) })
	if err == nil {
		err = e.server.FlushTimeout(measure.AnswerTime)
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func dialNATS(o bus.Options, name string) (*nats.Conn, error) {
	opts := []nats.Option{nats.Name(name)}
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.TLS != nil {
		opts = append(opts, nats.Secure(o.TLS))
	}
	return nats.Connect(o.URL, opts...)
}

func (e *natsEcho) call(ctx context.Context, _ int) error {
	m, err := e.client.RequestWithContext(ctx, e.subject, e.request)
	if err == nil && len(m.Data) != e.answerSize {
		err = fmt.Errorf("the echo has %d bytes, not %d", len(m.Data), e.answerSize)
	}
	return err
}

func (e *natsEcho) close() {
	for _, c := range []*nats.Conn{e.client, e.server} {
		if c != nil {
			c.Close()
		}
	}
}
