package amqpbus

import (
	"bufio"
	"context"
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// softLimit is how much may be unsent before senders wait, hardLimit
	// before answers, which cannot wait, are dropped.
	softLimit = 4 << 20
	hardLimit = 64 << 20
	// readSize is how much one read takes from the socket.
	readSize = 64 << 10
	// keepSize is the largest buffer that is kept for the next writes.
	keepSize = 1 << 20
	// lastWords is how long Close lets what is unsent leave.
	lastWords = 250 * time.Millisecond
)

// coalescer is a net.Conn whose writes do not block: one goroutine writes what
// has gathered since its last write. The library writes each message on its
// own, so many senders would otherwise cost as many system calls.
type coalescer struct {
	net.Conn
	in *bufio.Reader
	// stay frees the connection from the context that it was dialled with, and
	// returns false if that is over already.
	stay func() bool

	mu      sync.Mutex
	filled  sync.Cond
	buf     []byte // gathered
	spare   []byte // the other buffer, while it is not being written
	writing int    // bytes being written
	drained chan struct{}
	err     error
	closed  bool
	gone    chan struct{} // closed when the goroutine has ended
}

func newCoalescer(conn net.Conn) *coalescer {
	w := &coalescer{Conn: conn, in: bufio.NewReaderSize(conn, readSize), gone: make(chan struct{})}
	w.filled.L = &w.mu
	go w.flush()
	return w
}

// Read is for one goroutine.
func (w *coalescer) Read(p []byte) (int, error) { return w.in.Read(p) }

// Write gathers p. Its error is that of an earlier write.
func (w *coalescer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return 0, w.err
	case w.closed:
		return 0, net.ErrClosed
	}
	w.buf = append(w.buf, p...)
	w.filled.Signal()
	return len(p), nil
}

func (w *coalescer) flush() {
	defer close(w.gone)
	for {
		out := w.next()
		if out == nil {
			return
		}
		_, err := w.Conn.Write(out)
		if !w.wrote(out, err) {
			// The reader then finds the connection closed.
			w.Conn.Close()
			return
		}
	}
}

// next waits for bytes to write and returns nil when none will come.
func (w *coalescer) next() []byte {
	w.mu.Lock()
	for len(w.buf) == 0 && !w.closed {
		w.filled.Wait()
	}
	w.mu.Unlock()
	// Whoever is about to write gets a turn; if nobody is, this costs nothing.
	runtime.Gosched()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf) == 0 {
		return nil
	}
	out := w.buf
	w.buf, w.spare, w.writing = w.spare[:0], nil, len(out)
	return out
}

func (w *coalescer) wrote(out []byte, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = 0
	w.err = err
	if cap(out) <= keepSize {
		w.spare = out[:0]
	}
	if w.drained != nil {
		close(w.drained)
		w.drained = nil
	}
	return err == nil
}

// unsent is how many bytes have not been taken by the system.
func (w *coalescer) unsent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.buf) + w.writing
}

// room waits until less than softLimit is unsent, or the connection is over,
// which the next Write tells.
func (w *coalescer) room(ctx context.Context) error {
	for {
		drained := w.full()
		if drained == nil {
			return nil
		}
		select {
		case <-drained:
		case <-w.gone:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// full returns what is closed after the next write, nil if there is room.
func (w *coalescer) full() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf)+w.writing < softLimit {
		return nil
	}
	if w.drained == nil {
		w.drained = make(chan struct{})
	}
	return w.drained
}

// Close lets what is unsent leave if the other side reads, and closes.
func (w *coalescer) Close() error {
	w.mu.Lock()
	w.closed = true
	w.filled.Signal()
	w.mu.Unlock()
	_ = w.Conn.SetWriteDeadline(time.Now().Add(lastWords))
	<-w.gone
	return w.Conn.Close()
}
