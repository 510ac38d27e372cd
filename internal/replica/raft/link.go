package raft

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/mailbox"
)

const (
	// maxQueued is how many bytes wait for a peer. More are dropped; the library
	// sends them again.
	maxQueued = 64 << 20
	// maxBody is the approximate size of a frame, in bytes.
	maxBody = 2 << 20
	// writeTime bounds the writing of a frame.
	writeTime = 5 * time.Second
	// firstPause and lastPause are between two attempts to connect.
	firstPause = 10 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// link sends messages to one peer, over a connection that it reopens whenever it
// closes. The peer's messages come over a connection that the peer opens.
//
// A link also distinguishes a peer that is gone from a connection that broke:
// when its connection closes it opens another one at once. If that is refused,
// or another incarnation of the log answers, the peer is gone.
type link struct {
	addr   string
	dialer *dialer
	log    *slog.Logger
	gone   func() // the peer is gone
	lost   func() // messages were lost
	stop   context.CancelFunc

	failures refusals // of authentication, that were logged

	retry mailbox.Signal // the peer is up: connect now
	wake  mailbox.Signal // messages wait

	mu        sync.Mutex
	connected bool
	conn      net.Conn
	waiting   []Message
	size      int
}

func newLink(addr string, d *dialer, log *slog.Logger) *link {
	return &link{addr: addr, dialer: d, log: log.With("peer", addr), retry: mailbox.NewSignal(), wake: mailbox.NewSignal()}
}

// send queues a message. It is dropped if there is no connection or the queue is
// full.
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
		l.wake.Raise()
	}
}

func messageSize(m *Message) int {
	size := 64
	for _, e := range m.raft.GetEntries() {
		size += entrySize(e)
	}
	return size
}

// run keeps the connection open until ctx is done.
func (l *link) run(ctx context.Context) {
	pause, was := firstPause, uint64(0)
	for ctx.Err() == nil {
		s, err := l.dialer.dial(ctx, l.addr, kindMessages)
		if err != nil {
			if was != 0 {
				l.log.Info("peer gone", "err", err)
				l.gone()
			}
			was = 0
			l.logFailure(err)
			pause = l.backOff(ctx, pause)
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

// logFailure logs why there is no connection: as a warning, once a minute, if an
// operator has to fix it.
func (l *link) logFailure(err error) {
	if why := authFailure(err); why != "" && l.failures.isNew(l.addr, why, time.Now()) {
		l.log.Warn("manager not trusted", "why", why, "err", err)
		return
	}
	l.log.Debug("cannot connect to peer", "err", err)
}

// backOff waits before the next attempt, and returns the next pause.
func (l *link) backOff(ctx context.Context, pause time.Duration) time.Duration {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-l.retry:
	}
	return min(2*pause, lastPause)
}

// serve writes to a connection until it closes.
func (l *link) serve(ctx context.Context, s *session) {
	ctx, cancel := context.WithCancel(ctx)
	l.attach(s.conn)
	var watch sync.WaitGroup
	watch.Go(func() {
		io.Copy(io.Discard, s.r) // the peer sends nothing here: this returns when the connection closes
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

// pack encodes as many messages as fit into the body of a frame, and returns the
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
