package state

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-fleet/muster"
)

// sample is a state with a bit of everything.
func sample() *State {
	s := New(DefaultConfig())
	raw := `{"ip":"10.0.0.1","maxLoad":0.9,"own":[1,2],"max_tasks":9,"labels":{"gpu":"t4"},` +
		`"capacity":{"isps":["a"],"regions":[],"video":{"encode":["h264"],"decode":[]},"algorithms":["x"]}}`
	for i, purpose := range []string{"webrtc", "video", "recording", "webrtc", "audio"} {
		info, err := muster.ParseInfo([]byte(raw))
		if err != nil {
			panic(err)
		}
		id := fmt.Sprintf("%s-%d@host", purpose, i)
		s.Apply(Command{At: 5000, Op: Join{Purpose: purpose, Worker: id, Info: info}})
		s.Apply(Command{At: 5000, Op: ReportLoad{[]WorkerLoad{{id, 0.1}}}})
		for j := range 4 {
			task := fmt.Sprint(i, "-", j)
			s.Apply(Command{At: 5000, Seed: uint64(j), Op: Schedule{Purpose: purpose, Task: task, Preference: []byte(`{"isp":"a"}`)}})
		}
		s.Apply(Command{At: 6000, Op: PickUpTasks{Worker: id, Tasks: []string{fmt.Sprint(i, "-1"), fmt.Sprint(i, "-2")}}})
	}
	s.Apply(Command{At: 7000, Op: ReportState{"video-1@host", muster.StateReady}})
	s.Apply(Command{At: 7000, Op: Quit{"audio-4@host"}})
	for _, op := range []Op{
		Drain{muster.DrainOrder{Selector: muster.Selector{Labels: map[string]string{"gpu": "t4"}}, Sticky: true, Force: true, DeadlineMillis: 500, Policy: muster.DrainEnd}},
		Drain{muster.DrainOrder{Selector: muster.Selector{Worker: "webrtc-0@host"}}}, Undrain{Selector: muster.Selector{Worker: "webrtc-3@host"}},
		Cordon{Selector: muster.Selector{Worker: "webrtc-3@host"}, Force: true, By: muster.Operator{Name: "ada"}},
		SetStrategy{Purpose: "video", Strategy: muster.TwoChoices}, SetDebit{Debit: Debit{Mode: DebitFixed, Fixed: 0.1}},
	} {
		if result, _ := s.Apply(Command{At: 7000, Op: op}); result.Err != nil {
			panic(result.Err)
		}
	}
	return s
}

func TestRestoreIsExact(t *testing.T) {
	s := sample()
	again, err := Restore(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range s.Workers(AllPurposes) {
		want, _ := s.Worker(id)
		got, _ := again.Worker(id)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +\n%s", diff)
		}
	}
	if diff := cmp.Diff(s.AllTasks(""), again.AllTasks("")); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	if diff := cmp.Diff(s.Config(), again.Config()); diff != "" || s.Now() != again.Now() {
		t.Errorf("want -, got +\n%s", diff)
	}
	if !bytes.Equal(s.Snapshot(), again.Snapshot()) {
		t.Error("what was restored has another snapshot")
	}
}

func TestDamagedSnapshotIsAnError(t *testing.T) {
	snapshot := sample().Snapshot()
	for i := range snapshot {
		bad := bytes.Clone(snapshot)
		bad[i] ^= 0x10
		if _, err := Restore(bad); !errors.Is(err, errSnapshot) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := Restore(snapshot[:i]); !errors.Is(err, errSnapshot) {
			t.Fatalf("cut at byte %d: %v", i, err)
		}
	}
}

// TestDamagedBodyIsNoPanic goes past the checksum, which would catch all of it.
func TestDamagedBodyIsNoPanic(t *testing.T) {
	snapshot := sample().Snapshot()
	body := snapshot[len(snapshotMagic) : len(snapshot)-4]
	for i := range body {
		for _, flip := range []byte{0x01, 0x10, 0x80, 0xff} {
			bad := bytes.Clone(body)
			bad[i] ^= flip
			checkBody(t, bad)
		}
		checkBody(t, body[:i])
	}
}

func FuzzRestore(f *testing.F) {
	snapshot := sample().Snapshot()
	f.Add(snapshot[len(snapshotMagic) : len(snapshot)-4])
	empty := New(DefaultConfig()).Snapshot()
	f.Add(empty[len(snapshotMagic) : len(empty)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := Restore(body); err == nil && !bytes.HasPrefix(body, []byte(snapshotMagic)) {
			t.Fatal("bytes that are no snapshot were taken for one")
		}
		checkBody(t, body)
	})
}

// checkBody restores from bytes that may be damaged. What comes out, if anything
// does, must work, and have a snapshot of its own.
func checkBody(t *testing.T, body []byte) {
	t.Helper()
	s, err := restore(body, snapshotVersion)
	if err != nil {
		return
	}
	again, err := Restore(s.Snapshot())
	if err != nil {
		t.Fatalf("what was restored has a snapshot that cannot be: %v", err)
	}
	if !bytes.Equal(again.Snapshot(), s.Snapshot()) {
		t.Fatal("what was restored has a snapshot that comes out differently")
	}
	s.Apply(Command{At: s.now + 1, Op: Expire{}})
	for _, purpose := range s.purposeNames() {
		s.Apply(Command{Op: Schedule{Purpose: purpose, Task: "x"}})
	}
	for _, id := range s.Workers(AllPurposes) {
		s.Apply(Command{Op: Quit{id}})
	}
}
