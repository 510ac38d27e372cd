package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica/owt"
	"github.com/muster-fleet/muster/internal/replica/raft"
)

// owtManager is a manager of OWT, as far as others on the queue can tell.
type owtManager struct {
	t       *testing.T
	cluster string
	conn    *amqp.Connection
	end     context.CancelFunc
	running sync.WaitGroup
}

func newOWTManager(t *testing.T, url, cluster string) *owtManager {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	s := &owtManager{t: t, cluster: cluster, conn: conn, end: func() {}}
	t.Cleanup(s.stop)
	return s
}

func (s *owtManager) stop() {
	s.end()
	s.running.Wait()
	_ = s.conn.Close()
}

func (s *owtManager) channel() *amqp.Channel {
	s.t.Helper()
	ch, err := s.conn.Channel()
	if err != nil {
		s.t.Fatal(err)
	}
	return ch
}

// say publishes the messages over and over, at OWT's rhythm.
func (s *owtManager) say(key string, bodies ...string) {
	s.t.Helper()
	ch, topic := s.channel(), s.cluster+".management"
	if err := ch.ExchangeDeclare(topic, "topic", false, false, false, false, nil); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.end = cancel
	ticks := time.NewTicker(20 * time.Millisecond)
	s.running.Go(func() {
		defer ticks.Stop()
		for i := 0; ; i++ {
			body := bodies[i%len(bodies)]
			if ch.PublishWithContext(ctx, topic, key, false, false, amqp.Publishing{Body: []byte(body)}) != nil {
				return
			}
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// serve takes the cluster's queue. Without answer it says nothing to callers, as
// one that hangs.
func (s *owtManager) serve(answer bool) {
	s.t.Helper()
	ch, calls, err := s.consume()
	for try := 0; err != nil && try < 10; try++ { // owtRpc goes with its last binding, another test's
		ch, calls, err = s.consume()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.running.Go(func() {
		for d := range calls {
			var call struct {
				CorrID  json.RawMessage
				ReplyTo string
			}
			if !answer || json.Unmarshal(d.Body, &call) != nil || call.ReplyTo == "" {
				continue
			}
			body := fmt.Sprintf(`{"data":"error","corrID":%s,"type":"callback","err":"Not support method"}`, call.CorrID)
			_ = ch.PublishWithContext(context.Background(), "owtRpc", call.ReplyTo, false, false, amqp.Publishing{Body: []byte(body)})
		}
	})
	s.end = func() { _ = ch.Close() }
}

func (s *owtManager) consume() (*amqp.Channel, <-chan amqp.Delivery, error) {
	ch := s.channel()
	err := ch.ExchangeDeclare("owtRpc", "direct", false, true, false, false, nil)
	if err == nil {
		_, err = ch.QueueDeclare(s.cluster, false, true, false, false, nil)
	}
	if err == nil {
		err = ch.QueueBind(s.cluster, s.cluster, "owtRpc", false, nil)
	}
	if err != nil {
		return nil, nil, err
	}
	calls, err := ch.Consume(s.cluster, "", true, false, false, false, nil)
	return ch, calls, err
}

// recorded are the bodies of a type in the recording of an election.
func recorded(t *testing.T, kind string) []string {
	t.Helper()
	text, err := os.ReadFile("../../testdata/owt-wire/election-failover.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var line struct {
			Body json.RawMessage `json:"body"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && strings.Contains(string(line.Body), `"type":"`+kind+`"`) {
			bodies = append(bodies, string(line.Body))
		}
	}
	if len(bodies) == 0 {
		t.Fatalf("no %s is recorded", kind)
	}
	return bodies
}

// votes is what the leader of OWT's master branch says.
const votes = `{"type":"heartbeart","data":{"term":3,"leaderId":12345,"commitId":9,"lastVoteTerm":3,"lastVoteFor":12345,"voteNum":1,` +
	`"totalNode":1,"prevLogIndex":9,"prevLogTerm":3,"voters":{},"role":"leader","timestamp":1764000000000,"maxDelay":100,"id":12345}}`

// healthy bounds what a test waits for. A healthy run never comes near it.
const healthy = 30 * time.Second

// dial connects to a queue.
func dial(t *testing.T, url string) bus.Conn {
	t.Helper()
	conn, err := connect.Open(t.Context(), bus.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// optionsAt are those of a manager at a RabbitMQ.
func optionsAt(t *testing.T, url, cluster string) Options {
	t.Helper()
	opts := Options{Conn: dial(t, url), OWTQueue: true, Manager: manager.DefaultOptions()}
	opts.Manager.Cluster, opts.Manager.InitialTime = cluster, 0
	opts.Manager.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	return opts
}

// A manager refuses to start beside one of OWT's, whose queue it would share.
func TestRefusesToStartBesideOWT(t *testing.T) {
	url := rabbit.Broker(t).URL()
	byRaft := func(o *Options) {
		raft := raft.DefaultOptions()
		raft.Addr, raft.Peers = "127.0.0.1:0", []string{"127.0.0.1:0"}
		o.Raft = &raft
	}
	byOWT := func(o *Options) { o.OWT = true }
	for name, test := range map[string]struct {
		prepare func(*owtManager)
		as      func(*Options)
		want    []string
	}{
		"a master of 5.0": {
			prepare: func(s *owtManager) { s.say("clusterManager.slave", recorded(t, "declareMaster")...) },
			want:    []string{"managers of OWT 4.2 to 5.1", "stop them first", "docs/owt.md", "--replica owt"},
		},
		"a master of 5.0, and Raft": {
			prepare: func(s *owtManager) { s.say("clusterManager.candidate", recorded(t, "selfRecommend")...) },
			as:      byRaft,
			want:    []string{"managers of OWT 4.2 to 5.1"},
		},
		"a manager that is heard only on the queue": {
			prepare: func(s *owtManager) { s.serve(true) },
			want:    []string{"an OWT manager serves", "stop it first"},
		},
		"a manager that is heard only on the queue, and Raft": {
			prepare: func(s *owtManager) { s.serve(true) },
			as:      byRaft,
			want:    []string{"other managers serve this cluster already", "not by Raft"},
		},
		"the master branch": {
			prepare: func(s *owtManager) { s.say("clusterManager.follower", votes) },
			want:    []string{"OWT's master branch", "stop them all first"},
		},
		"the master branch, and --replica owt": {
			prepare: func(s *owtManager) { s.say("clusterManager.leader", votes) },
			as:      byOWT,
			want:    []string{"OWT's master branch", "OWT 4.2 to 5.1 only"},
		},
		"the queue, and --replica owt": {
			prepare: func(s *owtManager) { s.serve(true) },
			as:      byOWT,
			want:    []string{"an OWT manager serves"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := "beside " + strings.ReplaceAll(name, ".", " ")
			s := newOWTManager(t, url, cluster)
			test.prepare(s)
			opts := optionsAt(t, url, cluster)
			if test.as != nil {
				test.as(&opts)
			}
			h, err := Start(t.Context(), opts)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it started"), h.Close()))
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("refused with %q, want %q in it", err, want)
				}
			}
		})
	}
}

// A manager that starts after ours is reported; one of the master branch ends a
// manager of OWT's protocol.
func TestHearsOWTManagersThatStartLater(t *testing.T) {
	url := rabbit.Broker(t).URL()
	reported := make(chan string, 100)
	opts := optionsAt(t, url, "later")
	opts.Manager.Logger = slog.New(slog.NewTextHandler(said(reported), &slog.HandlerOptions{Level: slog.LevelError}))
	first, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Close() })
	newOWTManager(t, url, "later").say("clusterManager.candidate", recorded(t, "selfRecommend")...)
	select {
	case line := <-reported:
		if !strings.Contains(line, "an OWT manager runs beside this one") || !strings.Contains(line, `protocol="OWT 4.2 to 5.1"`) {
			t.Error(line)
		}
	case <-time.After(healthy):
		t.Error("one that starts later is not reported")
	}

	opts = optionsAt(t, url, "later-owt")
	opts.OWT = true
	second, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	newOWTManager(t, url, "later-owt").say("clusterManager.candidate", votes)
	select {
	case <-second.Done():
		if err := second.Err(); !errors.Is(err, ErrNeighbour) || !strings.Contains(err.Error(), "managers of OWT's master branch") {
			t.Error(err)
		}
	case <-time.After(healthy):
		t.Error("it goes on beside the master branch")
	}
}

// said passes lines of a log on.
type said chan<- string

func (s said) Write(p []byte) (int, error) {
	select {
	case s <- string(p):
	default: // the first ones are enough
	}
	return len(p), nil
}

// A manager that hangs answers nothing and says nothing: its consumer shows it.
// The check ends when the consumer does.
func TestAwaitsAFreeQueue(t *testing.T) {
	url := rabbit.Broker(t).URL()
	opts := optionsAt(t, url, "hangs")
	h := &Host{opts: opts, log: opts.Manager.Logger}
	if err := h.awaitFreeQueue(t.Context(), time.Minute); err != nil {
		t.Errorf("an unused queue: %v", err)
	}
	s := newOWTManager(t, url, "hangs")
	s.serve(false)
	if err := h.awaitFreeQueue(t.Context(), time.Millisecond); !errors.Is(err, ErrNeighbour) {
		t.Errorf("a queue with a consumer: %v", err)
	}
	free := make(chan error, 1)
	go func() { free <- h.awaitFreeQueue(t.Context(), time.Minute) }()
	s.stop()
	if err := <-free; err != nil {
		t.Errorf("a queue whose consumer went: %v", err)
	}
}

// Two lone managers on one queue are refused too, and so is one that is to agree by
// Raft with others than those that serve.
func TestRefusesASecondCluster(t *testing.T) {
	url := rabbit.Broker(t).URL()
	first, err := Start(t.Context(), optionsAt(t, url, "lone"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), optionsAt(t, url, "lone")); !errors.Is(err, ErrNeighbour) {
		t.Errorf("a second lone manager: %v", err)
	}
	opts := optionsAt(t, url, "lone")
	raft := raft.DefaultOptions()
	opts.Raft = &raft
	if _, err := Start(t.Context(), opts); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("one by Raft: %v", err)
	}
	if err := errors.Join(first.Close(), first.Close()); err != nil || !first.Last() {
		t.Errorf("closed with %v, last: %v", err, first.Last())
	}
}

// Managers that serve are the cluster only if one of them is among the peers.
func TestOtherClusterIsTold(t *testing.T) {
	raft := raft.DefaultOptions()
	raft.Addr, raft.Peers = "a:1", []string{"a:1", "b:1"}
	h := &Host{opts: Options{Raft: &raft}, log: slog.New(slog.DiscardHandler)}
	for _, test := range []struct {
		serving []string
		ours    bool
	}{{[]string{"b:1", "c:1"}, true}, {[]string{"a:1"}, true}, {[]string{"c:1", "d:1"}, false}, {[]string{""}, false}} {
		var members []muster.Member
		for _, addr := range test.serving {
			members = append(members, muster.Member{Addr: addr})
		}
		if err := h.compare(members); (err == nil) != test.ours || err != nil && !errors.Is(err, ErrOtherCluster) {
			t.Errorf("beside %q: %v", test.serving, err)
		}
	}
}

// Managers that start together do not take each other for strangers: one that
// is elected just after another listened for it is heard a moment later.
func TestElectionIsHeardLate(t *testing.T) {
	for name, test := range map[string]struct {
		withOWT, talks bool
		want           bool
	}{
		"beside others":       {true, true, true},
		"beside none":         {true, false, false},
		"in another protocol": {false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &neighbours{withOWT: test.withOWT, log: slog.New(slog.DiscardHandler), heard: map[owt.Protocol]bool{}}
				if test.talks {
					time.AfterFunc(listenTime/2, func() { n.hear(owt.Election) })
				}
				if got := n.hearsElection(t.Context()); got != test.want {
					t.Errorf("hears an election: %v, want %v", got, test.want)
				}
			})
		})
	}
}
