package state_test

import (
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// Two workers join and report their load, a task is placed, and the state says
// why it is where it is.
func Example() {
	s := state.New(state.DefaultConfig())
	apply := func(op state.Op) state.Result {
		result, _ := s.Apply(state.Command{At: 1000, Op: op})
		return result
	}
	for _, id := range []string{"video-1", "video-2"} {
		info, _ := muster.ParseInfo(json.RawMessage(`{"capacity":{"video":{"encode":["vp8"],"decode":["vp8"]}}}`))
		apply(state.Join{Purpose: "video", Worker: id, Info: info})
	}
	apply(state.ReportLoad{Loads: []state.WorkerLoad{{Worker: "video-1", Load: 0.7}, {Worker: "video-2", Load: 0.2}}})

	placed := apply(state.Schedule{Purpose: "video", Task: "mix-1"})
	fmt.Println(placed.Worker, placed.Explanation.Chosen.Score)

	refused := apply(state.Schedule{Purpose: "video", Task: "mix-2", Preference: json.RawMessage(`{"video":{"encode":["av1"]}}`)})
	why, _ := json.Marshal(refused.Explanation.Excluded)
	fmt.Println(refused.Err, string(why))
	// Output:
	// video-2 0.2
	// Failed in scheduling video worker, reason: No worker matches the preference. {"codec":2}
}

// A copy that is fed the events of another is equal to it.
func ExampleState_Fold() {
	leader, follower := state.New(state.DefaultConfig()), state.New(state.DefaultConfig())
	for _, op := range []state.Op{
		state.Join{Purpose: "sip", Worker: "sip-1"},
		state.ReportLoad{Loads: []state.WorkerLoad{{Worker: "sip-1", Load: 0.1}}},
		state.Schedule{Purpose: "sip", Task: "call-1"},
		state.PickUpTasks{Worker: "sip-1", Tasks: []string{"call-1"}},
	} {
		_, events := leader.Apply(state.Command{At: 1000, Op: op})
		for _, ev := range events {
			follower.Fold(1000, ev)
		}
	}
	fmt.Println(follower.AllTasks(""))
	// Output: [{sip call-1 sip-1 true 0 1000}]
}
