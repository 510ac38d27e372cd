package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// outputRoom is how much output waits for the disk. A node that writes
	// more than the disk takes loses output, not time.
	outputRoom = 1 << 20
	// tailSize is how much of the end of the output is remembered for errors.
	tailSize = 4 << 10
	// drainTime is how long the output may stay open, or the disk may take,
	// after the last process has ended.
	drainTime = 5 * time.Second
)

// spool carries a node's output from a pipe to its log. Reading never waits
// for writing: a disk that hangs does not hang the node.
type spool struct {
	pipe *os.File
	sink io.WriteCloser
	log  *slog.Logger

	mu      sync.Mutex
	waiting []byte
	dropped int64
	tail    []byte
	ended   bool

	more    chan struct{} // has room for one
	drained chan struct{} // the pipe has ended
	written chan struct{} // the sink is closed
}

// newSpool begins to carry. Its goroutines are counted in over.
func newSpool(pipe *os.File, sink io.WriteCloser, log *slog.Logger, over *sync.WaitGroup) *spool {
	s := &spool{
		pipe: pipe, sink: sink, log: log,
		more: make(chan struct{}, 1), drained: make(chan struct{}), written: make(chan struct{}),
	}
	over.Go(s.read)
	over.Go(s.write)
	return s
}

func (s *spool) read() {
	defer close(s.drained)
	buf := make([]byte, 16<<10)
	for {
		n, err := s.pipe.Read(buf)
		s.put(buf[:n], err != nil)
		if err != nil {
			return // the end, or close has given up
		}
	}
}

func (s *spool) put(p []byte, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail = append(s.tail, p...)
	if extra := len(s.tail) - tailSize; extra > 0 {
		s.tail = append(s.tail[:0], s.tail[extra:]...)
	}
	// What was lost is told before what comes after it.
	if s.dropped > 0 && len(s.waiting) < outputRoom/2 {
		s.noteDropped()
	}
	if s.dropped > 0 || len(s.waiting)+len(p) > outputRoom {
		s.dropped += int64(len(p))
	} else {
		s.waiting = append(s.waiting, p...)
	}
	if end && s.dropped > 0 {
		s.noteDropped() // nothing comes that would carry the note
	}
	s.ended = s.ended || end
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// noteDropped writes into the output how much of it is missing here.
func (s *spool) noteDropped() {
	s.waiting = fmt.Appendf(s.waiting, "\n[muster: %d bytes of output were dropped: the disk was too slow]\n", s.dropped)
	s.dropped = 0
}

// take returns what waits, and whether that is all there will be.
func (s *spool) take(spare []byte) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.waiting
	s.waiting = spare[:0]
	return p, s.ended
}

func (s *spool) write() {
	defer close(s.written)
	var failed error
	for p, ended := []byte(nil), false; !ended; {
		<-s.more
		p, ended = s.take(p)
		if _, err := s.sink.Write(p); err != nil && failed == nil {
			failed = err
			s.log.Error("output of a node is lost: is the disk full?", "err", err)
		}
	}
	if err := s.sink.Close(); err != nil && failed == nil {
		s.log.Error("close the log of a node", "err", err)
	}
}

// close waits until all output is in the log, up to a point, and returns the
// last lines for an error's text. All processes of the node have ended.
func (s *spool) close() string {
	late := time.NewTimer(drainTime)
	defer late.Stop()
	select {
	case <-s.drained:
	case <-late.C: // somebody who is no part of the node holds the pipe
		_ = s.pipe.SetReadDeadline(time.Now())
		<-s.drained
	}
	select {
	case <-s.written:
	case <-late.C:
		s.log.Error("the disk does not take the output of a node in time")
	}
	if err := s.pipe.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.log.Error("close the output of a node", "err", err)
	}
	return s.lastLines()
}

const (
	tailLines     = 3
	tailLineWidth = 200
)

// lastLines is the end of the output as part of an error's text: "; its last
// output: a | b". It is "" where there was none.
func (s *spool) lastLines() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	isEnd := func(r rune) bool { return r == '\n' || r == '\r' }
	for _, line := range bytes.FieldsFunc(s.tail, isEnd) {
		if text := strings.TrimSpace(printable(string(line))); text != "" {
			lines = append(lines, text)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "; its last output: " + strings.Join(lines[max(0, len(lines)-tailLines):], " | ")
}

// printable makes a line safe to print on a terminal, and not too long.
func printable(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, "?"))
	if len(line) > tailLineWidth {
		line = strings.ToValidUTF8(line[:tailLineWidth], "") + "..."
	}
	return line
}
