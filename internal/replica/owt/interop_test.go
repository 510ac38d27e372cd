package owt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

const cluster = "owt-cluster"

// Our slave beside the recorded master: it asks, takes the recorded state, and
// when the master dies it leads with that state.
func TestSlaveOfTheRecordedMaster(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	asked, die := node.lead(lines, told(lines, typeRuntime)[0])
	ours := open(t, dialRabbit(t), cluster, mid)
	if got := take(t, asked, "a request"); got != `{"type":"requestRuntimeData","data":1000002}` {
		t.Errorf("our slave asked with %s", got)
	}
	want := without(t, recordedState(t), departed)
	ours.untilJSON(want)
	die()
	ours.untilRole(replica.Leader)
	ours.untilJSON(want)
	ours.on(func() {
		w, _ := ours.State().Worker("webrtc-1@10.0.0.1")
		on, _ := ours.State().Scheduled("webrtc", "s1")
		all := strings.Join(ours.State().Workers(state.AllPurposes), " ")
		if w.State != 1 || w.Load != 0 || on != "webrtc-1@10.0.0.1" || all != "webrtc-1@10.0.0.1 webrtc-2@10.0.0.2 "+
			"video-4@10.0.0.4 video-5@10.0.0.5 audio-6@10.0.0.6 analytics-7@10.0.0.7 portal-8@10.0.0.8 conference-9@10.0.0.9" {
			t.Errorf("after the take-over: %+v, s1 on %s, %s", w, on, all)
		}
	})
	ours.end()
}

// Our slave is there from the beginning, and folds what the recorded master
// tells.
func TestSlaveFoldsTheRecordedUpdates(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	asked, die := node.lead(lines,
		`{"type":"runtimeData","data":{"schedulers":{"sample":{"workers":{},"tasks":{}}},"workers":{}}}`, told(lines, typeRuntime)[0])
	ours := open(t, dialRabbit(t), cluster, mid)
	take(t, asked, "a request")
	for _, body := range told(lines, typeUpdate) {
		node.say(keySlave, body)
	}
	want := without(t, recordedState(t), departed)
	ours.untilJSON(want)
	die()
	ours.untilRole(replica.Leader)
	ours.untilJSON(want)
	if s := ours.counts(); s.Malformed != 0 {
		t.Errorf("counted was %+v", s)
	}
	ours.end()
}

// A Node master does not number its updates: what was missed shows when it
// speaks of what is unknown.
func TestSlaveOfANodeMasterAsksAgain(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	asked, die := node.lead(lines, `{"type":"runtimeData","data":{"schedulers":{},"workers":{}}}`, told(lines, typeRuntime)[0])
	ours := open(t, dialRabbit(t), cluster, mid)
	take(t, asked, "a request")
	updates := told(lines, typeUpdate)
	node.say(keySlave, updates[len(updates)-5]) // of a worker that never joined, here
	take(t, asked, "another request")
	ours.untilJSON(without(t, recordedState(t), departed))
	die()
	ours.end()
}

// Our master beside recorded slaves: what it tells for the recorded calls is
// what the recorded master told, and so is the state that it hands on, but for
// our number at its end.
func TestMasterOfTheRecordedSlaves(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	heard := node.hear(keySlave+".#", "clusterManager.*.239247530")
	ours := open(t, dialRabbit(t), cluster, high)
	ours.untilRole(replica.Leader)
	// A purpose from before the recording.
	ours.mustPropose(state.Join{Purpose: "sample", Worker: "sample-1"}, state.Quit{Worker: "sample-1"})
	node.next(heard, typeUpdate)
	node.next(heard, typeUpdate)
	for _, op := range commands(t, lines) {
		_ = ours.propose(op) // the recorded master refused some, as we do
	}
	wanted := told(lines, typeUpdate)
	for i, want := range wanted {
		if got := string(node.next(heard, typeUpdate).Body); got != want {
			t.Fatalf("update %d is\n%s\nwant\n%s", i, got, want)
		}
	}
	node.say(keyCandidate, told(lines, typeRecommend)[0])
	node.say(keyMaster, told(lines, typeRequest)[0])
	answer := node.next(heard, typeRuntime)
	want := without(t, told(lines, typeRuntime)[0], departed)
	want = fmt.Sprintf(`%s,"muster":{"seq":%d,"term":1}}`, strings.TrimSuffix(want, "}"), len(wanted)+2)
	if answer.RoutingKey != "clusterManager.slave.239247530" || string(answer.Body) != want {
		t.Errorf("the slave was told under %s\n%s\nwant\n%s", answer.RoutingKey, answer.Body, want)
	}
	beat := string(node.next(heard, typeDeclare).Body)
	if !strings.HasPrefix(beat, `{"type":"declareMaster","data":{"id":1000003,"life_time":`) {
		t.Errorf("a heart-beat is %s", beat)
	}
	ours.end()
}

// The recorded candidates in an election with ours: the largest id wins.
func TestElectionWithRecordedCandidates(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	heard := node.hear(keyCandidate + ".#")
	ours := open(t, dialRabbit(t), cluster, high)
	node.next(heard, typeRecommend)
	for _, body := range told(lines, typeRecommend) {
		node.say(keyCandidate, body) // both ids are larger
	}
	node.say(keyCandidate, told(lines, typeDeclare)[0])
	ours.untilRole(replica.Follower)
	if got := ours.is().Leader; got != "631691958" {
		t.Errorf("our manager follows %s, want the recorded master", got)
	}
	ours.untilRole(replica.Leader) // it fell silent
	ours.end()
}
