package main

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

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/replica/owt"
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

// A manager refuses to start beside one of OWT's, whose queue it would share.
func TestRefusesToStartBesideOWT(t *testing.T) {
	url := rabbit.Broker(t).URL()
	for name, test := range map[string]struct {
		prepare func(*owtManager)
		args    []string
		want    []string
	}{
		"a master of 5.0": {
			prepare: func(s *owtManager) { s.say("clusterManager.slave", recorded(t, "declareMaster")...) },
			want:    []string{"managers of OWT 4.2 to 5.1", "stop them first", "docs/owt.md", "--replica owt"},
		},
		"a master of 5.0, and Raft": {
			prepare: func(s *owtManager) { s.say("clusterManager.candidate", recorded(t, "selfRecommend")...) },
			args:    []string{"--raft", "127.0.0.1:0", "--peers", "127.0.0.1:0"},
			want:    []string{"managers of OWT 4.2 to 5.1"},
		},
		"a manager that is heard only on the queue": {
			prepare: func(s *owtManager) { s.serve(true) },
			want:    []string{"an OWT manager serves", "stop it first"},
		},
		"the master branch": {
			prepare: func(s *owtManager) { s.say("clusterManager.follower", votes) },
			want:    []string{"OWT's master branch", "stop them all first"},
		},
		"the master branch, and --replica owt": {
			prepare: func(s *owtManager) { s.say("clusterManager.leader", votes) },
			args:    []string{"--replica", "owt"},
			want:    []string{"OWT's master branch", "OWT 4.2 to 5.1 only"},
		},
		"the queue, and --replica owt": {
			prepare: func(s *owtManager) { s.serve(true) },
			args:    []string{"--replica", "owt"},
			want:    []string{"an OWT manager serves"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := "beside " + strings.ReplaceAll(name, ".", " ")
			s := newOWTManager(t, url, cluster)
			test.prepare(s)
			args := append([]string{"manager", "--url", url, "--cluster", cluster, "--initial-time", "0s"}, test.args...)
			contains(t, refusedWith(t, 1, args...).stderr, test.want...)
		})
	}
}

// A manager that starts after ours is reported; one of the master branch ends a
// manager with --replica owt.
func TestHearsOWTManagersThatStartLater(t *testing.T) {
	url := rabbit.Broker(t).URL()
	p := begin(t, "manager", "--url", url, "--cluster", "later", "--initial-time", "0s")
	p.await(`msg="manager takes requests"`)
	newOWTManager(t, url, "later").say("clusterManager.candidate", recorded(t, "selfRecommend")...)
	p.await(`level=ERROR msg="an OWT manager runs beside this one.*protocol="OWT 4.2 to 5.1"`)

	p = begin(t, "manager", "--url", url, "--cluster", "later-owt", "--replica", "owt", "--initial-time", "0s")
	p.await(`msg="manager takes requests"`)
	newOWTManager(t, url, "later-owt").say("clusterManager.candidate", votes)
	p.await(`muster: another manager uses this cluster's queue: managers of OWT's master branch`)
	if status := p.ends(patience); status != 1 {
		t.Errorf("it ends with %d", status)
	}
}

// A manager that hangs answers nothing and says nothing: its consumer shows it.
// The check ends when the consumer does.
func TestAwaitsAFreeQueue(t *testing.T) {
	url := rabbit.Broker(t).URL()
	conn, err := connect.Open(t.Context(), bus.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	cfg := config.Default()
	cfg.Manager.Name = "hangs"
	h := &host{cfg: cfg, conn: conn, log: slog.New(slog.DiscardHandler)}
	if err := h.awaitFreeQueue(t.Context(), time.Minute); err != nil {
		t.Errorf("a queue that nobody has: %v", err)
	}
	s := newOWTManager(t, url, "hangs")
	s.serve(false)
	if err := h.awaitFreeQueue(t.Context(), time.Millisecond); !errors.Is(err, errNeighbour) {
		t.Errorf("a queue with a consumer: %v", err)
	}
	free := make(chan error, 1)
	go func() { free <- h.awaitFreeQueue(t.Context(), time.Minute) }()
	s.stop()
	if err := <-free; err != nil {
		t.Errorf("a queue whose consumer went: %v", err)
	}
}

// Two lone managers on one queue are refused too.
func TestRefusesASecondLoneManager(t *testing.T) {
	url := rabbit.Broker(t).URL()
	begin(t, "manager", "--url", url, "--cluster", "lone", "--initial-time", "0s").await(`msg="manager takes requests"`)
	contains(t, refusedWith(t, 1, "manager", "--url", url, "--cluster", "lone").stderr, "a Muster manager serves", "--raft and --peers")
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
