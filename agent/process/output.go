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

	"github.com/muster-fleet/muster/internal/mailbox"
)

const (
	// outputRoom is how many bytes of output may wait for the disk. Output beyond
	// that is dropped, so that a slow disk does not slow the node down.
	outputRoom = 1 << 20
	// tailSize is how many bytes of the end of the output are kept for errors.
	tailSize = 4 << 10
	// drainTime is how long the output may stay open, or the disk may take,
	// after the last process has ended.
	drainTime = 5 * time.Second
)

// spool copies a node's output from a pipe to its log. Reading never waits for
// writing, so a disk that hangs does not block the node.
type spool struct {
	pipe *os.File
	sink io.WriteCloser
	log  *slog.Logger

	mu      sync.Mutex
	waiting []byte
	dropped int64
	tail    []byte
	ended   bool

	more    mailbox.Signal // has room for one
	drained chan struct{}  // the pipe has ended
	written chan struct{}  // the sink is closed
}

// newSpool starts to copy. Its goroutines are counted in over.
func newSpool(pipe *os.File, sink io.WriteCloser, log *slog.Logger, over *sync.WaitGroup) *spool {
	s := &spool{
		pipe: pipe, sink: sink, log: log,
		more: mailbox.NewSignal(), drained: make(chan struct{}), written: make(chan struct{}),
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
			return // the end, or close has timed out
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
	// The note about dropped output comes before the output that follows.
	if s.dropped > 0 && len(s.waiting) < outputRoom/2 {
		s.noteDropped()
	}
	if s.dropped > 0 || len(s.waiting)+len(p) > outputRoom {
		s.dropped += int64(len(p))
	} else {
		s.waiting = append(s.waiting, p...)
	}
	if end && s.dropped > 0 {
		s.noteDropped() // no output follows
	}
	s.ended = s.ended || end
	s.more.Raise()
}

// noteDropped adds a note to the output that says how much of it is missing.
func (s *spool) noteDropped() {
	s.waiting = fmt.Appendf(s.waiting, "\n[muster: %d bytes of output were dropped: the disk was too slow]\n", s.dropped)
	s.dropped = 0
}

// take returns the waiting output, and whether it is the last.
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
			s.log.Error("cannot write node output", "err", err)
		}
	}
	if err := s.sink.Close(); err != nil && failed == nil {
		s.log.Error("cannot close node log", "err", err)
	}
}

// close waits for up to drainTime until all output is in the log, and returns the
// last lines for the text of an error. All processes of the node must have ended.
func (s *spool) close() string {
	late := time.NewTimer(drainTime)
	defer late.Stop()
	select {
	case <-s.drained:
	case <-late.C: // a process outside the node holds the pipe open
		_ = s.pipe.SetReadDeadline(time.Now())
		<-s.drained
	}
	select {
	case <-s.written:
	case <-late.C:
		s.log.Error("timed out writing node output")
	}
	if err := s.pipe.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.log.Error("cannot close node output", "err", err)
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
