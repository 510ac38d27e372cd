package raft

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// A snapshot has a connection of its own, so that heartbeats do not wait for it:
// a frame with the message and the size, frames with pieces of the data, and a
// frame from the receiver that it has decoded it.
const (
	pieceSize = 256 << 10
	pieceTime = 10 * time.Second
	// readTime is how long the receiver may take to decode the snapshot.
	readTime = time.Minute
)

// sendSnapshot sends a snapshot to a peer and reports the outcome to the Core.
func (n *Replica) sendSnapshot(ctx context.Context, addr string, m Message) {
	start := time.Now()
	err := n.streamSnapshot(ctx, addr, m)
	size := len(m.raft.GetSnapshot().GetData())
	if err != nil {
		n.log.Warn("snapshot not sent", "to", addr, "bytes", size, "err", err)
	} else {
		n.log.Info("snapshot sent", "to", addr, "bytes", size, "took", time.Since(start))
	}
	n.enqueue(ctx, func(c *Core) {
		delete(n.sending, addr)
		c.SnapshotSent(m, err == nil)
	})
}

func (n *Replica) streamSnapshot(ctx context.Context, addr string, m Message) error {
	s, err := n.dialer.dial(ctx, addr, kindSnapshot)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	data := m.raft.GetSnapshot().GetData()
	head, err := snapshotHead(m)
	if err != nil {
		return err
	}
	var frame []byte
	for piece := head; ; {
		frame = s.out.appendFrame(frame[:0], piece)
		if err := s.conn.SetDeadline(time.Now().Add(pieceTime)); err != nil {
			return err
		}
		if _, err := s.conn.Write(frame); err != nil {
			return err
		}
		if len(data) == 0 {
			break
		}
		piece = data[:min(len(data), pieceSize)]
		data = data[len(piece):]
	}
	return awaitSnapshot(s)
}

// snapshotHead encodes the size of the data, and the message without the data.
func snapshotHead(m Message) ([]byte, error) {
	var w writer
	w.Uint(uint64(len(m.raft.GetSnapshot().GetData())))
	bare := m
	bare.raft = withData(m.raft, nil)
	return appendMessage(w.Buf, &bare)
}

// withData returns a copy of a message whose snapshot has other data.
func withData(m *pb.Message, data []byte) *pb.Message {
	return &pb.Message{
		Type: m.Type, To: m.To, From: m.From, Term: m.Term,
		Snapshot: &pb.Snapshot{Metadata: m.GetSnapshot().GetMetadata(), Data: data},
	}
}

func awaitSnapshot(s *session) error {
	if err := s.conn.SetDeadline(time.Now().Add(readTime)); err != nil {
		return err
	}
	frame, err := readFrame(s.r, maxBlock)
	if err != nil {
		return fmt.Errorf("not acknowledged: %w", err)
	}
	if body, err := s.in.open(frame); err != nil || len(body) != 1 {
		return fmt.Errorf("not acknowledged: %w", errMalformed)
	}
	return nil
}

// receiveSnapshot receives a snapshot and decodes it here, so that the Core does
// not stop for that.
func (n *Replica) receiveSnapshot(ctx context.Context, s *session) error {
	m, err := n.readSnapshot(s)
	if err != nil {
		n.log.Warn("snapshot refused", "from", s.peer, "err", err)
		return err
	}
	members, restored, err := openSnapshot(m.raft.GetSnapshot().GetData())
	if err != nil {
		n.log.Warn("snapshot refused", "from", s.peer, "err", err)
		return err
	}
	m.From, m.members, m.restored = s.peer, &members, restored
	select {
	case n.incoming <- []Message{m}:
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err = s.conn.Write(s.out.appendFrame(nil, []byte{1}))
	return err
}

func (n *Replica) readSnapshot(s *session) (Message, error) {
	head, err := n.readPiece(s)
	if err != nil {
		return Message{}, err
	}
	r := newReader(head)
	size := r.Uint()
	m, err := decodeMessage(r.Buf)
	switch {
	case err != nil:
		return m, err
	case !m.isSnapshot():
		return m, fmt.Errorf("no snapshot: %w", errMalformed)
	case size > uint64(n.opts.MaxSnapshot):
		return m, fmt.Errorf("snapshot of %d bytes: at most %d are taken: raise MaxSnapshot", size, n.opts.MaxSnapshot)
	}
	var data bytes.Buffer
	for uint64(data.Len()) < size {
		piece, err := n.readPiece(s)
		if err != nil {
			return m, err
		}
		data.Write(piece)
	}
	if uint64(data.Len()) != size {
		return m, fmt.Errorf("snapshot: %w: %d bytes instead of %d", errMalformed, data.Len(), size)
	}
	m.raft = withData(m.raft, data.Bytes())
	return m, nil
}

func (n *Replica) readPiece(s *session) ([]byte, error) {
	if err := s.conn.SetDeadline(time.Now().Add(pieceTime)); err != nil {
		return nil, err
	}
	frame, err := readFrame(s.r, pieceSize+1024)
	if err != nil {
		return nil, err
	}
	body, err := s.in.open(frame)
	if err == nil && len(body) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}
