// Package asyncconn makes the writes of a connection asynchronous. Client
// libraries write each message separately and hold their locks meanwhile: one
// system call per message, and every caller blocked by a frozen broker.
package asyncconn

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// SoftLimit is how many bytes may be unsent before Room waits.
	SoftLimit = 4 << 20
	// keepSize is the largest buffer that is kept for the next writes.
	keepSize = 1 << 20
)

// Conn is a net.Conn whose Write never waits for the network: one goroutine
// writes all bytes buffered since its last write.
type Conn struct {
	net.Conn
	stall  time.Duration
	unsent atomic.Int64
	gone   chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex
	filled sync.Cond
	buf    []byte // not yet being written
	spare  []byte // the other buffer, while it is not being written
	// written is closed after the next write; nil unless Room waits for it.
	written chan struct{}
	err     error
	closed  bool
}

// New returns a Conn over conn. A write that takes longer than stall breaks it;
// 0 is no limit.
func New(conn net.Conn, stall time.Duration) *Conn {
	c := &Conn{Conn: conn, stall: stall, gone: make(chan struct{})}
	c.filled.L = &c.mu
	go c.run()
	return c
}

// Write buffers p. Its error is that of an earlier write.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return 0, c.err
	case c.closed:
		return 0, net.ErrClosed
	}
	c.buf = append(c.buf, p...)
	c.unsent.Add(int64(len(p)))
	c.filled.Signal()
	return len(p), nil
}

func (c *Conn) run() {
	defer close(c.gone)
	for {
		batch := c.next()
		if batch == nil {
			return
		}
		_, err := c.Conn.Write(batch)
		if !c.wrote(batch, err) {
			c.Conn.Close() // ends the reader, too
			return
		}
	}
}

// next waits for bytes to write. It returns nil once there will be none.
func (c *Conn) next() []byte {
	c.mu.Lock()
	for len(c.buf) == 0 && !c.closed {
		c.filled.Wait()
	}
	c.mu.Unlock()
	// Let goroutines that are about to write add to the batch; this is cheap if
	// there are none.
	runtime.Gosched()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.buf) == 0 || c.err != nil {
		return nil
	}
	if c.stall > 0 && !c.closed {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.stall))
	}
	batch := c.buf
	c.buf, c.spare = c.spare[:0], nil
	return batch
}

// wrote notes the outcome of a write, and reports whether it succeeded.
func (c *Conn) wrote(batch []byte, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsent.Add(-int64(len(batch)))
	if c.err == nil {
		c.err = err
	}
	if cap(batch) <= keepSize {
		c.spare = batch[:0]
	}
	if c.written != nil {
		close(c.written)
		c.written = nil
	}
	return err == nil
}

// Unsent returns how many bytes the kernel has not accepted yet.
func (c *Conn) Unsent() int { return int(c.unsent.Load()) }

// Room waits until less than SoftLimit is unsent. It also returns nil if the
// connection has ended, which the next Write reports.
func (c *Conn) Room(ctx context.Context) error {
	for c.unsent.Load() >= SoftLimit {
		written := c.full()
		if written == nil {
			return nil
		}
		select {
		case <-written:
		case <-c.gone:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// full returns a channel that is closed after the next write, nil if there is
// room.
func (c *Conn) full() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsent.Load() < SoftLimit {
		return nil
	}
	if c.written == nil {
		c.written = make(chan struct{})
	}
	return c.written
}

// Close closes the connection at once; unsent bytes are lost.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	if c.err == nil {
		c.err = net.ErrClosed
	}
	c.filled.Signal()
	c.mu.Unlock()
	return c.Conn.Close()
}

// CloseWithin waits up to that long for unsent bytes, and closes. When it
// returns, the goroutine has ended.
func (c *Conn) CloseWithin(linger time.Duration) error {
	c.mu.Lock()
	c.closed = true
	_ = c.Conn.SetWriteDeadline(time.Now().Add(linger))
	c.filled.Signal()
	c.mu.Unlock()
	<-c.gone
	return c.Conn.Close()
}

// Gone is closed when the goroutine has ended.
func (c *Conn) Gone() <-chan struct{} { return c.gone }
