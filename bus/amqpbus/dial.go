package amqpbus

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

const (
	// heartbeat is the interval that is asked of the broker. A connection that
	// is silent for three of them is lost.
	heartbeat = 5 * time.Second
	// dialLimit bounds one attempt to connect.
	dialLimit = 10 * time.Second
)

// dialer holds the addresses and credentials of the broker.
type dialer struct {
	servers []server
	tls     *tls.Config
	name    string
}

// server is one broker of a cluster.
type server struct {
	url  string // without user and password
	auth amqp.PlainAuth
}

func newDialer(o bus.Options) (*dialer, error) {
	if o.Token != "" || o.Creds != "" || o.NKey != "" {
		return nil, errors.New("amqpbus: a token, a creds file and an nkey are for NATS: give RabbitMQ a user and a password")
	}
	d := &dialer{tls: o.TLS, name: o.Name}
	for raw := range strings.SplitSeq(o.URL, ",") {
		s, err := parseServer(strings.TrimSpace(raw), o)
		if err != nil {
			return nil, err
		}
		d.servers = append(d.servers, s)
	}
	return d, nil
}

// parseServer does not quote a malformed URL in its error: any part of it may be
// the password.
func parseServer(raw string, o bus.Options) (server, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return server{}, errors.New("amqpbus: the URL cannot be read: use amqp://user:password@host:port/vhost, " +
			"with %-escapes for characters such as / : @ in the password")
	}
	if u.Scheme != "amqp" && u.Scheme != "amqps" {
		return server{}, fmt.Errorf("amqpbus: URL scheme %q: use amqp:// or amqps://", u.Scheme)
	}
	auth := amqp.PlainAuth{Username: "guest", Password: "guest"}
	if u.User != nil {
		auth.Username = u.User.Username()
		auth.Password, _ = u.User.Password()
	}
	auth.Username, auth.Password = cmp.Or(o.User, auth.Username), cmp.Or(o.Password, auth.Password)
	u.User = nil
	return server{url: u.String(), auth: auth}, nil
}

// dial tries each server once.
func (d *dialer) dial(ctx context.Context, c *Conn) (*session, error) {
	var errs []error
	for _, s := range d.servers {
		session, err := d.dialServer(ctx, c, s)
		if err == nil {
			return session, nil
		}
		errs = append(errs, fmt.Errorf("amqpbus: connecting to %s: %w", s.url, explain(err)))
	}
	return nil, errors.Join(errs...)
}

func (d *dialer) dialServer(ctx context.Context, c *Conn, s server) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, sock, err := d.open(ctx, s)
	if err == nil {
		open := func(ctx context.Context) (*amqp.Connection, error) {
			conn, _, err := d.open(ctx, s)
			return conn, err
		}
		var session *session
		if session, err = newSession(ctx, c, conn, sock, open); err == nil {
			return session, nil
		}
	}
	if ctx.Err() != nil && !saidByBroker(err) {
		// The library reports a handshake that our deadline ended as a wrong
		// password.
		err = ctx.Err()
	}
	return nil, err
}

// open connects and does the handshakes; the context ends them.
func (d *dialer) open(ctx context.Context, s server) (*amqp.Connection, *socket, error) {
	var sock *socket
	config := amqp.Config{SASL: []amqp.Authentication{&s.auth}, Heartbeat: heartbeat, Properties: d.properties()}
	config.Dial = func(network, addr string) (net.Conn, error) {
		w, err := dialWire(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		sock = w
		return w, nil
	}
	if d.tls != nil {
		config.TLSClientConfig = d.tls.Clone()
	}
	conn, err := amqp.DialConfig(s.url, config)
	if err == nil && !sock.detach() {
		err = net.ErrClosed
	}
	if err == nil {
		return conn, sock, nil
	}
	if conn != nil {
		_ = conn.CloseDeadline(time.Now())
	}
	if sock != nil {
		_ = sock.Close()
	}
	return nil, nil, err
}

// dialWire connects. Until detach is called the connection ends with the context.
func dialWire(ctx context.Context, network, addr string) (*socket, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetNoDelay(true); err != nil {
			conn.Close()
			return nil, err
		}
	}
	w := newSocket(conn)
	w.detach = context.AfterFunc(ctx, func() { conn.Close() })
	return w, nil
}

func (d *dialer) properties() amqp.Table {
	p := amqp.Table{"product": "Muster"}
	if d.name != "" {
		p["connection_name"] = d.name
	}
	return p
}

func saidByBroker(err error) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Server
}

// explain adds what an operator can do.
func explain(err error) error {
	var refused *amqp.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Code == amqp.NotAllowed, errors.Is(err, amqp.ErrVhost):
		return fmt.Errorf("%w: it does not let the user into this vhost, or has none of that name: %w", bus.ErrDenied, err)
	case refused.Code == amqp.AccessRefused:
		return fmt.Errorf("%w: wrong user or password: %w", bus.ErrDenied, err)
	}
	return err
}
