package state

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
)

// TestMatchers places one task on a small fleet of each purpose. Each worker is
// named for what it is; want is those that could take the task, in join order,
// or the rule that leaves none.
func TestMatchers(t *testing.T) {
	const capacity = `{"capacity":`
	places := map[string]string{
		"any":  `{}`,
		"a":    capacity + `{"isps":["a"],"regions":[]}}`,
		"an":   capacity + `{"isps":["a"],"regions":["n"]}}`,
		"bn":   capacity + `{"isps":["b"],"regions":["n","s"]}}`,
		"anyn": capacity + `{"isps":[],"regions":["n"]}}`,
	}
	placed := []string{"any", "a", "an", "bn", "anyn"}
	videos := map[string]string{
		"none": `{}`,
		"h264": capacity + `{"video":{"encode":["h264"],"decode":["h264"]}}}`,
		"both": capacity + `{"isps":["a"],"video":{"encode":["vp8","h264"],"decode":["vp8","h264"]}}}`,
	}
	algorithms := map[string]string{
		"none": `{}`,
		"face": capacity + `{"algorithms":["face","gait"]}}`,
	}
	labels := map[string]string{
		"none": `{}`,
		"a100": `{"labels":{"gpu":"a100"}}`,
		"t4":   `{"labels":{"gpu":"t4","zone":"x"}}`,
	}
	for _, tc := range []struct {
		purposes, preference string
		fleet                map[string]string
		order                []string
		want                 string
	}{
		{"webrtc portal streaming audio video", ``, places, placed, "any anyn"},
		{"webrtc portal streaming audio video", `"preference"`, places, placed, "any anyn"},
		{"webrtc portal streaming audio video", `[1,{}]`, places, placed, "any anyn"},
		{"webrtc portal streaming audio video", `{"isp":7}`, places, placed, "any anyn"},
		{"webrtc portal streaming audio video", `{"isp":"a"}`, places, placed, "any a an anyn"},
		{"webrtc portal streaming audio video", `{"isp":"b"}`, places, placed, "any bn anyn"},
		{"webrtc portal streaming audio video", `{"isp":"isp","region":"region"}`, places, placed, "any anyn"},
		{"webrtc portal streaming audio video", `{"isp":"a","region":"n"}`, places, placed, "an anyn"},
		{"webrtc portal streaming audio video", `{"isp":"b","region":"s"}`, places, placed, "bn"},
		{"webrtc portal streaming audio video", `{"isp":"a","region":"far"}`, places, placed, "any a an anyn"},
		{"webrtc portal streaming audio video", `{"region":"n"}`, places, placed, "anyn"},
		{"conference recording sip quic mediabridge eventbridge other", `{"isp":"a","region":"n"}`, places, placed, "any a an bn anyn"},
		{"conference recording sip quic mediabridge eventbridge other", `{"algorithm":"x","video":{"encode":["x"]}}`, places, placed, "any a an bn anyn"},

		{"video", `{}`, videos, []string{"none", "h264", "both"}, "none h264"},
		{"video", `{"isp":"a"}`, videos, []string{"none", "h264", "both"}, "none h264 both"},
		{"video", `{"isp":"a","video":{"encode":["h264"]}}`, videos, []string{"none", "h264", "both"}, "h264 both"},
		{"video", `{"isp":"a","video":{"encode":["h264"],"decode":["h264","vp8"]}}`, videos, []string{"none", "h264", "both"}, "both"},
		{"video", `{"video":{"encode":["h264"],"decode":["vp8"]}}`, videos, []string{"none", "h264", "both"}, "!codec:2 isp:1"},
		{"video", `{"isp":"a","video":{"encode":["av1"],"decode":["vp8"]}}`, videos, []string{"none", "h264", "both"}, "!codec:3"},
		{"video", `{"isp":"a","video":{"encode":[5]}}`, videos, []string{"none", "h264", "both"}, "!codec:3"},
		{"webrtc", `{"video":{"encode":["av1"]}}`, videos, []string{"none", "h264"}, "none h264"},

		{"analytics", `{"algorithm":"gait","isp":"nobody"}`, algorithms, []string{"none", "face"}, "face"},
		{"analytics", `{"algorithm":"x"}`, algorithms, []string{"none", "face"}, "!codec:2"},
		{"analytics", `{}`, algorithms, []string{"none", "face"}, "none face"},
		{"analytics", `"preference"`, algorithms, []string{"none", "face"}, "none face"},

		{"webrtc sip other", `{"labels":{"gpu":"t4"}}`, labels, []string{"none", "a100", "t4"}, "t4"},
		{"webrtc sip other", `{"labels":{"gpu":{"in":["t4","a100","h100"]}}}`, labels, []string{"none", "a100", "t4"}, "a100 t4"},
		{"webrtc sip other", `{"labels":{"gpu":{"exists":true}}}`, labels, []string{"none", "a100", "t4"}, "a100 t4"},
		{"webrtc sip other", `{"labels":{"gpu":{"exists":false}}}`, labels, []string{"none", "a100", "t4"}, "none"},
		{"webrtc sip other", `{"labels":{"gpu":{"exists":true},"zone":{"exists":false}}}`, labels, []string{"none", "a100", "t4"}, "a100"},
		{"webrtc sip other", `{"labels":{"rack":{"exists":false}}}`, labels, []string{"none", "a100", "t4"}, "none a100 t4"},
		{"webrtc sip other", `{"labels":{"rack":"1"}}`, labels, []string{"none", "a100", "t4"}, "!label:3"},
	} {
		for purpose := range strings.FieldsSeq(tc.purposes) {
			t.Run(purpose+" "+tc.preference, func(t *testing.T) {
				c := newCluster(t, plain(muster.RoundRobin))
				for _, id := range tc.order {
					c.worker(purpose, id, tc.fleet[id])
				}
				if got := c.eligible(purpose, tc.preference); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			})
		}
	}
}

// eligible returns whom round-robin goes through once, or the rules that keep
// everyone out.
func (c *cluster) eligible(purpose, preference string) string {
	result, _ := c.Apply(Command{Op: Schedule{Purpose: purpose, Task: "t", Preference: json.RawMessage(preference)}})
	why := result.Explanation
	if result.Err != nil {
		counts, _ := json.Marshal(why.Excluded)
		if result.Err != error(muster.ReasonNotScheduled(purpose, muster.ReasonNoMatch)) {
			return result.Err.Error()
		}
		return "!" + strings.NewReplacer(`"`, "", "{", "", "}", "", ",", " ").Replace(string(counts))
	}
	ids := []string{result.Worker}
	for len(ids) < why.Candidates {
		c.Apply(Command{Op: Unschedule{result.Worker, "t", 0}})
		result, _ = c.Apply(Command{Op: Schedule{Purpose: purpose, Task: "t", Preference: json.RawMessage(preference)}})
		ids = append(ids, result.Worker)
	}
	return strings.Join(ids, " ")
}

func TestLabelThatCannotBeUnderstood(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{}`)
	got := c.refused(Schedule{Purpose: "sip", Task: "t", Preference: json.RawMessage(`{"labels":{"gpu":7}}`)})
	if !strings.Contains(got, "preference.labels.gpu") {
		t.Errorf("the error does not name the requirement: %s", got)
	}
	if why, _ := c.Why("sip", "t"); why.Reason != got || why.Workers != 1 {
		t.Errorf("explained as %+v", why)
	}
}

func TestRegionCountsAmongAvailableWorkers(t *testing.T) {
	c := newCluster(t, plain(muster.LeastUsed))
	c.worker("webrtc", "near", `{"capacity":{"regions":["n"]}}`)
	c.worker("webrtc", "far", `{"capacity":{"regions":["s"]}}`)
	if got := c.place("webrtc", "1", `{"region":"n"}`); got != "near" {
		t.Errorf("placed on %s while the worker of the region is idle", got)
	}
	if why, _ := c.Why("webrtc", "1"); why.Excluded[muster.RuleRegion] != 1 {
		t.Errorf("explained as %+v", why)
	}
	c.load("near", 1)
	if got := c.place("webrtc", "2", `{"region":"n"}`); got != "far" {
		t.Errorf("placed on %s while the worker of the region is full", got)
	}
	if why, _ := c.Why("webrtc", "2"); why.Excluded[muster.RuleRegion] != 0 || why.Excluded[muster.RuleFull] != 1 {
		t.Errorf("explained as %+v", why)
	}
}

func TestNewLabelKeyIsSeenByOldRequirements(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "old", `{}`)
	c.refused(Schedule{Purpose: "sip", Task: "t", Preference: json.RawMessage(`{"labels":{"gpu":"1"}}`)})
	c.worker("sip", "new", `{"labels":{"gpu":"1"}}`)
	if got := c.place("sip", "t", `{"labels":{"gpu":"1"}}`); got != "new" {
		t.Errorf("placed on %s", got)
	}
}
