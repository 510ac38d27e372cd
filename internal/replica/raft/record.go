package raft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// recordVersion is the first byte of every entry that is not the library's own.
const recordVersion = 1

// errNewer means that a newer version wrote an entry. A manager that cannot apply
// what the others apply must stop, or its state would differ.
var errNewer = errors.New("the log has an entry that this version of Muster does not know: upgrade this manager")

// maxCommand is the largest command, in bytes. A larger one would not fit into a
// frame and would delay everything behind it.
const maxCommand = 4 << 20

// The kinds of record.
const (
	recordBatch   = 1 // commands
	recordAdmit   = 2 // an address that may join from now on
	recordDismiss = 3 // an address whose members are removed
)

// record is a decoded entry of the log.
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

// batch writes the head of a batch of n commands. It has the highest number of
// their operations, so that a manager sees before it reads them whether it knows
// them all.
func (w *writer) batch(origin, sequence uint64, top byte, n int) {
	w.Byte(recordVersion)
	w.Byte(recordBatch)
	w.Fixed(origin)
	w.Uint(sequence)
	w.Byte(top)
	w.Uint(uint64(n))
}

// encodeBatch writes as many of the proposals as fit into an entry of about
// limit bytes, at least one, and returns how many these are. A command that is
// too large or has no operation is an error; it is then the first of the rest.
func encodeBatch(origin, sequence uint64, proposals []replica.Proposal, limit int) (data []byte, n int, err error) {
	body := newWriter(make([]byte, headRoom, headRoom+min(limit, usualCommand*len(proposals))))
	var top byte
	for n < len(proposals) && (n == 0 || len(body.Buf)-headRoom < limit) {
		size := len(body.Buf)
		var op byte
		op, err = state.EncodeCommand(&body.Writer, &proposals[n].Command)
		if big := len(body.Buf) - size; err == nil && big > maxCommand {
			err = fmt.Errorf("raft: a command of %d bytes: at most %d fit into the log", big, maxCommand)
		}
		if err != nil {
			body.Buf = body.Buf[:size]
			break
		}
		top = max(top, op)
		n++
	}
	if n == 0 {
		return nil, 0, err
	}
	head := newWriter(make([]byte, 0, headRoom))
	head.batch(origin, sequence, top, n)
	data = body.Buf[headRoom-len(head.Buf):] // the head is encoded last, into the room before the commands
	copy(data, head.Buf)
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
	w.Byte(recordVersion)
	w.Byte(kind)
	w.Text(addr)
	return w.Buf
}

// decodeRecord reads an entry up to the commands of a batch.
func decodeRecord(data []byte) (record, error) {
	r := newReader(data)
	version, rec := r.Byte(), record{kind: r.Byte()}
	if r.Bad() {
		return rec, fmt.Errorf("entry: %w", errMalformed)
	}
	if version != recordVersion {
		return rec, fmt.Errorf("%w (version %d)", errNewer, version)
	}
	switch rec.kind {
	case recordBatch:
		rec.origin, rec.sequence = r.Fixed(), r.Uint()
		if top := r.Byte(); top > state.MaxCommand {
			return rec, fmt.Errorf("%w (operation %d)", errNewer, top)
		}
		rec.body = r
	case recordAdmit, recordDismiss:
		rec.addr = r.Text()
		if !r.Whole() {
			r.Fail()
		}
	default:
		return rec, fmt.Errorf("%w (kind %d)", errNewer, rec.kind)
	}
	if r.Bad() {
		return rec, fmt.Errorf("entry: %w", errMalformed)
	}
	return rec, nil
}

// isBatch reports whether an entry holds commands.
func isBatch(data []byte) bool { return len(data) > 1 && data[1] == recordBatch }

// commands decodes the commands of a batch: all of them, or none and an error.
func (rec record) commands() ([]state.Command, error) {
	r := rec.body
	n := r.Count()
	commands := make([]state.Command, 0, min(n, 1024))
	for range n {
		c := state.DecodeCommand(&r.Reader)
		if r.Bad() {
			break
		}
		commands = append(commands, c)
	}
	if !r.Whole() {
		return nil, fmt.Errorf("batch: %w", errMalformed)
	}
	return commands, nil
}
