package raft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"
	"pgregory.net/rapid"

	"github.com/muster-fleet/muster/internal/syncfile"
)

// crashed is a log on a disk that loses what was not synced.
type crashed struct {
	t      *rapid.T
	dir    string
	wal    *wal
	file   []byte   // as the last sync left it
	states []string // what the log had after each record that may still be there
	begins []int    // where each of these records begins, but for the first
	synced int      // the last of the states that is safe
	index  uint64   // of the next entry
}

func newCrashed(t *rapid.T) *crashed {
	dir, err := os.MkdirTemp("", "raft")
	if err != nil {
		t.Fatal(err)
	}
	c := &crashed{t: t, dir: dir, wal: mustOpen(t, dir), index: 2}
	mustAppend(t, c.wal, testIdentity)
	c.restart()
	return c
}

// restart notes what is safe: everything.
func (c *crashed) restart() {
	c.states, c.begins, c.synced = []string{describe(c.wal.saved())}, nil, 0
	c.file = c.read()
}

func (c *crashed) read() []byte {
	data, err := os.ReadFile(c.wal.path())
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

// write writes a record. Some have many sectors, and some the beginning of a record.
func (c *crashed) write() {
	sync := rapid.Bool().Draw(c.t, "sync")
	data := recordMagic + strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 100, 511, 2000}).Draw(c.t, "size"))
	c.begins = append(c.begins, int(c.wal.end))
	mustAppend(c.t, c.wal, Write{Hard: testHard(2, 7, c.index), Sync: sync, Entries: []*pb.Entry{testEntry(2, c.index, data)}})
	c.index++
	c.states = append(c.states, describe(c.wal.saved()))
	if sync {
		c.synced, c.file = len(c.states)-1, c.read()
	}
}

// sector is what a disk writes whole or not at all. It is smaller here, so that
// more of them are in a record.
const sector = 16

// crash has the power fail: of what was written since the last sync each sector is
// there or not, and the file has its old or its new length. The last sector that
// is there may be cut at any byte.
func (c *crashed) crash() {
	data := c.read()
	mustClose(c.t, c.wal)
	disk := c.file
	if rapid.Bool().Draw(c.t, "longer") {
		disk = append(bytes.Clone(disk), make([]byte, len(data)-len(disk))...)
	}
	disk = bytes.Clone(disk)
	kept := rapid.SampledFrom([]int{0, 50, 95, 100}).Draw(c.t, "kept of 100 sectors")
	whole := rapid.SampledFrom([]int{-1, len(c.begins) - 1}).Draw(c.t, "a record that is whole")
	for at := 0; at < min(len(disk), int(c.wal.end)); at += sector {
		end := min(at+sector, len(disk))
		if bytes.Equal(disk[at:end], data[at:end]) {
			continue
		}
		if whole >= 0 && end > c.begins[whole] || rapid.IntRange(0, 99).Draw(c.t, "keep") < kept {
			copy(disk[at:end], data[at:end])
		}
	}
	c.replace(disk)
}

func (c *crashed) replace(disk []byte) {
	if err := os.WriteFile(filepath.Join(c.dir, "log"), disk, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// open opens the log after a crash, and returns how many states are there.
func (c *crashed) open() {
	w, err := openWAL(c.dir)
	if err != nil {
		c.t.Fatalf("after a crash: %v", err)
	}
	got := describe(w.saved())
	for i := c.synced; i < len(c.states); i++ {
		if c.states[i] == got {
			c.wal = w
			c.index = w.log.last() + 1
			c.restart()
			return
		}
	}
	mustClose(c.t, w)
	c.t.Fatalf("after a crash the log has\n%s\nand must have\n%s\nor one of the %d later states", got, c.states[c.synced], len(c.states)-1-c.synced)
}

// TestPowerFails has the power fail again and again while records are written: what
// was synced is always there, and the log always opens.
func TestPowerFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrashed(t)
		defer os.RemoveAll(c.dir)
		for range rapid.IntRange(1, 4).Draw(t, "crashes") {
			for range rapid.IntRange(0, 8).Draw(t, "writes") {
				c.write()
			}
			c.crash()
			c.open()
		}
		mustClose(t, c.wal)
	})
}

// TestSafeRecordsAreGuarded damages a record that a later one calls safe, and loses
// any part of what was not synced: that is an error.
func TestSafeRecordsAreGuarded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrashed(t)
		defer os.RemoveAll(c.dir)
		safe := 0 // bytes that the last record which is safe itself calls safe
		for range rapid.IntRange(3, 10).Draw(t, "writes") {
			was := c.synced
			c.write()
			if c.synced > was && was > 0 {
				safe = c.begins[was]
			}
		}
		if safe == 0 {
			t.Skip("too few syncs")
		}
		c.crash()
		disk := c.read()
		at := rapid.IntRange(0, safe-1).Draw(t, "damage at")
		if rapid.Bool().Draw(t, "a lost sector") {
			at -= at % sector
			lost := disk[at:min(at+sector, safe)]
			if bytes.Equal(lost, make([]byte, len(lost))) {
				t.Skip("it was empty")
			}
			clear(lost)
		} else {
			disk[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		c.replace(disk)
		if w, err := openWAL(c.dir); err == nil {
			mustClose(t, w)
			t.Fatalf("damage at %d, which is safe up to %d, was not seen", at, safe)
		}
	})
}

// TestSpaceAhead: the length of the file seldom changes, and is not much more than
// what a small log has.
func TestSpaceAhead(t *testing.T) {
	w := mustOpen(t, t.TempDir())
	defer mustClose(t, w)
	mustAppend(t, w, testIdentity)
	lengths := map[int64]bool{}
	for i := range uint64(3000) {
		mustAppend(t, w, Write{Entries: []*pb.Entry{testEntry(1, i+2, strings.Repeat("x", 100))}})
		info, err := w.file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() != w.size && len(lengths) > 0 {
			if err := syncfile.Extend(w.file, info.Size(), leastAhead); err == nil {
				t.Fatalf("the file has %d bytes of the %d that are allocated", info.Size(), w.size)
			}
			t.Skip("this file system cannot allocate")
		}
		lengths[info.Size()] = true
	}
	if len(lengths) > 4 || w.size > 2*w.end+leastAhead {
		t.Errorf("%d lengths, the last %d for %d bytes of records", len(lengths), w.size, w.end)
	}
}

// oldLog makes a log in the first format of the same records as written.
func oldLog(t *testing.T, dir string) (data []byte, state string) {
	w := mustOpen(t, dir)
	mustAppend(t, w, testIdentity)
	data = append([]byte(oldFormat.magic), w.salt...)
	number := uint64(0)
	add := func(body *writer) {
		head := binary.BigEndian.AppendUint32([]byte(recordMagic), uint32(len(body.Buf)))
		head = binary.BigEndian.AppendUint64(head, number)
		head = binary.BigEndian.AppendUint32(head, w.checksum(head, body.Buf))
		data = append(append(data, head...), body.Buf...)
		number++
	}
	var first writer
	first.identity(&w.identity)
	first.Byte(partSnapshot)
	first.Fixed(1)
	first.Fixed(1)
	first.hard(w.log.hard)
	add(&first)
	for i := range uint64(6) {
		e := testEntry(2, i+2, fmt.Sprint("entry", i))
		mustAppend(t, w, Write{Hard: testHard(2, 7, i+1), Entries: []*pb.Entry{e}})
		var body writer
		body.hard(testHard(2, 7, i+1))
		body.entry(e)
		add(&body)
	}
	state = describe(w.saved())
	mustClose(t, w)
	return data, state
}

// A log of the first format is read, replaced, and written on.
func TestOldFormat(t *testing.T) {
	dir := t.TempDir()
	data, state := oldLog(t, dir)
	path := filepath.Join(dir, "log")
	for _, tail := range []string{"", recordMagic, strings.Repeat("\x00", 100)} {
		if err := os.WriteFile(path, append(bytes.Clone(data), tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // and again, from the new file
			w := mustOpen(t, dir)
			if got := describe(w.saved()); got != state {
				t.Fatalf("got  %s\nwant %s", got, state)
			}
			mustClose(t, w)
		}
		w := mustOpen(t, dir)
		mustAppend(t, w, Write{Hard: testHard(9, 0, 1), Sync: true})
		mustClose(t, w)
		if w = mustOpen(t, dir); w.saved().Hard.GetTerm() != 9 || w.format != logFormat {
			t.Error("what was written to the new file is lost")
		}
		mustClose(t, w)
	}
	damaged := bytes.Clone(data)
	damaged[len(data)/2] ^= 1
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openWAL(dir); !errors.Is(err, errDamaged) {
		t.Errorf("damage in the middle of an old log: %v", err)
	}
}

// A record behind one that was lost is gone for good: it does not come back once
// another takes the place of the lost one.
func TestCutOffForGood(t *testing.T) {
	dir := t.TempDir()
	w := mustOpen(t, dir)
	mustAppend(t, w, testIdentity)
	entry := func(data string) Write { return Write{Entries: []*pb.Entry{testEntry(2, 2, data)}} }
	lost := w.end
	mustAppend(t, w, entry("lost"))
	kept := w.end
	mustAppend(t, w, entry("kept"))
	if _, err := w.file.WriteAt(make([]byte, kept-lost), lost); err != nil {
		t.Fatal(err)
	}
	mustClose(t, w)
	w = mustOpen(t, dir)
	mustAppend(t, w, entry("next"))
	if w.end != kept {
		t.Fatal("the new record does not take the place of the old one")
	}
	want := describe(w.saved())
	mustClose(t, w)
	w = mustOpen(t, dir)
	if got := describe(w.saved()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	mustClose(t, w)
}
