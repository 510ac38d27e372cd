package manager

import (
	"fmt"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// BenchmarkDecodeMany reads a call of 32 tasks.
func BenchmarkDecodeMany(b *testing.B) {
	tasks := []byte("[")
	for i := range 32 {
		if i > 0 {
			tasks = append(tasks, ',')
		}
		tasks = fmt.Appendf(tasks, `{"purpose":"webrtc","task":"task-1-2-%d","preference":{"isp":"isp-%d","region":"region-%d"},"reserveTime":1000}`, i, i%4, i/4)
	}
	args := bus.Args{append(tasks, ']')}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode("scheduleMany", args); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlacedMany writes the answer to 32 tasks that are on as many workers.
func BenchmarkPlacedMany(b *testing.B) {
	m := many{wrong: make([]error, 32)}
	m.wanted.placement = true
	results := make([]state.Result, 32)
	for i := range results {
		results[i] = state.Result{Worker: fmt.Sprintf("webrtc-%020x@10.0.0.%d", i, i), Placement: uint64(i + 100000), Info: []byte(`{"ip":"10.0.0.1","purpose":"webrtc","state":2,"maxLoad":0.85,"capacity":{"isps":["isp-1"],"regions":["region-2"]},"clusterIP":"10.0.0.1"}`)}
	}
	b.ReportAllocs()
	for b.Loop() {
		placedMany(results, m)
	}
}
