package owt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

const cluster = "owt-cluster"

// Our slave beside the recorded master: it requests and adopts the recorded
// state, and leads with that state when the master dies.
func TestSlaveOfTheRecordedMaster(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	asked, die := node.lead(lines, bodiesOf(lines, typeRuntime)[0])
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

// Our slave is present from the beginning, and folds the recorded master's
// updates.
func TestSlaveFoldsTheRecordedUpdates(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	asked, die := node.lead(lines,
		`{"type":"runtimeData","data":{"schedulers":{"sample":{"workers":{},"tasks":{}}},"workers":{}}}`, bodiesOf(lines, typeRuntime)[0])
	ours := open(t, dialRabbit(t), cluster, mid)
	take(t, asked, "a request")
	for _, body := range bodiesOf(lines, typeUpdate) {
		node.publish(keySlave, body)
	}
	want := without(t, recordedState(t), departed)
	ours.untilJSON(want)
	die()
	ours.untilRole(replica.Leader)
	ours.untilJSON(want)
	if s := ours.counts(); s.Malformed != 0 {
		t.Errorf("counts: %+v", s)
	}
	ours.end()
}

// A Node master does not number its updates: a missed one is noticed when a later
// one refers to something unknown.
func TestSlaveOfANodeMasterAsksAgain(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	asked, die := node.lead(lines, `{"type":"runtimeData","data":{"schedulers":{},"workers":{}}}`, bodiesOf(lines, typeRuntime)[0])
	ours := open(t, dialRabbit(t), cluster, mid)
	take(t, asked, "a request")
	updates := bodiesOf(lines, typeUpdate)
	node.publish(keySlave, updates[len(updates)-5]) // about a worker that never joined here
	take(t, asked, "another request")
	ours.untilJSON(without(t, recordedState(t), departed))
	die()
	ours.end()
}

// Our master beside recorded slaves: for the recorded calls it publishes the same
// updates as the recorded master, and sends the same state, except for our
// extension at its end.
func TestMasterOfTheRecordedSlaves(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	heard := node.subscribe(keySlave+".#", "clusterManager.*.239247530")
	ours := open(t, dialRabbit(t), cluster, high)
	ours.untilRole(replica.Leader)
	// A purpose from before the recording.
	ours.mustPropose(state.Join{Purpose: "sample", Worker: "sample-1"}, state.Quit{Worker: "sample-1"})
	node.next(heard, typeUpdate)
	node.next(heard, typeUpdate)
	for _, op := range commands(t, lines) {
		_ = ours.propose(op) // the recorded master refused some, as we do
	}
	wanted := bodiesOf(lines, typeUpdate)
	for i, want := range wanted {
		if got := string(node.next(heard, typeUpdate).Body); got != want {
			t.Fatalf("update %d is\n%s\nwant\n%s", i, got, want)
		}
	}
	node.publish(keyCandidate, bodiesOf(lines, typeRecommend)[0])
	node.publish(keyMaster, bodiesOf(lines, typeRequest)[0])
	answer := node.next(heard, typeRuntime)
	want := without(t, bodiesOf(lines, typeRuntime)[0], departed)
	want = fmt.Sprintf(`%s,"muster":{"seq":%d,"term":1}}`, strings.TrimSuffix(want, "}"), len(wanted)+2)
	if answer.RoutingKey != "clusterManager.slave.239247530" || string(answer.Body) != want {
		t.Errorf("the slave received under %s\n%s\nwant\n%s", answer.RoutingKey, answer.Body, want)
	}
	beat := string(node.next(heard, typeDeclare).Body)
	if !strings.HasPrefix(beat, `{"type":"declareMaster","data":{"id":1000003,"life_time":`) {
		t.Errorf("a heart-beat is %s", beat)
	}
	ours.end()
}

// Recorded candidates in an election with ours: the largest id wins.
func TestElectionWithRecordedCandidates(t *testing.T) {
	lines := recording(t, "election-failover.jsonl")
	node := newNodeProgram(t)
	heard := node.subscribe(keyCandidate + ".#")
	ours := open(t, dialRabbit(t), cluster, high)
	node.next(heard, typeRecommend)
	for _, body := range bodiesOf(lines, typeRecommend) {
		node.publish(keyCandidate, body) // both ids are larger
	}
	node.publish(keyCandidate, bodiesOf(lines, typeDeclare)[0])
	ours.untilRole(replica.Follower)
	if got := ours.is().Leader; got != "631691958" {
		t.Errorf("our manager follows %s, want the recorded master", got)
	}
	ours.untilRole(replica.Leader) // it fell silent
	ours.end()
}
