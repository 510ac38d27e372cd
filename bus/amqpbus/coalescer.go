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
	// softLimit is how many bytes may be unsent before senders wait, hardLimit
	// before answers, which cannot wait, are dropped.
	softLimit = 4 << 20
	hardLimit = 64 << 20
	// readSize is how much one read takes from the socket.
	readSize = 64 << 10
	// keepSize is the largest buffer that is kept for the next writes.
	keepSize = 1 << 20
	// flushOnClose is how long Close waits for unsent bytes.
	flushOnClose = 250 * time.Millisecond
)

// coalescer is a net.Conn whose writes do not block: one goroutine writes all
// bytes buffered since its last write. The library writes each message
// separately, which would cost one system call per message.
type coalescer struct {
	net.Conn
	in *bufio.Reader
	// detach unties the connection from the context it was dialled with. It
	// returns false if that context has ended.
	detach func() bool

	mu      sync.Mutex
	filled  sync.Cond
	buf     []byte // not yet being written
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

// Write buffers p. Its error is that of an earlier write.
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
			// This ends the reader, too.
			w.Conn.Close()
			return
		}
	}
}

// next waits for bytes to write. It returns nil once closed and empty.
func (w *coalescer) next() []byte {
	w.mu.Lock()
	for len(w.buf) == 0 && !w.closed {
		w.filled.Wait()
	}
	w.mu.Unlock()
	// Let goroutines that are about to write add to the batch; this is cheap if
	// there are none.
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

// unsent returns how many bytes the kernel has not accepted yet.
func (w *coalescer) unsent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.buf) + w.writing
}

// room waits until less than softLimit is unsent. It also returns if the
// connection has failed, which the next Write reports.
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

// full returns a channel that is closed after the next write, nil if there is
// room.
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

// Close waits up to flushOnClose for unsent bytes, and closes.
func (w *coalescer) Close() error {
	w.mu.Lock()
	w.closed = true
	w.filled.Signal()
	w.mu.Unlock()
	_ = w.Conn.SetWriteDeadline(time.Now().Add(flushOnClose))
	<-w.gone
	return w.Conn.Close()
}
