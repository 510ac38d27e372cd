package natsbus

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/internal/asyncconn"
)

// dialTimeout is how long one attempt to connect may take.
const dialTimeout = 2 * time.Second

// wire opens the sockets of a Conn, one after the other, and records whether the
// latest is in use.
type wire struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	lost func(number uint64)

	// ctx ends with the Conn: no more sockets then.
	ctx    context.Context
	cancel context.CancelFunc
	// writers are the goroutines of the sockets.
	writers sync.WaitGroup

	up     atomic.Bool // the latest socket is in use
	latest atomic.Pointer[socket]

	mu      sync.Mutex
	sockets uint64
	err     error
}

func newWire(lost func(uint64)) *wire {
	w := &wire{dial: (&net.Dialer{Timeout: dialTimeout}).DialContext, lost: lost}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Dial is the custom dialer of nats.go. It closes the previous socket, which nats.go
// does not do if the server has refused it.
func (w *wire) Dial(network, address string) (net.Conn, error) {
	if s := w.latest.Load(); s != nil {
		_ = s.Close()
	}
	c, err := w.dial(w.ctx, network, address)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.err = err
		return nil, err
	}
	if w.ctx.Err() != nil {
		_ = c.Close()
		return nil, w.ctx.Err()
	}
	w.sockets++
	s := newSocket(c, w.sockets, w.closed)
	w.writers.Go(func() { <-s.Gone() })
	w.latest.Store(s)
	return s, nil
}

// InProcessConn is Dial for a server in this process.
func (w *wire) InProcessConn() (net.Conn, error) { return w.Dial("pipe", "in process") }

func (w *wire) closed(number uint64) {
	w.mu.Lock()
	if w.number() == number {
		w.up.Store(false)
	}
	w.mu.Unlock()
	w.lost(number)
}

// use marks the socket of that number as in use. It reports false if the socket is
// closed already.
func (w *wire) use(number uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.latest.Load()
	if s == nil || s.number != number || s.isClosed() {
		return false
	}
	w.up.Store(true)
	return true
}

// number is that of the socket in use.
func (w *wire) number() uint64 {
	if s := w.latest.Load(); s != nil {
		return s.number
	}
	return 0
}

// ready waits until something may be sent, but not longer than until, unless that
// is zero. Its error is ErrDisconnected, or that of the context.
func (w *wire) ready(ctx context.Context, until time.Time) error {
	if !w.up.Load() {
		return bus.ErrDisconnected
	}
	s := w.latest.Load()
	if s.Unsent() < asyncconn.SoftLimit {
		return nil
	}
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	return s.Room(ctx)
}

// abort ends attempts to connect, and closes the socket.
func (w *wire) abort() {
	w.cancel()
	w.mu.Lock() // lets a Dial that has just succeeded be seen
	s := w.latest.Load()
	w.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
}

// lastError is why the last attempt to dial failed.
func (w *wire) lastError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
