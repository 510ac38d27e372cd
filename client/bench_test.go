package client_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

// answering is a queue that answers at once, so that what is measured is the
// client's own part of a call.
type answering struct {
	bus.Conn
	answer json.RawMessage
}

func (a answering) CallUntil(context.Context, time.Time, string, string, ...any) (json.RawMessage, error) {
	return a.answer, nil
}

// BenchmarkSchedule is what the client adds to a call of schedule.
func BenchmarkSchedule(b *testing.B) {
	answer := json.RawMessage(`{"id":"webrtc-0123456789abcdef0123@10.0.0.1","info":{"ip":"10.0.0.1","purpose":"webrtc","state":2,` +
		`"maxLoad":0.85,"capacity":{"isps":["isp-1"],"regions":["region-2"]},"clusterIP":"10.0.0.1"},"placement":123456}`)
	c := client.New(answering{answer: answer}, client.Options{})
	wanted := json.RawMessage(`{"isp":"isp-1","region":"region-2"}`)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Schedule(ctx, client.Request{Purpose: "webrtc", Task: "task-1-2-3456", Preference: wanted, Reserve: time.Second})
		if err != nil {
			b.Fatal(err)
		}
	}
}
