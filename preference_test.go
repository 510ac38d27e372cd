package muster_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster"
)

func TestParsePreference(t *testing.T) {
	tests := []struct {
		raw  string
		want muster.Preference
	}{
		{``, muster.Preference{}},
		{`null`, muster.Preference{}},
		{`"preference"`, muster.Preference{}},
		{`7`, muster.Preference{}},
		{`[{"isp":"a"}]`, muster.Preference{}},
		{`{not json`, muster.Preference{}},
		{`{"isp":"a","region":"b","origin":{"x":1}}`, muster.Preference{ISP: "a", Region: "b", Ignored: []string{"origin.x"}}},
		{`{"lables":{},"video":{"encod":1},"origin.isp":"a"}`, muster.Preference{Ignored: []string{"lables", "origin.isp", "video.encod"}}},
		{`{"origin":{"isp":"a","region":"b"},"video":{"encode":["vp8"]}}`, // OWT 5.0, for audio and video
			muster.Preference{ISP: "a", Region: "b", Video: muster.Formats{Encode: []string{"vp8"}}}},
		{`{"isp":"c","origin":{"isp":"a","region":"b"}}`, muster.Preference{ISP: "c"}},
		{`{"origin":"a"}`, muster.Preference{}},
		{`{"origin":null}`, muster.Preference{}},
		{`{"isp":7,"region":null,"video":"vp8","algorithm":[]}`, muster.Preference{}},
		{`{"algorithm":"faces"}`, muster.Preference{Algorithm: "faces"}},
		{`{"video":{"encode":["vp8"],"decode":["h264",7]}}`,
			muster.Preference{Video: muster.Formats{Encode: []string{"vp8"}, Decode: []string{"h264", "7"}}}},
		{`{"labels":null}`, muster.Preference{}},
		{`{"labels":{"zone":{"in":["b","a","b"]},"gpu":"a100","ssd":{"exists":true},"spot":{"exists":false}}}`,
			muster.Preference{Labels: []muster.LabelRequirement{
				{Key: "gpu", In: []string{"a100"}},
				{Key: "spot", Absent: true},
				{Key: "ssd"},
				{Key: "zone", In: []string{"a", "b"}},
			}}},
	}
	for _, test := range tests {
		got, err := muster.ParsePreference(json.RawMessage(test.raw))
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", test.raw, err, diff)
		}
	}
}

func TestParsePreferenceNamesABadLabel(t *testing.T) {
	for _, raw := range []string{
		`{"zone":7}`, `{"zone":null}`, `{"zone":{}}`, `{"zone":{"inn":["a"]}}`, `{"zone":{"in":[]}}`,
		`{"zone":{"in":"a"}}`, `{"zone":{"in":["a"],"exists":true}}`, `{"zone":{"exists":"yes"}}`,
	} {
		_, err := muster.ParsePreference(json.RawMessage(`{"labels":` + raw + `}`))
		const want = `preference.labels.zone must be a string, {"in": ["a", ...]} or {"exists": true|false}`
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if _, err := muster.ParsePreference(json.RawMessage(`{"labels":["a"]}`)); err == nil {
		t.Error("labels that are a list are taken")
	}
}

func TestLabelRequirement(t *testing.T) {
	labels := map[string]string{"zone": "a", "empty": ""}
	tests := []struct {
		r    muster.LabelRequirement
		want bool
	}{
		{muster.LabelRequirement{Key: "zone", In: []string{"a"}}, true},
		{muster.LabelRequirement{Key: "zone", In: []string{"b", "a"}}, true},
		{muster.LabelRequirement{Key: "zone", In: []string{"b"}}, false},
		{muster.LabelRequirement{Key: "zone"}, true},
		{muster.LabelRequirement{Key: "zone", Absent: true}, false},
		{muster.LabelRequirement{Key: "none"}, false},
		{muster.LabelRequirement{Key: "none", Absent: true}, true},
		{muster.LabelRequirement{Key: "none", In: []string{""}}, false},
		{muster.LabelRequirement{Key: "empty", In: []string{""}}, true},
	}
	for _, test := range tests {
		if got := test.r.Matches(labels); got != test.want {
			t.Errorf("%+v: %v", test.r, got)
		}
	}
}

func TestParseInfo(t *testing.T) {
	const raw = `{"ip":"10.0.0.1","port":8080,"capacity":{"isps":["a"]},"labels":{"zone":"b"},"max_tasks":3,"own":true}`
	got, err := muster.ParseInfo(json.RawMessage(raw))
	want := muster.Info{
		IP: "10.0.0.1", Port: 8080, State: muster.StateUnreported, MaxLoad: 1, Capacity: muster.Capacity{ISPs: []string{"a"}},
		Labels: map[string]string{"zone": "b"}, MaxTasks: 3, Raw: json.RawMessage(raw),
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestInfoKeepsUnknownMembers(t *testing.T) {
	const raw = `{"id":"w","info":{"maxLoad":0.5,"own":[1]}}`
	var w muster.Worker
	if err := json.Unmarshal([]byte(raw), &w); err != nil || w.Info.MaxLoad != 0.5 {
		t.Fatalf("%+v, %v", w.Info, err)
	}
	back, err := json.Marshal(w.Info)
	if err != nil || string(back) != `{"maxLoad":0.5,"own":[1]}` {
		t.Errorf("came back as %s, %v", back, err)
	}
}

func TestExcludedIsAnObjectOfWhatExcluded(t *testing.T) {
	var e muster.Excluded
	e[muster.RuleCodec], e[muster.RuleNotReady] = 2, 1
	raw, err := json.Marshal(e)
	if err != nil || string(raw) != `{"codec":2,"not_ready":1}` {
		t.Errorf("%s, %v", raw, err)
	}
	var back muster.Excluded
	if err := json.Unmarshal(raw, &back); err != nil || back != e {
		t.Errorf("came back as %v, %v", back, err)
	}
}

func FuzzParsePreference(f *testing.F) {
	f.Add([]byte(`{"isp":"a","region":"b","video":{"encode":["vp8"]},"labels":{"a":{"in":["b"]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := muster.ParsePreference(raw)
		if err != nil && err.Error() == "" {
			t.Fatal("refused without a reason")
		}
		for _, r := range p.Labels {
			r.Matches(map[string]string{r.Key: "x"})
		}
	})
}

func ExampleParsePreference() {
	p, _ := muster.ParsePreference(json.RawMessage(`{"region":"bj","labels":{"gpu":{"in":["a100","h100"]}}}`))
	fmt.Println(p.Region, p.Labels[0].Matches(map[string]string{"gpu": "h100"}))
	// Output: bj true
}

// Workers of OWT 4.2 to 5.0 say max_load, those of 5.1 maxLoad.
func TestParseInfoReadsBothNamesOfMaxLoad(t *testing.T) {
	for raw, want := range map[string]float64{
		`{"max_load":0.85}`:                0.85,
		`{"maxLoad":0.7}`:                  0.7,
		`{"max_load":0.85,"maxLoad":0.7}`:  0.7,
		`{"maxLoad":0,"max_load":0.85}`:    0.85,
		`{"max_load":-1}`:                  1,
		`{"max_load":null,"maxLoad":null}`: 1,
	} {
		info, err := muster.ParseInfo(json.RawMessage(raw))
		if err != nil || info.MaxLoad != want || string(info.Raw) != raw {
			t.Errorf("%s: %v, %v, raw %s", raw, info.MaxLoad, err, info.Raw)
		}
	}
	if _, err := muster.ParseInfo(json.RawMessage(`{"max_load":"high"}`)); err == nil {
		t.Error("a max_load that is text is taken")
	}
}
