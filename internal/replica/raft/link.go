package raft

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// maxQueued is how many bytes wait for a peer before more is dropped; the
	// library sends it again.
	maxQueued = 64 << 20
	// maxBody is about how much goes into one frame.
	maxBody = 2 << 20
	// writeTime bounds the writing of a frame.
	writeTime = 5 * time.Second
	// firstPause and lastPause are between two attempts to connect.
	firstPause = 10 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// link carries messages to one peer, over a connection that it opens again and
// again. The peer's messages come over a connection of the peer's own.
//
// A link also tells a peer that is gone from a connection that is gone: when
// its connection closes it opens another one at once. Is there nobody, or
// another incarnation of the log, the peer is gone.
type link struct {
	addr   string
	dialer *dialer
	log    *slog.Logger
	gone   func() // the peer is gone
	lost   func() // messages were lost
	stop   context.CancelFunc

	doubts refusals // why the peer was not trusted

	kick chan struct{} // the peer is there: connect now
	wake chan struct{} // something waits

	mu        sync.Mutex
	connected bool
	conn      net.Conn
	waiting   []Message
	size      int
}

func newLink(addr string, d *dialer, log *slog.Logger) *link {
	return &link{addr: addr, dialer: d, log: log.With("peer", addr), kick: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// send hands messages over. They are dropped while there is no connection, or
// too much waits.
func (l *link) send(m Message) {
	l.mu.Lock()
	size := messageSize(&m)
	ok := l.connected && l.size+size <= maxQueued
	if ok {
		l.waiting = append(l.waiting, m)
		l.size += size
	}
	l.mu.Unlock()
	if ok {
		signal(l.wake)
	}
}

// drop closes the connection, as a network does.
func (l *link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
	}
}

func messageSize(m *Message) int {
	size := 64
	for _, e := range m.raft.GetEntries() {
		size += entrySize(e)
	}
	return size
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run keeps the link until ctx is over.
func (l *link) run(ctx context.Context) {
	pause, was := firstPause, uint64(0)
	for ctx.Err() == nil {
		s, err := l.dialer.dial(ctx, l.addr, kindMessages)
		if err != nil {
			if was != 0 {
				l.log.Info("manager gone", "err", err)
				l.gone()
			}
			was = 0
			l.complain(err)
			pause = l.rest(ctx, pause)
			continue
		}
		if was != 0 && was != s.id {
			l.gone()
		}
		was, pause = s.id, firstPause
		l.log.Debug("connected")
		l.serve(ctx, s)
		l.lost()
	}
}

// complain says why there is no connection: once a minute where it takes an
// operator to mend it.
func (l *link) complain(err error) {
	if why := authFailure(err); why != "" && l.doubts.news(l.addr, why, time.Now()) {
		l.log.Warn("manager not trusted", "why", why, "err", err)
		return
	}
	l.log.Debug("no connection", "err", err)
}

// rest waits before the next attempt, and returns the pause after that.
func (l *link) rest(ctx context.Context, pause time.Duration) time.Duration {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-l.kick:
	}
	return min(2*pause, lastPause)
}

// serve writes to a connection until it is closed.
func (l *link) serve(ctx context.Context, s *session) {
	ctx, cancel := context.WithCancel(ctx)
	l.attach(s.conn)
	var watch sync.WaitGroup
	watch.Go(func() {
		io.Copy(io.Discard, s.r) // the peer says nothing: it ends when the connection does
		cancel()
	})
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	l.write(ctx, s)
	cancel()
	stop()
	s.conn.Close()
	watch.Wait()
	l.attach(nil)
}

func (l *link) attach(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.connected = conn, conn != nil
	l.waiting, l.size = nil, 0
}

func (l *link) write(ctx context.Context, s *session) {
	var body, frame []byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		for messages := l.take(); len(messages) > 0; {
			var err error
			if body, messages, err = pack(body[:0], messages); err != nil {
				l.log.Error("message not sent", "err", err)
				return
			}
			frame = s.out.appendFrame(frame[:0], body)
			if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
				return
			}
			if _, err := s.conn.Write(frame); err != nil {
				l.log.Debug("connection lost", "err", err)
				return
			}
		}
	}
}

func (l *link) take() []Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.waiting
	l.waiting, l.size = nil, 0
	return out
}

// pack puts messages into the body of a frame, as many as fit, and returns the
// rest.
func pack(body []byte, messages []Message) ([]byte, []Message, error) {
	var one []byte
	for i := range messages {
		if i > 0 && len(body) > maxBody {
			return body, messages[i:], nil
		}
		var err error
		if one, err = appendMessage(one[:0], &messages[i]); err != nil {
			return nil, nil, err
		}
		body = append(binary.AppendUvarint(body, uint64(len(one))), one...)
	}
	return body, nil, nil
}
