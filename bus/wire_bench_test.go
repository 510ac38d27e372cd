package bus_test

import (
	"encoding/json"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var (
	benchCall  = []byte(`{"method":"schedule","args":["webrtc","task-12345",{"isp":"isp1","region":"region2"},30000],"corrID":123456,"replyTo":"amq.gen-0123456789abcdef"}`)
	benchReply = []byte(`{"data":{"id":"webrtc-0123456789abcdef0123@10.0.0.1","info":{"ip":"10.0.0.1","purpose":"webrtc","state":2}},"corrID":123456,"type":"callback"}`)
)

func BenchmarkParseCall(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bus.ParseCall(benchCall); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseReply(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bus.ParseReply(benchReply); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendCall(b *testing.B) {
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		args, err := bus.EncodeArgs("webrtc", "task-12345", json.RawMessage(`{"isp":"isp1"}`), 30000)
		if err != nil {
			b.Fatal(err)
		}
		buf = bus.AppendCall(buf[:0], bus.Call{Method: "schedule", Args: args, CorrID: json.RawMessage("123456")})
	}
}
