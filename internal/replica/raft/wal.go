package raft

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/lockfile"
)

// The log on a disk is one file of records. Each is written with one call:
//
//	file:   magic, salt, records, zeros up to what is allocated
//	record: "MREC", length, number, safe, checksum, parts
//	part:   identity | hard state | entry | the snapshot that the log begins at | acknowledgements of the members
//
// The space for records is allocated ahead, so that a sync writes them and not
// also the new length of the file.
//
// A power failure may keep any part of what was written since the last sync and
// lose the rest, also an earlier record and not a later one. Therefore each record
// says how many records were safe, which is on the disk, when it was written. The
// log ends before the first record that is wrong. If none behind it says that it
// was safe, it was never acknowledged, and what follows is cut off. Otherwise it
// is damage, and an error. Damage to what the last sync wrote looks like a
// write that was cut short, unless another record follows: the commit index does,
// after each entry.
//
// The checksum covers the file's salt and the record's number, so that no bytes of
// a command look like a record. The first record is created with the file, so it
// is never cut short.
//
// Files of the first format, in which a record does not say what is safe, are read
// and replaced.
const (
	recordMagic = "MREC"
	saltSize    = 16
)

// format is what differs between the formats of the file.
type format struct {
	magic string
	head  int // bytes of a record before its parts
}

var (
	logFormat = format{"muster-log 2\n", 4 + 4 + 8 + 8 + 4}
	oldFormat = format{"muster-log 1\n", 4 + 4 + 8 + 4}
)

// The parts of a record.
const (
	partIdentity = iota + 1
	partHard
	partEntry
	partSnapshot
	partAcks
)

// damageAdvice is what operators should do to lose as little as possible.
const damageAdvice = "keep a copy of the directory. While a majority of the other managers runs, empty it and start this one again: " +
	"it joins as a new member, and nothing is lost. An older copy in its place is not safe. A manager that is alone loses with " +
	"the directory which tasks are placed, save those that its workers run and report again (docs/decisions/managers.md)"

var errDamaged = errors.New("the log is damaged in the middle")

// wal is the log of one manager in a directory.
type wal struct {
	dir    string
	file   *os.File
	lock   *lockfile.Lock
	format format
	salt   []byte
	number uint64 // of the next record
	safe   uint64 // the records before this one are on the disk
	end    int64  // of the records in the file
	size   int64  // of the file

	identity Identity
	acks     map[uint64]ackRecord
	log      *memLog // the content of the file
}

// directoryFault explains why a data directory cannot be made or locked.
func directoryFault(dir string, err error) error {
	var held *lockfile.HeldError
	switch {
	case errors.As(err, &held):
		return fmt.Errorf("raft: data directory %s is in use by another manager (%w): end that one, or choose another directory with --data", dir, held)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("raft: data directory %s is on a read-only file system: %w", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("raft: data directory %s cannot be written by this user: %w", dir, err)
	}
	return fmt.Errorf("raft: data directory %s: %w", dir, err)
}

// openWAL opens the log in a directory, which is created if it does not exist.
func openWAL(dir string) (*wal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, directoryFault(dir, err)
	}
	lock, err := lockfile.Take(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, directoryFault(dir, err)
	}
	w := &wal{dir: dir, lock: lock, log: newMemLog()}
	if err = w.load(); err != nil {
		w.Close()
		return nil, fmt.Errorf("raft: %s: %w", w.path(), err)
	}
	return w, nil
}

func (w *wal) path() string { return filepath.Join(w.dir, "log") }

// Close closes the files.
func (w *wal) Close() error {
	var err error
	if w.file != nil {
		err = w.file.Close()
	}
	return errors.Join(err, w.lock.Close())
}

// saved returns the content of the log.
func (w *wal) saved() *Saved {
	return &Saved{Identity: w.identity, Hard: w.log.hard, Snapshot: w.log.snap, Entries: w.log.entries, Acks: w.acks}
}

// load reads the file, and cuts off what a crash left at its end.
func (w *wal) load() error {
	data, err := os.ReadFile(w.path())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(data, []byte(logFormat.magic)):
		w.format = logFormat
	case bytes.HasPrefix(data, []byte(oldFormat.magic)):
		w.format = oldFormat
	}
	head := len(w.format.magic) + saltSize
	if w.format.magic == "" || len(data) < head {
		return fmt.Errorf("this is no log of this version of Muster: it does not begin with %q", logFormat.magic)
	}
	w.salt = bytes.Clone(data[len(w.format.magic):head])
	end, err := w.read(data, head)
	if err != nil {
		return err
	}
	if w.format == oldFormat {
		return w.rewrite()
	}
	if w.file, err = os.OpenFile(w.path(), os.O_RDWR, 0); err != nil {
		return err
	}
	if end < len(data) {
		if err = w.file.Truncate(int64(end)); err != nil {
			return err
		}
	}
	w.end, w.size, w.safe = int64(end), int64(end), w.number
	return w.file.Sync() // also what a killed process wrote and did not sync: it counts from now on
}

// read reads the records from an offset on, and returns where they end.
func (w *wal) read(data []byte, at int) (int, error) {
	for at < len(data) {
		body, _, ok := w.record(data[at:], w.number)
		if !ok {
			return at, w.checkTail(data, at)
		}
		if err := w.take(body); err != nil {
			return at, fmt.Errorf("record %d at byte %d: %w", w.number, at, err)
		}
		at += w.format.head + len(body)
		w.number++
	}
	return at, nil
}

// record returns the body of the record at the beginning of data, and how many
// were safe when it was written, if it is whole and has this number.
func (w *wal) record(data []byte, number uint64) (body []byte, safe uint64, ok bool) {
	head := w.format.head
	if len(data) < head || string(data[:4]) != recordMagic || binary.BigEndian.Uint64(data[8:]) != number {
		return nil, 0, false
	}
	size := uint64(binary.BigEndian.Uint32(data[4:]))
	if size > uint64(len(data)-head) {
		return nil, 0, false
	}
	safe = number // in the old format, what comes before
	if w.format == logFormat {
		safe = binary.BigEndian.Uint64(data[16:])
	}
	body, sum := data[head:head+int(size)], head-crc32.Size
	return body, safe, w.checksum(data[:sum], body) == binary.BigEndian.Uint32(data[sum:])
}

func (w *wal) checksum(head, body []byte) uint32 {
	sum := crc32.Update(0, castagnoli, w.salt)
	sum = crc32.Update(sum, castagnoli, head)
	return crc32.Update(sum, castagnoli, body)
}

// checkTail returns an error if a right record says that the wrong one before it
// was safe: then that is damage, and not a write that was cut short.
func (w *wal) checkTail(data []byte, at int) error {
	if w.number == 0 {
		return fmt.Errorf("%w: its first record, which no crash can cut short, is wrong: %s", errDamaged, damageAdvice)
	}
	for next := at + 1; ; next++ {
		i := bytes.Index(data[next:], []byte(recordMagic))
		if i < 0 {
			return nil
		}
		next += i
		if len(data)-next < w.format.head {
			return nil
		}
		number := binary.BigEndian.Uint64(data[next+8:])
		if _, safe, ok := w.record(data[next:], number); ok && safe > w.number {
			return fmt.Errorf("%w: at byte %d (record %d), with record %d behind it: %s", errDamaged, at, w.number, number, damageAdvice)
		}
	}
}

// take applies the body of a record.
func (w *wal) take(body []byte) error {
	r := newReader(body)
	for len(r.Buf) > 0 {
		switch r.Byte() {
		case partIdentity:
			w.identity = Identity{ID: r.Fixed(), ClusterID: r.Fixed(), Addr: r.Text()}
		case partAcks:
			w.acks = r.acks()
		case partHard:
			w.log.hard = r.hard()
		case partEntry:
			e := r.entry()
			if r.Bad() || e.GetIndex() > w.log.last()+1 || e.GetIndex() == 0 {
				return fmt.Errorf("%w: an entry does not follow the one before it: %s", errDamaged, damageAdvice)
			}
			w.log.append([]*pb.Entry{e})
		case partSnapshot:
			if err := w.takeSnapshot(r.Fixed(), r.Fixed()); err != nil {
				return err
			}
		default:
			r.Fail()
		}
		if r.Bad() {
			return fmt.Errorf("log: %w: %s", errMalformed, damageAdvice)
		}
	}
	return nil
}

func (w *wal) takeSnapshot(term, index uint64) error {
	snap, err := readSnapshot(w.dir, term, index)
	if err == nil {
		w.log.install(snap)
	}
	return err
}

func (w *writer) identity(id *Identity) {
	w.Byte(partIdentity)
	w.Fixed(id.ID)
	w.Fixed(id.ClusterID)
	w.Text(id.Addr)
}

func (w *writer) hard(h *pb.HardState) {
	w.Byte(partHard)
	w.Uint(h.GetTerm())
	w.Uint(h.GetVote())
	w.Uint(h.GetCommit())
}

func (r *reader) hard() *pb.HardState {
	return &pb.HardState{Term: proto.Uint64(r.Uint()), Vote: proto.Uint64(r.Uint()), Commit: proto.Uint64(r.Uint())}
}

func (w *writer) entry(e *pb.Entry) {
	w.Byte(partEntry)
	w.Uint(e.GetTerm())
	w.Uint(e.GetIndex())
	w.Uint(uint64(e.GetType()))
	w.Raw(e.GetData())
}

func (r *reader) entry() *pb.Entry {
	term, index, kind := r.Uint(), r.Uint(), r.Uint()
	if kind > uint64(pb.EntryConfChangeV2) {
		r.Fail()
	}
	return &pb.Entry{Term: proto.Uint64(term), Index: proto.Uint64(index), Type: pb.EntryType(kind).Enum(), Data: r.Raw()}
}

func newSalt() []byte {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	return salt
}
