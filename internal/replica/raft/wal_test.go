package raft

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func testEntry(term, index uint64, data string) *pb.Entry {
	return &pb.Entry{Term: proto.Uint64(term), Index: proto.Uint64(index), Type: pb.EntryNormal.Enum(), Data: []byte(data)}
}

func testHard(term, vote, commit uint64) *pb.HardState {
	return &pb.HardState{Term: proto.Uint64(term), Vote: proto.Uint64(vote), Commit: proto.Uint64(commit)}
}

func testSnapshot(term, index uint64, data string) *pb.Snapshot {
	return &pb.Snapshot{Data: []byte(data), Metadata: &pb.SnapshotMetadata{
		Term: proto.Uint64(term), Index: proto.Uint64(index), ConfState: &pb.ConfState{Voters: []uint64{1, 2}},
	}}
}

var testIdentity = Write{Identity: &Identity{ID: 7, ClusterID: 9, Addr: "a:1"}, Snapshot: testSnapshot(1, 1, "begin"), Install: true, Hard: testHard(1, 0, 1)}

func mustOpen(t rapid.TB, dir string) *wal {
	t.Helper()
	w, err := openWAL(dir)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func mustAppend(t rapid.TB, w *wal, writes ...Write) {
	t.Helper()
	if err := w.append(writes); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t rapid.TB, w *wal) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// describe is what a log has, to be compared.
func describe(s *Saved) string {
	out := fmt.Sprintf("%+v hard %d/%d/%d", s.Identity, s.Hard.GetTerm(), s.Hard.GetVote(), s.Hard.GetCommit())
	out += fmt.Sprintf(" snapshot %d/%d %q", s.Snapshot.GetMetadata().GetTerm(), s.Snapshot.GetMetadata().GetIndex(), s.Snapshot.GetData())
	for _, e := range s.Entries {
		out += fmt.Sprintf(" %d/%d%q", e.GetTerm(), e.GetIndex(), e.GetData())
	}
	return out
}

// written makes a log of some records, and returns its bytes without the space
// after them, and what it had after each of them, by where it ends.
func written(t *testing.T, dir string) (data []byte, after map[int]string) {
	w := mustOpen(t, dir)
	after = map[int]string{}
	note := func() { after[int(w.end)] = describe(w.saved()) }
	mustAppend(t, w, testIdentity)
	note()
	for i := range uint64(6) {
		mustAppend(t, w, Write{
			Hard: testHard(2, 7, i+1), Sync: true,
			Entries: []*pb.Entry{testEntry(2, i+2, fmt.Sprint("entry", i)), testEntry(2, i+3, "MREC")},
		})
		note()
	}
	mustClose(t, w)
	data, err := os.ReadFile(w.path())
	if err != nil {
		t.Fatal(err)
	}
	return data[:w.end], after
}

// TestWriteCutShort cuts the file at every byte: what is left is exactly what
// was there before the write that was cut.
func TestWriteCutShort(t *testing.T) {
	dir := t.TempDir()
	data, after := written(t, dir)
	first := len(data)
	for size := range after {
		first = min(first, size)
	}
	want := ""
	for size := first; size <= len(data); size++ {
		if state, ok := after[size]; ok {
			want = state
		}
		for _, tail := range [][]byte{nil, make([]byte, 50), bytes.Repeat([]byte{0xff}, 50)} {
			if err := os.WriteFile(filepath.Join(dir, "log"), append(data[:size:size], tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			w := mustOpen(t, dir)
			if got := describe(w.saved()); got != want {
				t.Fatalf("cut at %d of %d:\ngot  %s\nwant %s", size, len(data), got, want)
			}
			mustAppend(t, w, Write{Hard: testHard(5, 5, 1), Sync: true})
			mustClose(t, w)
			w = mustOpen(t, dir)
			if w.saved().Hard.GetTerm() != 5 {
				t.Fatalf("cut at %d: what was written after that is lost", size)
			}
			mustClose(t, w)
		}
	}
}

// TestDamage changes every byte: in the last record that is a write cut short,
// before it an error, and never another content.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	data, after := written(t, dir)
	last := 0
	for size := range after {
		if size < len(data) {
			last = max(last, size)
		}
	}
	for at := range data {
		damaged := bytes.Clone(data)
		damaged[at] ^= 0x10
		if err := os.WriteFile(filepath.Join(dir, "log"), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := openWAL(dir)
		switch {
		case at < last && err == nil:
			t.Fatalf("damage at %d of %d was not seen: %s", at, len(data), describe(w.saved()))
		case at >= last && err != nil:
			t.Fatalf("damage at %d in the last record: %v", at, err)
		case at >= last && describe(w.saved()) != after[last]:
			t.Fatalf("damage at %d in the last record: got %s", at, describe(w.saved()))
		}
		if err == nil {
			mustClose(t, w)
		}
	}
}

// Whatever is wrong with a log, the error says what is safe to do, and that an older
// copy is not.
func TestDamageIsExplained(t *testing.T) {
	flip := func(at func(size int) int) error {
		dir := t.TempDir()
		data, _ := written(t, dir)
		data[at(len(data))] ^= 1
		if err := os.WriteFile(filepath.Join(dir, "log"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := openWAL(dir)
		if !errors.Is(err, errDamaged) {
			t.Errorf("got %v, want errDamaged", err)
		}
		return err
	}
	gap := &writer{}
	gap.entry(&pb.Entry{Index: new(uint64(9))})
	for what, err := range map[string]error{
		"a bit in the middle":          flip(func(size int) int { return size / 2 }),
		"a bit of the first record":    flip(func(int) int { return 20 }),
		"an entry with a gap":          (&wal{log: newMemLog()}).take(gap.Buf),
		"a part that is not known":     (&wal{log: newMemLog()}).take([]byte{99}),
		"a snapshot that is not there": (&wal{dir: t.TempDir(), log: newMemLog()}).takeSnapshot(1, 1),
	} {
		for _, advice := range []string{"keep a copy", "While a majority", "empty it", "An older copy in its place is not safe"} {
			if err == nil || !strings.Contains(err.Error(), advice) {
				t.Errorf("%s: %v, which lacks %q", what, err, advice)
			}
		}
	}
}

func TestDamagedSnapshot(t *testing.T) {
	dir := t.TempDir()
	written(t, dir)
	path := filepath.Join(dir, snapshotName(1, 1))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range data {
		damaged := bytes.Clone(data)
		damaged[at] ^= 0x80
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openWAL(dir); err == nil {
			t.Fatalf("damage at %d of the snapshot was not seen", at)
		}
	}
}

// TestLogAgainstMemory writes anything, opens the log again anywhere, and
// compares it with a log in memory.
func TestLogAgainstMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "raft")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w, model := mustOpen(t, dir), &Saved{}
		log, term := newMemLog(), uint64(1)
		write := func(wr Write) {
			mustAppend(t, w, wr)
			if wr.Identity != nil {
				model.Identity, log = *wr.Identity, newMemLog()
			}
			if wr.Hard != nil {
				log.hard = wr.Hard
			}
			switch {
			case wr.Install:
				log.install(wr.Snapshot)
			case wr.Snapshot != nil:
				log.compact(wr.Snapshot, 0)
			}
			log.append(wr.Entries)
		}
		write(testIdentity)
		for range rapid.IntRange(1, 30).Draw(t, "writes") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				write(Write{Snapshot: testSnapshot(term, log.last()+5, "sent"), Install: true})
			case 1:
				if n := log.last() - log.base; n > 0 {
					at := log.base + rapid.Uint64Range(1, n).Draw(t, "at")
					was, _ := log.Term(at)
					write(Write{Snapshot: testSnapshot(was, at, "made")})
				}
			case 2:
				mustClose(t, w)
				w = mustOpen(t, dir)
			case 3:
				term++
				write(Write{Hard: testHard(term, 3, log.base), Sync: true})
			default:
				at := log.base + 1 + rapid.Uint64Range(0, log.last()-log.base).Draw(t, "at")
				wr := Write{Sync: rapid.Bool().Draw(t, "sync")}
				for i := range rapid.Uint64Range(1, 3).Draw(t, "entries") {
					wr.Entries = append(wr.Entries, testEntry(term, at+i, rapid.String().Draw(t, "data")))
				}
				write(wr)
			}
			model.Hard, model.Snapshot, model.Entries = log.hard, log.snap, log.entries
			if got, want := describe(w.saved()), describe(model); got != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
		mustClose(t, w)
		w = mustOpen(t, dir)
		if got, want := describe(w.saved()), describe(model); got != want {
			t.Fatalf("opened again:\ngot  %s\nwant %s", got, want)
		}
		mustClose(t, w)
		files, _ := filepath.Glob(filepath.Join(dir, "snapshot-*"))
		if len(files) != 1 {
			t.Fatalf("snapshots left: %v", files)
		}
	})
}

func FuzzLog(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		w := &wal{dir: t.TempDir(), log: newMemLog()}
		_ = w.take(body) // must not panic
	})
}

func FuzzSnapshotFile(f *testing.F) {
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		if snap, err := parseSnapshot(data); err == nil && reflect.ValueOf(snap.GetMetadata()).IsNil() {
			t.Error("a snapshot without metadata")
		}
	})
}
