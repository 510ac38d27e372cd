package raft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// recordVersion begins every entry of the log that is Muster's.
const recordVersion = 1

// errNewer is an entry that a newer Muster wrote. A manager that cannot apply
// what the others apply must stop, or its state would differ.
var errNewer = errors.New("the log has an entry that this version of Muster does not know: upgrade this manager")

// maxCommand is how large a command may be. Larger ones would not fit into a
// frame, and hold everything else up.
const maxCommand = 4 << 20

// The kinds of record.
const (
	recordBatch   = 1 // commands
	recordAdmit   = 2 // an address that a manager may join from
	recordDismiss = 3 // an address whose manager has to go
)

// record is what an entry of the log says.
//
//	version, kind
//	batch:          origin, sequence, highest operation, number of commands, commands
//	admit, dismiss: address
type record struct {
	kind     byte
	origin   uint64 // the member that proposed the batch
	sequence uint64 // of the batch, by its origin
	addr     string
	body     reader // the commands
}

// batch writes the head of a batch of n commands. The highest of their
// operations is in it, so that a manager sees before it reads them whether it
// knows them all.
func (w *writer) batch(origin, sequence uint64, top byte, n int) {
	w.byte(recordVersion)
	w.byte(recordBatch)
	w.fixed(origin)
	w.uint(sequence)
	w.byte(top)
	w.uint(uint64(n))
}

// encodeBatch writes as many of the proposals as fit into an entry of about
// limit bytes, at least one, and returns how many these are. A command that
// has no form in the log, or is too large, is an error, and is then the first
// of the rest.
func encodeBatch(origin, sequence uint64, proposals []replica.Proposal, limit int) (data []byte, n int, err error) {
	body := writer{buf: make([]byte, headRoom, headRoom+min(limit, usualCommand*len(proposals)))}
	for n < len(proposals) && (n == 0 || len(body.buf)-headRoom < limit) {
		size := len(body.buf)
		err = body.command(&proposals[n].Command)
		if big := len(body.buf) - size; err == nil && big > maxCommand {
			err = fmt.Errorf("raft: a command of %d bytes: at most %d fit into the log", big, maxCommand)
		}
		if err != nil {
			body.buf = body.buf[:size]
			break
		}
		n++
	}
	if n == 0 {
		return nil, 0, err
	}
	head := writer{buf: make([]byte, 0, headRoom)}
	head.batch(origin, sequence, body.top, n)
	data = body.buf[headRoom-len(head.buf):] // the head is known last, and has room before the commands
	copy(data, head.buf)
	return data, n, nil
}

const (
	// headRoom is the most that the head of a batch takes.
	headRoom = 3 + 8 + 2*binary.MaxVarintLen64
	// usualCommand is about what a command takes.
	usualCommand = 128
)

func encodeAddr(kind byte, addr string) []byte {
	var w writer
	w.byte(recordVersion)
	w.byte(kind)
	w.text(addr)
	return w.buf
}

// decodeRecord reads an entry up to the commands of a batch.
func decodeRecord(data []byte) (record, error) {
	r := reader{buf: data}
	version, rec := r.byte(), record{kind: r.byte()}
	if r.bad {
		return rec, fmt.Errorf("entry: %w", errMalformed)
	}
	if version != recordVersion {
		return rec, fmt.Errorf("%w (version %d)", errNewer, version)
	}
	switch rec.kind {
	case recordBatch:
		rec.origin, rec.sequence = r.fixed(), r.uint()
		if top := r.byte(); top > opTop {
			return rec, fmt.Errorf("%w (operation %d)", errNewer, top)
		}
		rec.body = r
	case recordAdmit, recordDismiss:
		rec.addr = r.text()
		if !r.whole() {
			r.fail()
		}
	default:
		return rec, fmt.Errorf("%w (kind %d)", errNewer, rec.kind)
	}
	if r.bad {
		return rec, fmt.Errorf("entry: %w", errMalformed)
	}
	return rec, nil
}

// isBatch tells whether an entry is one of commands.
func isBatch(data []byte) bool { return len(data) > 1 && data[1] == recordBatch }

// commands reads the commands of a batch: all of them, or none and an error.
func (rec record) commands() ([]state.Command, error) {
	r := rec.body
	n := r.count()
	commands := make([]state.Command, 0, min(n, 1024))
	for range n {
		c := r.command()
		if r.bad {
			break
		}
		commands = append(commands, c)
	}
	if !r.whole() {
		return nil, fmt.Errorf("batch: %w", errMalformed)
	}
	return commands, nil
}
