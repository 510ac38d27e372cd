package client_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

const placedOnW1 = `{"id":"w1","info":{"ip":"192.0.2.1","x":[1]},"explanation":{}}`

func TestSchedule(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("schedule", data(placedOnW1))
	for name, k := range map[string]struct {
		request client.Request
		sent    string
	}{
		"bare": {client.Request{Purpose: "video", Task: "t"}, `null 0`},
		"place": {
			client.Request{Purpose: "video", Task: "t", ISP: "a", Region: "b", Reserve: 30 * time.Second},
			`{"isp":"a","region":"b"} 30000`,
		},
		"place added": {
			client.Request{Purpose: "video", Task: "t", Region: "b", Preference: map[string]any{"labels": map[string]string{"gpu": "x"}}},
			`{"labels":{"gpu":"x"},"region":"b"} 0`,
		},
		"any value": {client.Request{Purpose: "video", Task: "t", Preference: "preference"}, `"preference" 0`},
		"raw JSON":  {client.Request{Purpose: "video", Task: "t", Preference: raw(`{"isp":"z"}`)}, `{"isp":"z"} 0`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Schedule(within(t), k.request)
			want := muster.Placement{Purpose: "video", Task: "t", Worker: "w1", Info: raw(`{"ip":"192.0.2.1","x":[1]}`)}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %s, %v; want %s", jsonOf(got), err, jsonOf(want))
			}
			if want := `schedule "video" "t" ` + k.sent + ` {"placement":true,"explain":"refusal"}`; m.last() != want {
				t.Errorf("sent %s\nwant %s", m.last(), want)
			}
		})
	}
}

func TestPlainOWT(t *testing.T) {
	c, m := talking(t, client.Options{PlainOWT: true})
	m.on("schedule", data(placedOnW1))
	if _, err := c.Schedule(within(t), client.Request{Purpose: "p", Task: "t"}); err != nil {
		t.Fatal(err)
	}
	if want := `schedule "p" "t" null 0`; m.last() != want {
		t.Errorf("sent %s; want %s", m.last(), want)
	}
}

func TestScheduleRefusesWrongRequests(t *testing.T) {
	c, m := talking(t, client.Options{})
	for field, r := range map[string]client.Request{
		"Request.Purpose":    {Task: "t"},
		"Request.Task":       {Purpose: "p"},
		"Request.Reserve":    {Purpose: "p", Task: "t", Reserve: -1},
		"Request.Preference": {Purpose: "p", Task: "t", Preference: func() {}},
		"must be an object":  {Purpose: "p", Task: "t", Preference: "text", ISP: "a"},
	} {
		if _, err := c.Schedule(within(t), r); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v; want an error that names it", field, err)
		}
	}
	if m.count() != 0 {
		t.Errorf("the manager was asked: %s", m.last())
	}
}

func TestRefusals(t *testing.T) {
	c, m := talking(t, client.Options{})
	owt := map[muster.Reason]error{
		muster.ReasonNotReady:          client.ErrNotReady,
		muster.ReasonNoTask:            client.ErrNoTask,
		muster.ReasonInvalidPurpose:    client.ErrInvalidPurpose,
		muster.ReasonNoScheduler("p"):  client.ErrNoScheduler,
		muster.ReasonNoWorker("w [1]"): client.ErrUnknownWorker,
		muster.ReasonUnsupported:       client.ErrUnsupported,
	}
	others := map[muster.Reason]error{
		muster.ReasonNoneSelected:       client.ErrNoneSelected,
		muster.ReasonNoDrain:            client.ErrNoDrain,
		muster.ReasonPlacementOver:      client.ErrPlacementOver,
		muster.ReasonTaskElsewhere:      client.ErrTaskElsewhere,
		muster.ReasonNoSlot:             client.ErrNoSlot,
		muster.ReasonLastWorkers("all"): client.ErrLastWorkers,
	}
	all := maps.Clone(owt)
	maps.Copy(all, others)
	check := func(reason muster.Reason, want error, s step) {
		m.on("status", s)
		_, err := c.Status(within(t))
		var remote *bus.RemoteError
		if !errors.Is(err, want) || !errors.As(err, &remote) || remote.Reason != reason.Text {
			t.Errorf("%v: got %v; want %v, and the words as they came", reason, err, want)
		}
		if !strings.HasSuffix(err.Error(), reason.Text) {
			t.Errorf("got %q; want the manager's words", err)
		}
		for _, other := range all {
			if other != want && errors.Is(err, other) {
				t.Errorf("%v is %v, too", reason, other)
			}
		}
	}
	for reason, want := range all {
		check(reason, want, refuse(reason))
		improved := muster.Reason{Code: reason.Code, Text: "other words"}
		check(improved, want, refuse(improved))
	}
	for reason, want := range owt { // as OWT's own manager refuses
		check(reason, want, fail(reason.Text))
	}
	before := m.count()
	m.on("status", fail("status: something else"))
	_, err := c.Status(within(t))
	var remote *bus.RemoteError
	if !errors.As(err, &remote) || remote.Reason != "status: something else" || m.count() != before+1 {
		t.Errorf("got %v after %d calls; want the refusal after one", err, m.count()-before)
	}
}

func TestNoWorkerExplains(t *testing.T) {
	c, m := talking(t, client.Options{})
	why := muster.Explanation{Purpose: "video", Task: "t", Strategy: muster.LeastUsed, Workers: 4, Reason: muster.ReasonNoMatch.Text}
	why.Excluded[muster.RuleCodec] = 3
	why.Excluded[muster.RuleFull] = 1
	m.on("schedule", func(r *bus.Request) {
		r.RefuseDetail(muster.ReasonNotScheduled("video", muster.ReasonNoMatch), why)
	})
	_, err := c.Schedule(within(t), client.Request{Purpose: "video", Task: "t"})
	var none *client.NoWorkerError
	if !errors.As(err, &none) || !errors.Is(err, client.ErrNoWorker) {
		t.Fatalf("got %v; want a NoWorkerError", err)
	}
	if none.Purpose != "video" || none.Reason != muster.ReasonNoMatch || !reflect.DeepEqual(none.Explanation, &why) {
		t.Errorf("got %+v with %+v", none, none.Explanation)
	}
	m.on("schedule", fail(muster.ReasonNotScheduled("video", muster.ReasonAllFull).Text))
	_, err = c.Schedule(within(t), client.Request{Purpose: "video", Task: "t"})
	if !errors.As(err, &none) || none.Explanation != nil || none.Reason != muster.ReasonAllFull {
		t.Errorf("without detail: got %+v", none)
	}
}

func TestLookUps(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("listWorkers", data(`[{"id":"w1","purpose":"video","state":2,"load":0.5,"debit":0.1,"tasks":["a"],"reserved":["b"],"info":{"ip":"192.0.2.1","state":2,"maxLoad":0.85,"capacity":{"isps":[],"regions":["eu"]}}}]`))
	m.on("getWorkers", data(`["w1","w2"]`))
	m.on("getTasks", data(`["a"]`))
	m.on("listTasks", data(`[{"purpose":"video","task":"b","worker":"w1","state":"reserved","until":1700000000000}]`))
	m.on("getScheduled", data(`"w1"`))
	m.on("unschedule", data(`"ok"`))
	m.on("why", data(`{"purpose":"video","task":"a","workers":2,"excluded":{"codec":1},"candidates":1,"chosen":{"worker":"w1"}}`))
	m.on("status", data(`{"cluster":"owt-cluster","state":"in-service","version":"v1","purposes":[{"purpose":"video","workers":2,"running":1}]}`))
	for name, k := range map[string]struct {
		call func(context.Context) (any, error)
		sent string
		want string
	}{
		"Workers": {
			func(ctx context.Context) (any, error) {
				all, err := c.Workers(ctx, "")
				return []any{all[0].ID, all[0].Load, all[0].Debit, all[0].Tasks, all[0].Reserved, all[0].Info.Capacity.Regions}, err
			}, `listWorkers "all" {"names":true,"limit":1000}`, `["w1",0.5,0.1,["a"],["b"],["eu"]]`,
		},
		"WorkerIDs": {func(ctx context.Context) (any, error) { return c.WorkerIDs(ctx, "video") }, `getWorkers "video"`, `["w1","w2"]`},
		"Tasks":     {func(ctx context.Context) (any, error) { return c.Tasks(ctx, "w1") }, `getTasks "w1"`, `["a"]`},
		"ListTasks": {
			func(ctx context.Context) (any, error) { return c.ListTasks(ctx, "video") }, `listTasks "video" {"limit":1000}`,
			`[{"purpose":"video","task":"b","worker":"w1","state":"reserved","until":1700000000000}]`,
		},
		"Scheduled":  {func(ctx context.Context) (any, error) { return c.Scheduled(ctx, "video", "a") }, `getScheduled "video" "a"`, `"w1"`},
		"Unschedule": {func(ctx context.Context) (any, error) { return nil, c.Unschedule(ctx, "w1", "b") }, `unschedule "w1" "b"`, `null`},
		"Why": {
			func(ctx context.Context) (any, error) {
				why, err := c.Why(ctx, "video", "a")
				return []any{why.Workers, why.Excluded, why.Chosen.Worker}, err
			}, `why "video" "a"`, `[2,{"codec":1},"w1"]`,
		},
		"Status": {
			func(ctx context.Context) (any, error) {
				s, err := c.Status(ctx)
				return []any{s.Cluster, s.State, s.Version, s.Purposes[0].Workers, s.Purposes[0].Running}, err
			}, `status`, `["owt-cluster","in-service","v1",2,1]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := k.call(within(t))
			if err != nil || jsonOf(got) != k.want {
				t.Errorf("got %s, %v; want %s", jsonOf(got), err, k.want)
			}
			if m.last() != k.sent {
				t.Errorf("sent %s; want %s", m.last(), k.sent)
			}
		})
	}
}

func TestWorker(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("getWorkerAttr",
		data(`{"state":2,"load":0.25,"info":{"ip":"192.0.2.1","purpose":"video","maxLoad":0.5,"x":1},"tasks":["a"]}`),
		data(`{"load":0.85,"info":{"purpose":"video"},"tasks":[]}`),
		data(`{"id":"p1","purpose":"portal","ip":"192.0.2.9","rpcID":"p1","state":2,"load":0.1,"hostname":"h","port":8080,"keepAlive":0}`),
		data(`{"load":0.85,"info":{"port":"x"},"tasks":[]}`),
	)
	w, err := c.Worker(within(t), "w1")
	if err != nil || w.ID != "w1" || w.Purpose != "video" || w.State != muster.StateReady || w.Load != 0.25 ||
		w.Tasks[0] != "a" || w.Info.MaxLoad != 0.5 || !strings.Contains(string(w.Info.Raw), `"x":1`) {
		t.Errorf("got %s, %v", jsonOf(w), err)
	}
	if w, err := c.Worker(within(t), "w2"); err != nil || w.State != muster.StateUnreported {
		t.Errorf("no state: got %s, %v", jsonOf(w), err)
	}
	if w, err := c.Worker(within(t), "p1"); err != nil || w.Purpose != "portal" || w.Info.Port != 8080 || w.Info.IP != "192.0.2.9" {
		t.Errorf("portal: got %s, %v", jsonOf(w), err)
	}
	if _, err := c.Worker(within(t), "w3"); err == nil || !strings.Contains(err.Error(), "info.port") {
		t.Errorf("wrong info: got %v", err)
	}
}

func TestValidate(t *testing.T) {
	if err := client.DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	for field, o := range map[string]client.Options{"Timeout": {Timeout: -1}, "TryTimeout": {TryTimeout: -1}} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}
