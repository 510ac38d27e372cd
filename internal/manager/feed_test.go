package manager_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

// A listener from the start on gets all that happens, in order and without a gap.
func TestFeed(t *testing.T) {
	onEachQueue(t, func(t *testing.T, f *fleet) {
		batches := make(chan muster.FeedBatch, 4096)
		_, err := f.conn().Subscribe(f.ctx, bus.TopicEvents, bus.KeyFeed, func(_ string, body json.RawMessage) {
			var b muster.FeedBatch
			if err := json.Unmarshal(body, &b); err != nil {
				t.Error(err)
			}
			batches <- b
		})
		must(t, err)
		f.join("sip", 1)
		id := f.workers[0].ID()
		f.place("sip", "a")
		f.worker(id).AddTask("a")
		_, err = f.client.Schedule(f.ctx, client.Request{Purpose: "sip", Task: "b", Preference: map[string]any{"labels": map[string]string{"gpu": "t4"}}})
		if err == nil {
			t.Fatal("b is placed")
		}
		want := map[string]bool{
			"worker.joined sip " + id + "  ": true, "task.placed sip " + id + " a ": true, "task.running sip " + id + " a ": true,
			"task.refused sip  b 1 map[label:1]": true,
		}
		next, loads, feed := uint64(0), false, ""
		for len(want) > 0 || !loads {
			select {
			case b := <-batches:
				if feed != "" && (b.First != next || b.Feed != feed || b.Skipped != 0) || b.Cluster != client.DefaultCluster || b.Term == 0 {
					t.Fatalf("after number %d of %s comes %+v", next, feed, b)
				}
				next, feed = b.First+uint64(len(b.Events)), b.Feed
				loads = loads || b.Loads[id] == 0.1
				for _, e := range b.Events {
					excluded := ""
					if e.Excluded != nil {
						var rules map[string]int
						must(t, json.Unmarshal(jsonOf(t, e.Excluded), &rules))
						excluded = fmt.Sprint(e.Workers, " ", rules)
					}
					delete(want, fmt.Sprintf("%s %s %s %s %s", e.Type, e.Purpose, e.Worker, e.Task, excluded))
				}
			case <-f.ctx.Done():
				t.Fatalf("in vain: %v, loads: %v", want, loads)
			}
		}
	})
}

func jsonOf(t *testing.T, v any) []byte {
	raw, err := json.Marshal(v)
	must(t, err)
	return raw
}
