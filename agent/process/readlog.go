package process

import "fmt"

// LogChunk is a piece of a node's output.
type LogChunk struct {
	// Data is the output from Offset on, as the node wrote it.
	Data []byte
	// Offset is the place of Data's first byte in all that the node has ever
	// written. It is more than was asked for where the oldest is deleted.
	Offset int64
	// Next is where to go on reading.
	Next int64
	// Ended reports that the node has ended and that there is nothing after Next.
	Ended bool
}

const (
	defaultReadLimit = 64 << 10
	mostReadLimit    = 1 << 20
)

// ReadLog returns what a node has written to its standard output and error
// from offset on, at most limit bytes (0: 64 KiB; never more than 1 MiB). A
// negative offset counts from the end. It does not wait: at the end Data is
// empty. The error is fs.ErrNotExist for a node of which no output is kept.
func (h *Host) ReadLog(node string, offset int64, limit int) (LogChunk, error) {
	if !validName(node) {
		return LogChunk{}, fmt.Errorf("process: node: %w", nameError(node))
	}
	if limit <= 0 {
		limit = defaultReadLimit
	}
	c, err := h.logs.Read(node, offset, min(limit, mostReadLimit))
	if err != nil {
		return LogChunk{}, fmt.Errorf("process: %w", err)
	}
	return LogChunk{Data: c.Data, Offset: c.Offset, Next: c.Next, Ended: c.Last}, nil
}
