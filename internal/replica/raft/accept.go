package raft

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/muster-fleet/muster/internal/connlimit"
	"github.com/muster-fleet/muster/internal/pause"
)

// maxHandshakes is how many connections may be in their handshake at once. One
// more closes the oldest: a handshake takes a round trip, and a peer that
// connects and says nothing must not keep the others out.
const maxHandshakes = 64

// accept takes connections until the listener is closed.
func (n *Replica) accept(ctx context.Context) {
	handshakes := connlimit.New(maxHandshakes)
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			n.log.Warn("cannot accept connections", "err", err)
			pause.For(ctx, lastPause)
			continue
		}
		handshakes.Add(conn)
		n.done.Go(func() { n.receive(ctx, conn, func() { handshakes.Remove(conn) }) })
	}
}

// receive handles one connection. It calls authenticated when the handshake has
// ended, well or not.
func (n *Replica) receive(ctx context.Context, conn net.Conn, authenticated func()) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	inner := conn
	if n.dialer.tls != nil {
		inner = tls.Server(conn, serverTLS(n.dialer.tls))
	}
	s, err := n.dialer.handshake.accept(inner, n.incarnation.Load())
	authenticated()
	if err != nil {
		n.refuse(conn, err)
		return
	}
	if l := n.link(s.peer); l != nil {
		l.retry.Raise()
	} else if n.refused.isNew(s.peer, "no member", time.Now()) {
		n.log.Warn("connection of a manager that is not a member: add it first", "peer", s.peer)
	}
	if s.kind == kindSnapshot {
		err = n.receiveSnapshot(ctx, s)
	} else {
		err = n.receiveMessages(ctx, s)
	}
	if ctx.Err() == nil {
		n.log.Debug("connection ended", "from", s.peer, "err", err)
	}
}

// refuse logs a refused connection, once a minute for each host and reason.
func (n *Replica) refuse(conn net.Conn, err error) {
	why := authFailure(err)
	var network *net.OpError
	switch {
	case why != "":
	case errors.As(err, &network): // its text has a port, which differs for each connection
		why = network.Err.Error()
	default:
		why = err.Error()
	}
	if n.refused.isNew(hostOf(conn.RemoteAddr()), why, time.Now()) {
		n.log.Warn("connection refused", "from", conn.RemoteAddr(), "why", why, "err", err)
	}
}

// receiveMessages reads frames of messages until the connection closes.
func (n *Replica) receiveMessages(ctx context.Context, s *session) error {
	for {
		frame, err := readFrame(s.r, maxFrame)
		if err != nil {
			return err
		}
		body, err := s.in.open(frame)
		if err != nil {
			return err
		}
		var messages []Message
		err = splitMessages(body, func(m Message) {
			m.From = s.peer
			messages = append(messages, m)
		})
		if err != nil {
			return err
		}
		select {
		case n.incoming <- messages:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
