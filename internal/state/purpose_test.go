package state

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
)

// at applies an operation at a time in milliseconds.
func at(s *State, ms int64, op Op) (Result, []muster.Event) {
	return s.Apply(Command{At: muster.Instant(ms), Op: op})
}

func joinAs(purpose, worker string) Join {
	return Join{Purpose: purpose, Worker: worker, Info: muster.Info{MaxLoad: 1}}
}

// A purpose that no worker serves leaves nothing behind: not in the state, in its
// snapshot, or in its answers. One that the configuration names stays.
func TestPurposesWithoutWorkersAreForgotten(t *testing.T) {
	s := New(DefaultConfig())
	at(s, 1, joinAs("video", "w"))
	at(s, 2, Quit{Worker: "w"})
	for i := range 500 {
		at(s, 3, joinAs(fmt.Sprint("own-", i), "w"))
		at(s, 3, Quit{Worker: "w"})
	}
	at(s, 4, joinAs("kept", "w"))
	at(s, 3+PurposeMemory-1, ForgetPurposes{})
	if n := len(s.purposes); n != 502 {
		t.Errorf("%d purposes before the time has passed, want 502", n)
	}
	if !dueAt(s, 3+PurposeMemory) {
		t.Error("none is due when the time has passed")
	}
	at(s, 3+PurposeMemory, ForgetPurposes{})
	if got := strings.Join(s.purposeNames(), " "); got != "kept video" {
		t.Errorf("purposes %s, want kept video", got)
	}
	if s.PurposesDue() {
		t.Error("some are due still")
	}
	if result, _ := at(s, 4+PurposeMemory, Schedule{Purpose: "own-1", Task: "t"}); result.Err != muster.ReasonNoScheduler("own-1") {
		t.Errorf("schedule is answered %v", result.Err)
	}
	if size := len(s.Snapshot()); size > 2000+24*len(s.departed) {
		t.Errorf("the snapshot has %d bytes", size)
	}
}

func dueAt(s *State, ms int64) bool {
	at(s, ms, Expire{})
	return s.PurposesDue()
}

func TestPurposesAreBounded(t *testing.T) {
	s := New(DefaultConfig())
	for i := range muster.MaxPurposes {
		if result, _ := at(s, int64(i), joinAs(fmt.Sprint("own-", i), fmt.Sprint("w-", i))); result.Err != nil {
			t.Fatal(result.Err)
		}
	}
	result, events := at(s, 5000, joinAs("more", "w"))
	if result.Err == nil || !strings.Contains(result.Err.Error(), fmt.Sprint(muster.MaxPurposes)) || len(events) > 0 || s.Has("w") {
		t.Errorf("one more is answered %v, with %v", result.Err, events)
	}
	if result, _ := at(s, 5000, joinAs("own-7", "w")); result.Err != nil {
		t.Errorf("one more worker of a purpose is refused: %v", result.Err)
	}
	at(s, 5001, Quit{Worker: "w-9"})
	at(s, 5002, Quit{Worker: "w-8"})
	if result, _ := at(s, 5003, joinAs("more", "w-more")); result.Err != nil {
		t.Errorf("there is room, but %v", result.Err)
	}
	if s.purposes["own-9"] != nil || s.purposes["own-8"] == nil || len(s.purposes) != muster.MaxPurposes {
		t.Errorf("not the purpose went that has had no workers for longest")
	}
}

// Copies that are fed the events, or restored, forget the same.
func TestCopiesForgetTheSamePurposes(t *testing.T) {
	s, folded := New(DefaultConfig()), New(DefaultConfig())
	apply := func(ms int64, op Op) {
		_, events := at(s, ms, op)
		for _, e := range events {
			folded.Fold(muster.Instant(ms), e)
		}
		folded.advance(muster.Instant(ms))
	}
	for i := range 20 {
		apply(int64(i), joinAs(fmt.Sprint("own-", i), "w"))
		apply(int64(i), Quit{Worker: "w"})
	}
	restored, err := Restore(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	apply(10+PurposeMemory, ForgetPurposes{})
	at(restored, 10+PurposeMemory, ForgetPurposes{})
	if len(s.purposes) != 9 {
		t.Errorf("%d purposes, want 9", len(s.purposes))
	}
	if !bytes.Equal(s.Snapshot(), restored.Snapshot()) || !bytes.Equal(s.Snapshot(), folded.Snapshot()) {
		t.Error("the copies differ")
	}
}
