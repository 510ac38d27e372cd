package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/state"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// The recordings of a real OWT agent are played against ours, which runs
// Node.js nodes as OWT's does, over a real RabbitMQ and with our manager: every
// recorded call to the agent and to its nodes is published byte for byte, and
// its answer must be the recorded one, byte for byte. So must be what the agent
// reports of its tasks to the manager, and the notices when nodes and agents end.

const (
	recordings    = "../testdata/owt-wire"
	recordedAgent = "sample-47e0d0c32ff5b8eb4cc9@192.0.2.2"
	quittingAgent = "sample-d0b8a53d5d3d28bd986c@192.0.2.2"
)

// recorded is one line of a recording.
type recorded struct {
	MS       int64           `json:"ms"`
	Exchange string          `json:"exchange"`
	Key      string          `json:"key"`
	Body     json.RawMessage `json:"body"`
}

type envelope struct {
	Method  string            `json:"method"`
	Args    []json.RawMessage `json:"args"`
	CorrID  json.RawMessage   `json:"corrID"`
	ReplyTo string            `json:"replyTo"`
}

func readRecording(t *testing.T, name string) []recorded {
	f, err := os.Open(recordings + "/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var all []recorded
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func envelopeOf(t *testing.T, body []byte) envelope {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// stage is a RabbitMQ with our manager.
type stage struct {
	t       *testing.T
	ctx     context.Context
	url     string
	conn    bus.Conn
	channel *amqp.Channel
	// What the recorded clients hear, the reports to the manager, and notices.
	replies, reports, notices <-chan amqp.Delivery
}

func newStage(t *testing.T) *stage {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	s := &stage{t: t, ctx: ctx, url: rabbit.Broker(t).URL()}
	raw, err := amqp.Dial(s.url)
	s.must(err)
	t.Cleanup(func() { _ = raw.Close() })
	s.channel, err = raw.Channel()
	s.must(err)
	s.must(s.channel.ExchangeDeclare("owtRpc", "direct", false, true, false, false, nil))
	s.must(s.channel.ExchangeDeclare("owtMonitoring", "topic", false, false, false, false, nil))
	s.replies = s.consume("replies")
	s.reports = s.consume("reports")
	s.must(s.channel.QueueBind("reports", "owt-cluster", "owtRpc", false, nil))
	s.notices = s.consume("notices")
	s.must(s.channel.QueueBind("notices", "exit.#", "owtMonitoring", false, nil))
	s.startManager()
	return s
}

func (s *stage) consume(name string) <-chan amqp.Delivery {
	_, err := s.channel.QueueDeclare(name, false, true, true, false, nil)
	s.must(err)
	deliveries, err := s.channel.Consume(name, "", true, true, false, false, nil)
	s.must(err)
	out := make(chan amqp.Delivery, 4096)
	go func() {
		for d := range deliveries {
			out <- d
		}
	}()
	return out
}

func (s *stage) startManager() {
	s.conn = s.dial()
	opts := manager.DefaultOptions()
	opts.InitialTime = 0
	opts.CheckAliveInterval, opts.CheckAliveCount = 300*time.Millisecond, 3
	opts.MaxSilentShare = 1
	opts.Placement.Debit = state.Debit{Mode: state.DebitOff}
	m, err := manager.Start(s.ctx, s.conn, opts)
	s.must(err)
	s.t.Cleanup(func() { _ = m.Close() })
}

func (s *stage) dial() bus.Conn {
	conn, err := amqpbus.Dial(s.ctx, bus.Options{URL: s.url})
	s.must(err)
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// next is the next delivery.
func (s *stage) next(from <-chan amqp.Delivery, what string) amqp.Delivery {
	s.t.Helper()
	select {
	case d := <-from:
		return d
	case <-s.ctx.Done():
		s.t.Fatalf("%s did not come", what)
		return amqp.Delivery{}
	}
}

// owtAgent are the options of an agent of our Node.js nodes.
func owtAgent(url, id string, host *process.Host) Options {
	at, _ := amqp.ParseURI(url)
	config := fmt.Sprintf(`{"rabbit":{"host":%q,"port":%d},"purpose":"sample"}`, at.Host, at.Port)
	return Options{
		Worker: worker.Options{
			Purpose: "sample", ID: id, IP: "192.0.2.2", KeepAlive: 100 * time.Millisecond,
			Load: load.Func(func() float64 { return 0 }),
		},
		Launcher:     host.OWT(process.OWTCommand{Dir: "testdata/owt", Config: json.RawMessage(config)}),
		ReadyTimeout: 30 * time.Second, AnswerWithin: 30 * time.Second,
		ReadLog: host.ReadLog,
	}
}

func openHost(t testing.TB, dir string) *process.Host {
	host, err := process.Open(process.Options{Dir: dir, Agent: "sample"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	return host
}

func (s *stage) startAgent() *Agent {
	a, err := Start(s.ctx, s.dial(), owtAgent(s.url, recordedAgent, openHost(s.t, s.t.TempDir())))
	s.must(err)
	s.t.Cleanup(func() { _ = a.Close(s.ctx) })
	s.until(a, inState(muster.NodeIdle, 2))
	return a
}

func (s *stage) until(a *Agent, met func(*pool) bool) {
	s.t.Helper()
	select {
	case <-a.owner.when(met):
	case <-s.ctx.Done():
		s.t.Fatalf("waiting in vain; nodes: %+v", a.Nodes())
	}
}

func TestRecordedAgent(t *testing.T) {
	s := newStage(t)
	a := s.startAgent()
	lines := readRecording(t, "agent-lifecycle")
	answers := map[string][]byte{}
	for _, line := range lines {
		e := envelopeOf(t, line.Body)
		if line.Exchange == "owtRpc" && e.Method == "" {
			answers[line.Key+string(e.CorrID)] = line.Body
		}
		if e.ReplyTo != "" {
			s.must(s.channel.QueueBind("replies", e.ReplyTo, "owtRpc", false, nil))
		}
	}
	compared := map[string]int{}
	for _, line := range lines {
		e := envelopeOf(t, line.Body)
		switch {
		case strings.HasPrefix(line.Key, recordedAgent):
			s.play(line, answers[e.ReplyTo+string(e.CorrID)])
			compared[e.Method]++
		case line.Key == "owt-cluster" && (e.Method == "pickUpTasks" || e.Method == "layDownTask"):
			s.expectReports(line)
			compared[e.Method]++
		}
	}
	t.Logf("compared byte for byte: %v", compared)
	for _, method := range []string{"getNode", "process", "nosuch", "recycleNode", "queryNode", "pickUpTasks", "layDownTask"} {
		if compared[method] == 0 {
			t.Errorf("no %s was compared", method)
		}
	}
	s.until(a, inState(muster.NodeIdle, 2))
	s.readsLog(a)
}

// play publishes a recorded call, and holds the answer against the recorded
// one.
func (s *stage) play(line recorded, want []byte) {
	s.must(s.channel.PublishWithContext(s.ctx, line.Exchange, line.Key, true, false, amqp.Publishing{Body: line.Body}))
	if got := s.next(s.replies, string(line.Body)).Body; !bytes.Equal(got, want) {
		s.t.Errorf("%s is answered\n     %s\nwant %s", line.Body, got, want)
	}
}

// expectReports waits for the agent's reports of its tasks. Signs of life and
// loads have a pace of their own. A manager of Muster's is asked for a task,
// where one of OWT's is informed of it, and gets the number of the placement.
func (s *stage) expectReports(line recorded) {
	want := envelopeOf(s.t, line.Body)
	if want.Method == "pickUpTasks" {
		s.expectTasks(want.Args[1])
		return
	}
	for {
		got := envelopeOf(s.t, s.next(s.reports, string(line.Body)).Body)
		if got.Method != want.Method {
			continue
		}
		if !bytes.Equal(got.Args[0], want.Args[0]) || !bytes.Equal(got.Args[1], want.Args[1]) {
			s.t.Errorf("the manager got\n     %s\nwant %s", got.Args, line.Body)
		}
		return
	}
}

// expectTasks looks whether the manager has the tasks.
func (s *stage) expectTasks(list json.RawMessage) {
	var want, got []string
	s.must(json.Unmarshal(list, &want))
	raw, err := s.conn.Call(s.ctx, worker.DefaultCluster, "getTasks", recordedAgent)
	s.must(err)
	s.must(json.Unmarshal(raw, &got))
	for _, task := range want {
		if !slices.Contains(got, task) {
			s.t.Errorf("the manager has %v, not %s", got, task)
		}
	}
}

func (s *stage) readsLog(a *Agent) {
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	raw, err := s.conn.Call(ctx, a.ID(), "readLog", muster.LogQuery{Node: recordedAgent + "_0"})
	s.must(err)
	var got muster.LogPart
	s.must(json.Unmarshal(raw, &got))
	if want := recordedAgent + "_0 is ready\n"; !strings.Contains(got.Data, want) {
		s.t.Errorf("the node's log is %q, want %q", got.Data, want)
	}
}

// TestRecordedFaults makes the faults of the recording: a node is killed, an
// agent is killed, an agent quits.
func TestRecordedFaults(t *testing.T) {
	s := newStage(t)
	var want []recorded
	for _, line := range readRecording(t, "faults") {
		if line.Exchange == "owtMonitoring" {
			want = append(want, line)
		}
	}
	if len(want) != 3 {
		t.Fatalf("%d notices are recorded, want 3", len(want))
	}
	dir := t.TempDir()
	agent := s.startChild(recordedAgent, dir)
	s.must(syscall.Kill(s.pidOf(recordedAgent+"_1"), syscall.SIGKILL))
	s.expectNotice(want[0])

	s.must(agent.Process.Kill())
	_ = agent.Wait()
	s.expectNotice(want[1])
	openHost(t, dir) // ends what is left of its nodes

	quitting := s.startChild(quittingAgent, t.TempDir())
	s.must(quitting.Process.Signal(syscall.SIGTERM))
	s.expectNotice(want[2])
	s.must(quitting.Wait())
}

func (s *stage) expectNotice(want recorded) {
	s.t.Helper()
	d := s.next(s.notices, want.Key)
	if d.RoutingKey != want.Key || !bytes.Equal(d.Body, want.Body) {
		s.t.Errorf("notice %s %s\nwant %s %s", d.RoutingKey, d.Body, want.Key, want.Body)
	}
}

// startChild starts an agent in a process of its own, which has a task on its
// second node before startChild returns.
func (s *stage) startChild(id, dir string) *exec.Cmd {
	cmd := exec.CommandContext(s.ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childKind+"=agent", "CHILD_URL="+s.url, "CHILD_ID="+id, "CHILD_DIR="+dir)
	cmd.Stderr = os.Stderr
	s.must(cmd.Start())
	for _, room := range []string{"room1", "room2"} {
		s.ask(id, "getNode", map[string]string{"room": room, "task": "task-" + room})
	}
	return cmd
}

// ask asks until somebody is there.
func (s *stage) ask(server, method string, args ...any) json.RawMessage {
	for {
		ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
		raw, err := s.conn.Call(ctx, server, method, args...)
		cancel()
		if err == nil {
			return raw
		}
		if s.ctx.Err() != nil {
			s.t.Fatalf("%s of %s: %v", method, server, err)
		}
	}
}

func (s *stage) pidOf(node string) int {
	agent := node[:strings.LastIndexByte(node, '_')]
	var nodes []muster.Node
	s.must(json.Unmarshal(s.ask(agent, "listNodes"), &nodes))
	for _, n := range nodes {
		if n.ID == node && n.PID > 0 {
			return n.PID
		}
	}
	s.t.Fatalf("%s is not among %+v", node, nodes)
	return 0
}

func init() { children["agent"] = childAgent }

// childAgent is an agent until SIGTERM.
func childAgent() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "agent of the test:", err)
			os.Exit(1)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	url := os.Getenv("CHILD_URL")
	host, err := process.Open(process.Options{Dir: os.Getenv("CHILD_DIR"), Agent: "sample"})
	fail(err)
	conn, err := amqpbus.Dial(ctx, bus.Options{URL: url})
	fail(err)
	a, err := Start(ctx, conn, owtAgent(url, os.Getenv("CHILD_ID"), host))
	fail(err)
	<-ctx.Done()
	fail(a.Close(context.Background()))
	fail(conn.Close())
	fail(host.Close())
}
