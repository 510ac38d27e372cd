package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-fleet/muster/internal/syncfile"
)

// append makes writes durable in this order, with one record and one fsync. A
// snapshot or a new incarnation starts a new file.
func (w *wal) append(writes []Write) error {
	var body writer
	sync := false
	for i := range writes {
		write := &writes[i]
		if write.Identity != nil || write.Snapshot != nil {
			if err := w.flush(&body, false); err != nil {
				return err
			}
			if err := w.replace(write); err != nil {
				return err
			}
			continue
		}
		sync = sync || write.Sync
		if write.Hard != nil {
			w.log.hard = write.Hard
			body.hard(write.Hard)
		}
		if write.Acks != nil {
			w.acks = write.Acks
			body.Byte(partAcks)
			body.acks(write.Acks)
		}
		for _, e := range write.Entries {
			body.entry(e)
		}
		w.log.append(write.Entries)
	}
	return w.flush(&body, sync)
}

// flush writes a record.
func (w *wal) flush(body *writer, sync bool) error {
	if len(body.Buf) == 0 {
		return nil
	}
	if w.file == nil {
		return errors.New("raft: log: a write came before the identity")
	}
	record := w.frame(body.Buf)
	body.Buf = body.Buf[:0]
	w.extend(int64(len(record)))
	if _, err := w.file.WriteAt(record, w.end); err != nil {
		return fmt.Errorf("raft: log: %w", err)
	}
	w.end += int64(len(record))
	if sync {
		if err := syncfile.Sync(w.file); err != nil {
			return fmt.Errorf("raft: log: %w", err)
		}
		w.safe = w.number
	}
	return nil
}

// The file is extended by as much as it has, within these bounds: a small log
// stays small, and a large one is extended seldom.
const (
	leastAhead = 64 << 10
	mostAhead  = 4 << 20
)

// extend allocates space for a record and for those after it. Where the system
// cannot, the file grows with each record.
func (w *wal) extend(record int64) {
	if w.end+record <= w.size {
		return
	}
	size := w.end + record + min(max(w.end, leastAhead), mostAhead)
	if syncfile.Extend(w.file, w.size, size-w.size) == nil {
		w.size = size
	}
}

// frame returns the record with a body.
func (w *wal) frame(body []byte) []byte {
	record := append(make([]byte, 0, w.format.head+len(body)), recordMagic...)
	record = binary.BigEndian.AppendUint32(record, uint32(len(body)))
	record = binary.BigEndian.AppendUint64(record, w.number)
	record = binary.BigEndian.AppendUint64(record, w.safe)
	record = binary.BigEndian.AppendUint32(record, w.checksum(record, body))
	w.number++
	return append(record, body...)
}

// replace starts a new file, at a snapshot or with a new incarnation of the log.
// The old file stays in place until the new one is complete.
func (w *wal) replace(write *Write) error {
	if write.Identity != nil {
		w.identity, w.acks, w.log = *write.Identity, nil, newMemLog()
	}
	if write.Hard != nil {
		w.log.hard = write.Hard
	}
	if write.Snapshot != nil {
		if err := writeSnapshot(w.dir, write.Snapshot); err != nil {
			return fmt.Errorf("raft: snapshot: %w", err)
		}
	}
	switch {
	case write.Install:
		w.log.install(write.Snapshot)
	case write.Snapshot != nil:
		w.log.compact(write.Snapshot, 0)
	}
	w.log.append(write.Entries)
	if err := w.rewrite(); err != nil {
		return fmt.Errorf("raft: log: %w", err)
	}
	return w.sweep()
}

// rewrite writes the current content of the log to a new file.
func (w *wal) rewrite() error {
	w.format, w.salt, w.number, w.safe = logFormat, newSalt(), 0, 0
	var body writer
	body.identity(&w.identity)
	if w.log.snap != nil {
		body.Byte(partSnapshot)
		body.Fixed(w.log.snap.GetMetadata().GetTerm())
		body.Fixed(w.log.snap.GetMetadata().GetIndex())
	}
	body.hard(w.log.hard)
	body.Byte(partAcks)
	body.acks(w.acks)
	for _, e := range w.log.entries {
		body.entry(e)
	}
	data := append([]byte(w.format.magic), w.salt...)
	data = append(data, w.frame(body.Buf)...)
	file, err := writeFile(w.path(), data)
	if err != nil {
		return err
	}
	if w.file != nil {
		w.file.Close() // its content is in the new one
	}
	w.file = file
	w.safe, w.end, w.size = w.number, int64(len(data)), int64(len(data))
	return nil
}

// sweep removes all snapshots but the one that the log starts at.
func (w *wal) sweep() error {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return fmt.Errorf("raft: snapshot: %w", err)
	}
	keep := ""
	if w.log.snap != nil {
		keep = snapshotName(w.log.snap.GetMetadata().GetTerm(), w.log.snapIndex())
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "snapshot-") && e.Name() != keep {
			if err := os.Remove(filepath.Join(w.dir, e.Name())); err != nil {
				return fmt.Errorf("raft: old snapshot: %w", err)
			}
		}
	}
	return nil
}

// writeFile replaces a file atomically: after a crash there is either the old or
// the new one. It returns the new one.
func writeFile(path string, parts ...[]byte) (*os.File, error) {
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if err == nil {
			_, err = file.Write(part)
		}
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
