package natsbus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/nats-io/nats.go"
)

const (
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
	// With pingEvery and pingsLost a broker counts as gone after some 15 s of
	// silence.
	pingEvery = 5 * time.Second
	pingsLost = 2
	// flushTimeout bounds what has no deadline of its own.
	flushTimeout = 5 * time.Second
)

// Dial connects. It fails at once if no server of the URL can be reached or the
// server refuses, and when the context ends. The Conn later reconnects by itself.
func Dial(ctx context.Context, o bus.Options) (*Conn, error) {
	a, err := parseAddress(o)
	if err != nil {
		return nil, err
	}
	c := newConn(o, a.self())
	opts, err := a.options()
	if err != nil {
		return nil, err
	}
	opts = append(opts, nats.SetCustomDialer(c.wire))
	if a.tls {
		opts = append(opts, nats.Secure(o.TLS.Clone()))
	}
	return c.connect(ctx, a, opts)
}

// InProcess is a NATS server in this program: a natsserver.Server.
type InProcess interface {
	InProcessConn() (net.Conn, error)
	// Credentials returns the user and password of a client.
	Credentials() (user, password string)
}

// knowsUsers is an InProcess server that lets in the users that it knows only.
type knowsUsers interface {
	// OwnUser returns who this program is there, nil if it knows no users.
	OwnUser() *natsauth.Credentials
}

// DialInProcess connects to a server in this program without a socket. URL, TLS and
// Credentials of the options are not used, and the User defaults to the server's own.
func DialInProcess(ctx context.Context, server InProcess, o bus.Options) (*Conn, error) {
	if o.User == "" {
		o.User, o.Password = server.Credentials()
	}
	a := address{urls: []string{"nats://in-process"}}
	a.take(o)
	if s, ok := server.(knowsUsers); ok {
		a.credentials = s.OwnUser()
	}
	c := newConn(o, a.self())
	c.wire.dial = func(context.Context, string, string) (net.Conn, error) { return server.InProcessConn() }
	opts, err := a.options()
	if err != nil {
		return nil, err
	}
	return c.connect(ctx, a, append(opts, nats.InProcessServer(c.wire)))
}

func newConn(o bus.Options, self bus.Identity) *Conn {
	c := &Conn{log: o.Log().With("component", "natsbus"), name: o.Name, self: self, subs: map[*subscription]struct{}{}}
	prefix := replyPrefix
	if self != (bus.Identity{}) {
		prefix = natsauth.ReplyPrefix(self)
	}
	c.calls = newCalls(prefix + rand.Text()[:16] + ".")
	c.wire = newWire(func(number uint64) { c.calls.fail(number, bus.ErrDisconnected) })
	return c
}

func (c *Conn) connect(ctx context.Context, a address, opts []nats.Option) (*Conn, error) {
	end := context.AfterFunc(ctx, c.wire.abort)
	defer end()
	c.urls, c.opts = a.String(), append(opts, c.options()...)
	nc, closed, err := c.connectNATS()
	if err == nil {
		c.nc.Store(nc)
		c.keeper.Go(func() { c.keep(closed) })
		err = c.open(ctx)
	}
	if err != nil {
		c.wire.abort()
		c.wire.writers.Wait()
		return nil, dialError(ctx, a, err, c.wire.lastError())
	}
	c.log.Info("connected", "server", nc.ConnectedUrlRedacted())
	return c, nil
}

// options are the same for every address.
func (c *Conn) options() []nats.Option {
	return []nats.Option{
		nats.Name(c.name),
		nats.Timeout(dialTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(backoff),
		nats.ReconnectOnFlusherError(),
		nats.IgnoreAuthErrorAbort(),
		nats.SkipSubjectValidation(),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(pingsLost),
		nats.DisconnectErrHandler(c.disconnected),
		nats.ReconnectHandler(c.reconnected),
		nats.ReconnectErrHandler(c.notReconnected),
		nats.ErrorHandler(c.asyncError),
	}
}

// backoff is how long to wait after so many rounds through all servers: it
// doubles up to longPause, less a random part of up to half.
func backoff(rounds int) time.Duration {
	d := longPause
	if rounds < 6 {
		d = min(longPause, firstPause<<max(0, rounds-1))
	}
	return d - mathrand.N(d/2)
}

// dialError adds what an operator can do about an error.
func dialError(ctx context.Context, a address, err, last error) error {
	hint := ""
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, nats.ErrNoServers) && last != nil:
		err, hint = last, "; is the server running there?"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		err, hint = fmt.Errorf("%w: %w", bus.ErrDenied, err), "; check user and password, token, creds, nkey or credentials"
	}
	return fmt.Errorf("natsbus: cannot connect to %s: %w%s", a, err, hint)
}
