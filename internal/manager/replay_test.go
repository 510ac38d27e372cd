package manager

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// The recordings of real OWT clusters are played against this manager over a
// real RabbitMQ: every request as it was published, byte for byte, to the same
// exchange under the same key, in the same order. Each answer must be the
// recorded one, byte for byte, except for the differences listed in
// testdata/owt-wire/differences.jsonl, which are faults of the original.
//
// Time is the recordings': the manager's clock shows the recorded milliseconds,
// and its liveness interval passes when they say so. Nothing waits.

const recordings = "../../testdata/owt-wire"

// recorded is one line of a recording.
type recorded struct {
	MS       int64           `json:"ms"`
	Exchange string          `json:"exchange"`
	Key      string          `json:"key"`
	Body     json.RawMessage `json:"body"`
}

// envelope is what the player needs to know of a body.
type envelope struct {
	Method  string          `json:"method"`
	CorrID  json.RawMessage `json:"corrID"`
	ReplyTo string          `json:"replyTo"`
}

// address names an answer: the queue it goes to, and the number of the call.
type address struct{ queue, corrID string }

// difference is an answer of ours that is not the recorded one.
type difference struct {
	Recording string          `json:"recording"`
	CorrID    json.RawMessage `json:"corrID"`
	Ours      json.RawMessage `json:"ours"`
	Why       string          `json:"why"`
}

// direction is something that happened to the cluster outside the messages.
type direction struct {
	ms int64
	do func(*stage)
}

func TestRecordedTraffic(t *testing.T) {
	// The agent of these recordings joined before they begin.
	joined := direction{0, func(s *stage) {
		s.startManager()
		s.enterService()
		const queue = "amq.gen-before-the-recording"
		s.bind(queue)
		s.publish("", "owt-cluster", []byte(`{"method":"join","args":["sample","sample-47e0d0c32ff5b8eb4cc9@192.0.2.2",`+
			`{"ip":"192.0.2.2","purpose":"sample","state":2,"maxLoad":0.85,"capacity":{"isps":[],"regions":[]}}],"corrID":0,"replyTo":"`+queue+`"}`))
		s.expect(address{queue, "0"}, []byte(`{"data":"in-service","corrID":0,"type":"callback"}`))
		s.publish("owtRpc", "owt-cluster", []byte(`{"method":"reportLoad","args":["sample-47e0d0c32ff5b8eb4cc9@192.0.2.2",0]}`))
	}}
	tests := []struct {
		recording  string
		directions []direction
		tick       int64 // a moment at which a liveness interval ended
	}{
		{"agent-lifecycle", []direction{joined}, 0},
		{"faults", []direction{
			joined,
			{5400, (*stage).killManager},
			{6400, (*stage).startManager},
			{16400, (*stage).enterService},
		}, 43799},
		{"election-failover", []direction{{0, func(s *stage) { s.startManager(); s.enterService() }}}, 1500},
	}
	broker := rabbit.Broker(t).URL()
	differences := readDifferences(t)
	for _, test := range tests {
		t.Run(test.recording, func(t *testing.T) {
			s := newStage(t, broker, test.recording, differences)
			s.directions, s.nextTick = test.directions, test.tick%1000
			s.play()
		})
	}
	for _, d := range differences {
		t.Errorf("%s, call %s: the listed difference did not show", d.Recording, d.CorrID)
	}
}

// stage is where a recording is played.
type stage struct {
	t           *testing.T
	ctx         context.Context
	url         string
	recording   string
	lines       []recorded
	answers     map[address][]byte // as recorded
	differences map[string]difference
	directions  []direction
	nextTick    int64

	channel *amqp.Channel
	replies chan amqp.Delivery
	notices chan amqp.Delivery

	clock   *atomic.Int64
	conn    bus.Conn
	manager *Manager

	compared, unanswered int
}

func newStage(t *testing.T, url, recording string, differences map[string]difference) *stage {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	s := &stage{
		t: t, ctx: ctx, url: url, recording: recording, lines: readRecording(t, recording),
		answers: make(map[address][]byte), differences: differences, clock: new(atomic.Int64),
	}
	raw, err := amqp.Dial(url)
	s.must(err)
	t.Cleanup(func() { _ = raw.Close() })
	s.channel, err = raw.Channel()
	s.must(err)
	s.must(s.channel.ExchangeDeclare("owtRpc", "direct", false, true, false, false, nil))
	s.must(s.channel.ExchangeDeclare("owtMonitoring", "topic", false, false, false, false, nil))
	s.replies = s.consume("replies")
	s.notices = s.consume("notices")
	s.must(s.channel.QueueBind(s.queue("notices"), "exit.#", "owtMonitoring", false, nil))
	for _, line := range s.lines {
		e := s.envelope(line)
		if e.ReplyTo != "" {
			s.bind(e.ReplyTo)
		}
		if line.Exchange == "owtRpc" && e.Method == "" {
			s.answers[address{line.Key, string(e.CorrID)}] = line.Body
		}
	}
	t.Cleanup(s.killManager)
	return s
}

func (s *stage) queue(name string) string { return "replay-" + s.recording + "-" + name }

func (s *stage) consume(name string) chan amqp.Delivery {
	_, err := s.channel.QueueDeclare(s.queue(name), false, true, true, false, nil)
	s.must(err)
	deliveries, err := s.channel.Consume(s.queue(name), "", true, true, false, false, nil)
	s.must(err)
	out := make(chan amqp.Delivery, 1024)
	go func() {
		for d := range deliveries {
			out <- d
		}
	}()
	return out
}

// bind makes answers to the recorded client arrive here.
func (s *stage) bind(replyTo string) {
	s.must(s.channel.QueueBind(s.queue("replies"), replyTo, "owtRpc", false, nil))
}

func (s *stage) publish(exchange, key string, body []byte) {
	s.must(s.channel.PublishWithContext(s.ctx, exchange, key, false, false, amqp.Publishing{Body: body}))
}

// play plays the recording from its first line to its last.
func (s *stage) play() {
	for _, line := range s.lines {
		s.passTime(line.MS)
		e := s.envelope(line)
		switch {
		case line.Key == "owt-cluster" && e.Method != "":
			s.request(line, e)
		case line.Exchange == "owtMonitoring" && line.Key == "exit.quit":
			s.notice(line)
		}
	}
	s.t.Logf("%d answers compared, %d requests that the original did not answer", s.compared, s.unanswered)
	if s.compared == 0 {
		s.t.Error("no answer was compared")
	}
}

// passTime lets the manager's clock and its liveness intervals come to ms.
func (s *stage) passTime(ms int64) {
	for len(s.directions) > 0 && s.directions[0].ms <= ms {
		s.clock.Store(s.directions[0].ms)
		s.directions[0].do(s)
		s.directions = s.directions[1:]
	}
	for ; s.nextTick <= ms; s.nextTick += 1000 {
		if s.manager != nil {
			s.clock.Store(s.nextTick)
			s.must(s.manager.callOwner(s.ctx, func(c *core) { c.expire(); c.countSilence() }))
		}
	}
	s.clock.Store(ms)
}

// request publishes a recorded request, and holds the answer against the
// recorded one.
func (s *stage) request(line recorded, e envelope) {
	s.publish(line.Exchange, line.Key, line.Body)
	if e.ReplyTo == "" {
		return
	}
	at := address{e.ReplyTo, string(e.CorrID)}
	if d, ok := s.differences[s.recording+" "+at.corrID]; ok {
		delete(s.differences, s.recording+" "+at.corrID)
		s.expect(at, d.Ours)
		return
	}
	want, ok := s.answers[at]
	switch {
	case ok:
		s.compared++
		s.expect(at, want)
	case e.Method == "keepAlive":
		s.unanswered++ // the manager was being replaced; OWT's clients try again
		if s.manager != nil {
			s.next(at)
		}
	default:
		s.t.Errorf("call %s (%s) has no recorded answer and is not listed as a difference", at.corrID, e.Method)
	}
}

func (s *stage) expect(at address, want []byte) {
	if got := s.next(at); !bytes.Equal(got, want) {
		s.t.Errorf("call %s at %d ms is answered\n     %s\nwant %s", at.corrID, s.clock.Load(), got, want)
	}
}

// next returns the next answer, which must be the one to at.
func (s *stage) next(at address) []byte {
	select {
	case d := <-s.replies:
		var e envelope
		s.must(json.Unmarshal(d.Body, &e))
		if got := (address{d.RoutingKey, string(e.CorrID)}); got != at {
			s.t.Fatalf("an answer to %v came, want one to %v", got, at)
		}
		return d.Body
	case <-s.ctx.Done():
		s.t.Fatalf("no answer to %v at %d ms", at, s.clock.Load())
		return nil
	}
}

func (s *stage) notice(line recorded) {
	select {
	case d := <-s.notices:
		if d.RoutingKey != line.Key || !bytes.Equal(d.Body, line.Body) {
			s.t.Errorf("notice %s %s\nwant %s %s", d.RoutingKey, d.Body, line.Key, line.Body)
		}
	case <-s.ctx.Done():
		s.t.Fatalf("no notice at %d ms", line.MS)
	}
}

func (s *stage) startManager() {
	conn, err := amqpbus.Dial(s.ctx, bus.Options{URL: s.url})
	s.must(err)
	opts := DefaultOptions()
	opts.InitialTime = 24 * time.Hour // ended by enterService
	opts.CheckAliveInterval = 24 * time.Hour
	opts.CheckAliveCount = 3 // as the recorded cluster had it
	opts.Placement.Debit = state.Debit{Mode: state.DebitOff}
	opts.Replica = replica.NewLocal(opts.Placement)
	s.conn, s.manager = conn, newManager(conn, opts, true)
	s.manager.clock = func() Moment {
		ms := s.clock.Load()
		return Moment{Wall: muster.Instant(ms), Passed: time.Duration(ms) * time.Millisecond}
	}
	s.must(s.manager.begin(s.ctx, true))
}

func (s *stage) enterService() {
	s.must(s.manager.callOwner(s.ctx, (*core).enterService))
}

func (s *stage) killManager() {
	if s.manager == nil {
		return
	}
	s.must(s.manager.Close())
	s.must(s.conn.Close())
	s.manager = nil
}

func (s *stage) envelope(line recorded) envelope {
	var e envelope
	s.must(json.Unmarshal(line.Body, &e))
	return e
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func readRecording(t *testing.T, name string) []recorded {
	return readLines[recorded](t, name)
}

func readDifferences(t *testing.T) map[string]difference {
	out := make(map[string]difference)
	for _, d := range readLines[difference](t, "differences") {
		if d.Why == "" {
			t.Fatalf("%s, call %s: the difference does not say why", d.Recording, d.CorrID)
		}
		out[fmt.Sprintf("%s %s", d.Recording, d.CorrID)] = d
	}
	return out
}

func readLines[T any](t *testing.T, name string) []T {
	f, err := os.Open(filepath.Join(recordings, name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line T
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return out
}
