package owt

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/rabbittest"
	"github.com/muster-fleet/muster/internal/replica"
)

var shared rabbittest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// patience is how long a test waits for anything before it fails.
const patience = 60 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dialRabbit(t *testing.T) bus.Conn { return dialURL(t, shared.Broker(t).URL()) }

func dialURL(t *testing.T, url string) bus.Conn {
	conn, err := amqpbus.Dial(within(t), bus.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// open starts a manager on a real queue. It ends with the test, if not before.
func open(t *testing.T, conn bus.Conn, cluster string, id int64) *manager {
	t.Helper()
	m := &manager{t: t, do: make(chan func()), quit: make(chan struct{})}
	r, err := Open(within(t), Options{Conn: conn, Cluster: cluster, ID: id, Placement: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	m.Replica = r
	m.done.Go(m.own)
	t.Cleanup(m.end)
	return m
}

// until waits until cond is true. cond runs on the manager's goroutine.
func (m *manager) until(what string, cond func() bool) {
	m.t.Helper()
	ready := make(chan struct{})
	m.onceIt(cond, func() { close(ready) })
	take(m.t, ready, what)
}

// onceIt calls do as soon as cond is true.
func (m *manager) onceIt(cond func() bool, do func()) {
	m.on(func() {
		m.watchers = append(m.watchers, func() bool {
			if !cond() {
				return false
			}
			do()
			return true
		})
	})
}

func (m *manager) untilRole(kind replica.RoleKind) {
	m.t.Helper()
	m.until(fmt.Sprintf("manager %d to be a %v", m.ID(), kind), func() bool { return m.Role().Kind == kind })
}

func (m *manager) untilSynced() {
	m.t.Helper()
	m.until("the state", func() bool { return m.feed.synced })
}

func (m *manager) untilJSON(want string) {
	m.t.Helper()
	m.until("the state to be "+want, func() bool { return string(m.ledger.runtimeJSON()) == want })
}

func take[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("timed out waiting for %s", what)
		panic("unreachable")
	}
}

func TestOnBrokers(t *testing.T) {
	t.Run("RabbitMQ", func(t *testing.T) { failover(t, dialRabbit) })
	t.Run("NATS", func(t *testing.T) {
		server, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		failover(t, func(t *testing.T) bus.Conn {
			conn, err := natsbus.DialInProcess(within(t), server, bus.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			return conn
		})
	})
}

// failover runs three managers of which two leave one after the other.
func failover(t *testing.T, dial func(*testing.T) bus.Conn) {
	a, b, c := open(t, dial(t), t.Name(), low), open(t, dial(t), t.Name(), mid), open(t, dial(t), t.Name(), high)
	c.untilRole(replica.Leader)
	a.untilSynced()
	b.untilSynced()
	c.mustPropose(join("w1"), load("w1", 0.2), schedule("t1"))
	a.untilJSON(c.json())
	b.untilJSON(c.json())
	before := c.json()
	c.end()
	b.untilRole(replica.Leader)
	if got := b.json(); got != before {
		t.Errorf("the new leader has\n%s\nwant\n%s", got, before)
	}
	b.mustPropose(schedule("t2"))
	a.untilJSON(b.json())
	before = b.json()
	b.end()
	a.untilRole(replica.Leader)
	if got := a.json(); got != before {
		t.Errorf("the last leader has\n%s\nwant\n%s", got, before)
	}
	if s := a.counts(); s.Malformed+s.Dropped != 0 {
		t.Errorf("counts: %+v", s)
	}
}

// After a broker was killed and restarted, the managers still have their state.
func TestBrokerRestarts(t *testing.T) {
	broker := shared.Broker(t)
	a, b := open(t, dialURL(t, broker.URL()), cluster, low), open(t, dialURL(t, broker.URL()), cluster, high)
	b.untilRole(replica.Leader)
	b.mustPropose(join("w1"), load("w1", 0.2), schedule("t1"))
	want := b.json()
	a.untilJSON(want)
	broker.Kill()
	a.untilRole(replica.Candidate)
	b.untilRole(replica.Candidate)
	if err := b.propose(schedule("t2")); err == nil {
		t.Error("the manager answers while it cannot know whether it leads")
	}
	if err := broker.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	leads := make(chan *manager, 2)
	for _, m := range []*manager{a, b} {
		m.onceIt(func() bool { return m.Role().Kind == replica.Leader }, func() { leads <- m })
	}
	leader := take(t, leads, "a leader after the restart")
	follower := a
	if leader == a {
		follower = b
	}
	leader.mustPropose(schedule("t3"))
	follower.untilRole(replica.Follower)
	follower.untilSynced()
	follower.untilJSON(leader.json())
	if got := without(t, leader.json(), `,"t3":{"reserve_time":60000,"worker":"w1"}`); got != want {
		t.Errorf("after the restart they have\n%s\nwant\n%s", got, want)
	}
	a.end()
	b.end()
}

// nodeProgram replays the recorded messages of an OWT manager, byte for byte, as
// a client of the broker.
type nodeProgram struct {
	t  *testing.T
	ch *amqp.Channel
}

func newNodeProgram(t *testing.T) *nodeProgram {
	t.Helper()
	conn, err := amqp.Dial(shared.Broker(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err == nil {
		err = ch.ExchangeDeclare(management, "topic", false, false, false, false, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &nodeProgram{t, ch}
}

func (n *nodeProgram) publish(key, body string) {
	n.t.Helper()
	if err := n.ch.Publish(management, key, false, false, amqp.Publishing{Body: []byte(body)}); err != nil {
		n.t.Error(err)
	}
}

// subscribe binds a queue to the keys, as each of OWT's managers does.
func (n *nodeProgram) subscribe(keys ...string) <-chan amqp.Delivery {
	n.t.Helper()
	q, err := n.ch.QueueDeclare("", false, true, true, false, nil)
	for _, key := range keys {
		if err == nil {
			err = n.ch.QueueBind(q.Name, key, management, false, nil)
		}
	}
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := n.ch.Consume(q.Name, "", true, false, false, false, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// next waits for a message of the type.
func (n *nodeProgram) next(from <-chan amqp.Delivery, kind string) amqp.Delivery {
	n.t.Helper()
	for {
		d := take(n.t, from, "a "+kind)
		if strings.HasPrefix(string(d.Body), `{"type":"`+kind+`"`) {
			return d
		}
	}
}

// lead acts as the recorded master until die is called: it publishes its
// heart-beats and answers each request for the state with the next of the
// answers, repeating the last one. The requests of our manager are sent to asked.
func (n *nodeProgram) lead(lines []line, answers ...string) (asked <-chan string, die func()) {
	body := bodiesOf(lines, typeDeclare)[0]
	head, rest, _ := strings.Cut(body, `"life_time":`)
	_, tail, _ := strings.Cut(rest, "}")
	requests, heard := n.subscribe(keyMaster+".#"), make(chan string, 1024)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for life := 6120; ; {
			select {
			case <-quit:
				return
			case d := <-requests:
				if strings.Contains(string(d.Body), typeRequest) {
					n.publish(runtimeKey(mid), answers[0])
					answers = answers[min(1, len(answers)-1):]
					heard <- string(d.Body)
				}
			case <-ticker.C:
				for _, key := range []string{keySlave, keyCandidate, keyMaster} {
					n.publish(key, fmt.Sprintf(`%s"life_time":%d}%s`, head, life, tail))
				}
				life++
			}
		}
	}()
	var once sync.Once
	die = func() { once.Do(func() { close(quit); <-done }) }
	n.t.Cleanup(die)
	return heard, die
}
