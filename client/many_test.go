package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

func TestScheduleMany(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("scheduleMany", data(`{"tasks":[{"id":"w1","placement":7},`+
		`{"error":"`+muster.ReasonNotScheduled("audio", muster.ReasonAllFull).Text+`","code":"all-full","explanation":{"workers":3}},{"id":"w2"},{}],"workers":{"w1":{"ip":"192.0.2.1"}}}`))
	got, err := c.ScheduleMany(within(t), []client.Request{
		{Purpose: "video", Task: "a", Region: "eu", Reserve: 1e9},
		{Purpose: "video", Task: ""},
		{Purpose: "audio", Task: "b"},
		{Purpose: "video", Task: "c", Preference: raw(`{"isp":"z"}`)},
		{Purpose: "video", Task: "d"},
	})
	if err != nil || len(got) != 5 {
		t.Fatalf("got %v, %v", got, err)
	}
	want := `scheduleMany [{"purpose":"video","task":"a","preference":{"region":"eu"},"reserveTime":1000},` +
		`{"purpose":"audio","task":"b","preference":null},{"purpose":"video","task":"c","preference":{"isp":"z"}},` +
		`{"purpose":"video","task":"d","preference":null}] {"explain":"refusal"}`
	if m.last() != want {
		t.Errorf("sent %s\nwant %s", m.last(), want)
	}
	if p := got[0].Placement; got[0].Err != nil || p.Worker != "w1" || p.Number != 7 || string(p.Info) != `{"ip":"192.0.2.1"}` || p.Task != "a" {
		t.Errorf("a: %+v", got[0])
	}
	if got[1].Err == nil || !strings.Contains(got[1].Err.Error(), "Request.Task") {
		t.Errorf("a task without a name: %v", got[1].Err)
	}
	var none *client.NoWorkerError
	if !errors.As(got[2].Err, &none) || none.Explanation == nil || none.Explanation.Workers != 3 || none.Reason != muster.ReasonAllFull {
		t.Errorf("b: %v", got[2].Err)
	}
	if got[3].Err != nil || got[3].Worker != "w2" || got[3].Info != nil {
		t.Errorf("c, whose worker's info had no room: %+v", got[3])
	}
	if got[4].Err == nil {
		t.Errorf("d has neither worker nor error: %+v", got[4])
	}
	if _, err := c.ExplainMany(within(t), []client.Request{request}); err == nil {
		t.Error("four answers for one task are taken")
	}
	if !strings.HasSuffix(m.last(), ` {"explain":true}`) {
		t.Errorf("sent %s", m.last())
	}
}

// More tasks than fit go out in several calls. One that fails is the error of
// its own tasks.
func TestScheduleManyInParts(t *testing.T) {
	c, m := talking(t, client.Options{})
	each := func(r *bus.Request) {
		var tasks []any
		if err := json.Unmarshal(r.Args[0], &tasks); err != nil || len(r.Args[0]) > muster.MaxBody/2 {
			t.Errorf("a call of %d bytes, %v", len(r.Args[0]), err)
		}
		data(`{"tasks":[` + strings.TrimSuffix(strings.Repeat(`{"id":"w1"},`, len(tasks)), ",") + `],"workers":{}}`)(r)
	}
	m.on("scheduleMany", each, fail("planted"), each)
	requests := make([]client.Request, 2*muster.MaxScheduleMany+1)
	for i := range requests {
		requests[i] = client.Request{Purpose: "video", Task: fmt.Sprint(i)}
	}
	got, err := c.ScheduleMany(within(t), requests)
	var remote *bus.RemoteError
	if !errors.As(err, &remote) || remote.Reason != "planted" || m.count() != 3 {
		t.Errorf("got %v after %d calls, want the error of the second of 3", err, m.count())
	}
	for i, o := range got {
		failed := i >= muster.MaxScheduleMany && i < 2*muster.MaxScheduleMany
		if errors.Is(o.Err, err) != failed || (o.Worker == "w1") == failed || o.Task != requests[i].Task {
			t.Fatalf("task %d: %+v", i, o)
		}
	}
	long := strings.Repeat("x", 900)
	for i := range requests[:300] {
		requests[i].Task = long + fmt.Sprint(1000+i)
	}
	if _, err := c.ScheduleMany(within(t), requests[:300]); err != nil || m.count() != 5 {
		t.Errorf("long names: %v after %d calls more, want 2", err, m.count()-3)
	}
}

func TestScheduleManyOfNone(t *testing.T) {
	c, m := talking(t, client.Options{})
	if got, err := c.ScheduleMany(within(t), nil); err != nil || len(got) != 0 || m.count() != 0 {
		t.Errorf("got %v, %v after %d calls", got, err, m.count())
	}
	if _, err := c.ScheduleMany(within(t), []client.Request{request}); !errors.Is(err, client.ErrUnsupported) {
		t.Errorf("a manager without the method: %v", err)
	}
}
