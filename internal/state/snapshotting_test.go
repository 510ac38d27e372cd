package state

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/muster-fleet/muster"
)

// TestSnapshotIsOfItsBeginning changes the state in each way while a snapshot of it
// is being written. TestAgreesWithScan does the same at random.
func TestSnapshotIsOfItsBeginning(t *testing.T) {
	sample := func() *State {
		s := New(DefaultConfig())
		info := muster.Info{MaxLoad: 1, State: muster.StateReady, Raw: json.RawMessage(`{"n":1}`)}
		for _, op := range []Op{
			Join{Purpose: "webrtc", Worker: "w", Info: info}, ReportLoad{[]WorkerLoad{{"w", 0.1}}},
			Schedule{Purpose: "webrtc", Task: "running"}, Schedule{Purpose: "webrtc", Task: "reserved"},
			ClaimTask{Worker: "w", Task: "running"},
		} {
			if result, _ := s.Apply(Command{At: 5000, Op: op}); result.Err != nil {
				t.Fatal(result.Err)
			}
		}
		return s
	}
	for name, op := range map[string]Op{
		"a claim again":           ClaimTask{Worker: "w", Task: "running"},
		"a claim":                 ClaimTask{Worker: "w", Task: "reserved"},
		"given up while it runs":  Unschedule{Worker: "w", Task: "running"},
		"given up":                Unschedule{Worker: "w", Task: "reserved"},
		"placed":                  Schedule{Purpose: "webrtc", Task: "new"},
		"prolonged while it runs": Schedule{Purpose: "webrtc", Task: "running", ReserveMillis: MaxReserveMillis},
		"prolonged":               Schedule{Purpose: "webrtc", Task: "reserved", ReserveMillis: MaxReserveMillis},
		"picked up":               PickUpTasks{Worker: "w", Tasks: []string{"reserved"}},
		"picked up unplaced":      PickUpTasks{Worker: "w", Tasks: []string{"unknown"}},
		"laid down":               LayDownTask{Worker: "w", Task: "running"},
		"a load":                  ReportLoad{[]WorkerLoad{{"w", 0.5}}},
		"not ready":               ReportState{"w", muster.StateNotReady},
		"joined again":            Join{Purpose: "webrtc", Worker: "w", Info: muster.Info{MaxLoad: 0.5, Raw: json.RawMessage(`{"n":2}`)}},
		"moved":                   Join{Purpose: "video", Worker: "w", Info: muster.Info{MaxLoad: 0.5}},
		"gone":                    Quit{"w"},
		"another one":             Join{Purpose: "webrtc", Worker: "v", Info: muster.Info{MaxLoad: 0.5}},
		"a strategy":              SetStrategy{Purpose: "webrtc", Strategy: muster.WeightRobin},
		"expired":                 Expire{},
	} {
		s := sample()
		want := append([]byte("head"), s.Snapshot()...)
		taken := s.BeginSnapshot([]byte("head"))
		s.Apply(Command{At: 5000 + 2*MaxReserveMillis, Op: op})
		if taken.Write(0) {
			t.Fatalf("%s: complete without its worker", name)
		}
		if !taken.Write(math.MaxInt) || !bytes.Equal(taken.Bytes(), want) {
			t.Errorf("%s: it is in a snapshot that began before", name)
		}
		if !taken.Write(1) || !bytes.Equal(taken.Bytes(), want) {
			t.Errorf("%s: a complete snapshot has changed", name)
		}
	}
}

// TestSnapshotOfAFoldedCopy: what Apply never folds.
func TestSnapshotOfAFoldedCopy(t *testing.T) {
	s := sample()
	for _, task := range s.AllTasks("") {
		want := s.Snapshot()
		taken := s.BeginSnapshot(nil)
		s.Fold(9000, muster.TaskReserved{Purpose: task.Purpose, Task: task.Task, Worker: task.Worker, ReserveMillis: 7, Until: 9000})
		if !taken.Write(math.MaxInt) || !bytes.Equal(taken.Bytes(), want) {
			t.Errorf("%s: it is in a snapshot that began before", task.Task)
		}
	}
}

// TestSnapshotsOneAtATime: the one before is completed as of its beginning.
func TestSnapshotsOneAtATime(t *testing.T) {
	s := sample()
	want := s.Snapshot()
	first := s.BeginSnapshot(nil)
	s.Apply(Command{At: 8000, Op: Schedule{Purpose: "webrtc", Task: "later", Preference: []byte(`{"isp":"a"}`)}})
	wantSecond := s.Snapshot()
	second := s.BeginSnapshot(nil)
	s.Apply(Command{At: 9000, Op: Quit{"video-1@host"}})
	if !first.Write(0) || !bytes.Equal(first.Bytes(), want) {
		t.Error("the first is another one, or not complete")
	}
	if !second.Write(math.MaxInt) || !bytes.Equal(second.Bytes(), wantSecond) {
		t.Error("the second is another one")
	}
}
