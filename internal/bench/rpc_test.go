package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// small is a run that takes well under a second.
func small(url string) RPCOptions {
	o := DefaultRPCOptions()
	o.Bus = bus.Options{URL: url}
	o.Workers, o.Inflight = 60, []int{1, 16}
	o.Duration, o.Slice = 200*time.Millisecond, 20*time.Millisecond
	return o
}

func checkRPC(t *testing.T, results []RPCResult, kind string) {
	t.Helper()
	if len(results) != 2 {
		t.Fatalf("%d results for two numbers of calls in flight", len(results))
	}
	for i, inflight := range []int{1, 16} {
		r := results[i]
		if r.Bus != kind || r.Workers != 60 || r.Inflight != inflight || r.Slices != 5 || r.Interrupted {
			t.Errorf("not what was asked for: %+v", r)
		}
		if r.Failed != 0 || r.EchoFailed != 0 || r.Reason != "" {
			t.Errorf("calls failed: %+v", r)
		}
		if r.Calls == 0 || r.PlacementsPerS <= 0 || r.CeilingPerS <= 0 || r.Ratio <= 0 || r.RatioLow > r.RatioHigh {
			t.Errorf("rates are missing: %+v", r)
		}
		if r.P50 <= 0 || r.P99 < r.P50 || r.CeilingP50 <= 0 || r.CeilingP99 < r.CeilingP50 {
			t.Errorf("times are missing: %+v", r)
		}
	}
}

func TestRPCOverNATS(t *testing.T) {
	results, err := RPC(t.Context(), small(testbed.EmbeddedNATS))
	if err != nil {
		t.Fatal(err)
	}
	checkRPC(t, results, testbed.NATS)
}

func TestRPCWithThreeManagers(t *testing.T) {
	for _, url := range []string{testbed.EmbeddedNATS, rabbit.Broker(t).URL()} {
		o := small(url)
		o.Managers = 3
		results, err := RPC(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Managers != 3 || r.Failed != 0 || r.PlacementsPerS <= 0 {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestRPCEveryWayToCall(t *testing.T) {
	o := small(testbed.EmbeddedNATS)
	o.Inflight, o.Via, o.Batch, o.Signs = []int{4}, []Via{ViaWire, ViaSDK}, []int{1, 5}, testbed.SignsSDK
	results, err := RPC(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var ways []string
	for _, r := range results {
		ways = append(ways, fmt.Sprint(r.Via, r.Batch))
		if r.Failed != 0 || r.Calls == 0 || r.PlacementsPerS <= 0 || r.OfFirst <= 0 || r.OfFirstCPU <= 0 {
			t.Errorf("%+v", r)
		}
	}
	if got, want := strings.Join(ways, " "), "wire1 wire5 sdk1 sdk5"; got != want {
		t.Errorf("measured %s, want %s", got, want)
	}
}

// A call of several tasks fails with the first of them.
func TestAllPlaced(t *testing.T) {
	for answer, want := range map[string]string{
		`{"tasks":[{"id":"w"},{"id":"v"}]}`:     "<nil>",
		`{"tasks":[{"id":"w"},{"error":"no"}]}`: "no",
		`{"tasks":[{"id":"w"}]}`:                "1 answers for 2 tasks",
	} {
		if err := allPlaced([]byte(answer), 2); fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %s", answer, err, want)
		}
	}
}

func TestRPCOverRabbitMQ(t *testing.T) {
	results, err := RPC(t.Context(), small(rabbit.Broker(t).URL()))
	if err != nil {
		t.Fatal(err)
	}
	checkRPC(t, results, testbed.AMQP)
}

func TestRPCThatIsInterruptedTellsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := small(testbed.EmbeddedNATS)
	o.Duration = time.Hour
	o.Progress = func(time.Duration, time.Duration) { cancel() }
	results, err := RPC(ctx, o)
	if err != nil || len(results) != 1 {
		t.Fatalf("%d results, %v; want the one that was interrupted", len(results), err)
	}
	if r := results[0]; !r.Interrupted || r.Slices != 1 || r.PlacementsPerS <= 0 || r.Failed != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestRPCToldOfAnUnreachableBroker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, url := range []string{"nats://127.0.0.1:1", "amqp://127.0.0.1:1", "http://127.0.0.1"} {
		if _, err := RPC(ctx, small(url)); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: error %v does not name it", url, err)
		}
	}
}

func TestRPCRefusesWhatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*RPCOptions){
		"workers":             func(o *RPCOptions) { o.Workers = 0 },
		"regions":             func(o *RPCOptions) { o.Regions = 0 },
		"inflight must be":    func(o *RPCOptions) { o.Inflight = []int{1, 0} },
		"inflight must name":  func(o *RPCOptions) { o.Inflight = nil },
		"signs":               func(o *RPCOptions) { o.Signs = "drums" },
		"via":                 func(o *RPCOptions) { o.Via = []Via{"telepathy"} },
		"batch":               func(o *RPCOptions) { o.Batch = []int{1, 1001} },
		"duration":            func(o *RPCOptions) { o.Duration = o.Slice },
		"reserve must be at ": func(o *RPCOptions) { o.Reserve = 0 },
	} {
		o := small(testbed.EmbeddedNATS)
		change(&o)
		if _, err := RPC(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v does not name it", name, err)
		}
	}
}
