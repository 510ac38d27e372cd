package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is when a test calls something hung. Nothing waits for it that
// works.
const patience = 30 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// broker is a NATS server that can go away and come back at the same address.
type broker struct {
	t      testing.TB
	server *natsserver.Server
	listen string
}

func startBroker(t testing.TB) *broker {
	b := &broker{t: t, listen: "127.0.0.1:0"}
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	server, err := natsserver.Start(natsserver.Options{Listen: b.listen})
	if err != nil {
		b.t.Fatal(err)
	}
	b.server, b.listen = server, server.Addr().String()
}

func (b *broker) stop() {
	if b.server != nil {
		if err := b.server.Close(); err != nil {
			b.t.Errorf("closing the broker: %v", err)
		}
		b.server = nil
	}
}

func (b *broker) dial() bus.Conn {
	b.t.Helper()
	conn, err := natsbus.Dial(within(b.t), bus.Options{URL: "nats://" + b.listen})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// incarnation is different in each run.
var incarnation = regexp.MustCompile(`,"incarnation":"[^"]*"`)

// scripted is a manager: it writes down what it hears, and answers
// as the script says.
type scripted struct {
	t       testing.TB
	service bus.Service

	mu      sync.Mutex
	log     []string
	answers map[string]string
	silent  map[string]int
	next    map[string]string
	heard   chan struct{}
}

func newManager(t testing.TB) *scripted {
	return &scripted{
		t:       t,
		answers: map[string]string{"join": "in-service", "keepAlive": "ok"},
		silent:  map[string]int{},
		next:    map[string]string{},
		heard:   make(chan struct{}),
	}
}

func startManager(t testing.TB, conn bus.Conn) *scripted {
	m := newManager(t)
	m.serve(conn)
	return m
}

func (m *scripted) serve(conn bus.Conn) {
	m.t.Helper()
	service, err := conn.Serve(within(m.t), worker.DefaultCluster, m.handle)
	if err != nil {
		m.t.Fatal(err)
	}
	m.service = service
}

func (m *scripted) handle(r *bus.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Method == "checkWorker" { // as OWT's
		r.Refuse(muster.ReasonUnsupported)
		return
	}
	// The worker's ID comes first, after the purpose in a join.
	rest := r.Args[1:]
	if r.Method == "join" {
		rest = r.Args[2:]
	}
	line := r.Method
	for _, a := range rest {
		line += " " + incarnation.ReplaceAllString(string(a), "")
	}
	m.log = append(m.log, line)
	close(m.heard)
	m.heard = make(chan struct{})
	if m.silent[r.Method] > 0 {
		m.silent[r.Method]--
		return
	}
	if next, ok := m.next[r.Method]; ok {
		delete(m.next, r.Method)
		r.Reply(next)
		return
	}
	r.Reply(m.answers[r.Method])
}

// answer makes the manager answer so from now on.
func (m *scripted) answer(method, with string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[method] = with
}

// once makes it answer so one time.
func (m *scripted) once(method, with string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next[method] = with
}

// ignore makes the manager leave the next so many requests unanswered.
func (m *scripted) ignore(method string, times int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent[method] = times
}

// forget empties what was written down.
func (m *scripted) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = nil
}

// said returns what was heard, without keep-alives and comparisons.
func (m *scripted) said() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, line := range m.log {
		if !strings.HasPrefix(line, "keepAlive") && line != "getTasks" { // both come at times of their own
			out = append(out, line)
		}
	}
	return out
}

// await waits until a line was heard that starts so, and returns it.
func (m *scripted) await(prefix string) string {
	m.t.Helper()
	var found string
	m.until(fmt.Sprintf("%q", prefix), func(log []string) bool {
		for _, line := range log {
			if strings.HasPrefix(line, prefix) {
				found = line
				return true
			}
		}
		return false
	})
	return found
}

// until waits until what was heard is as wanted.
func (m *scripted) until(what string, ok func(log []string) bool) {
	m.t.Helper()
	late := time.After(patience)
	for {
		m.mu.Lock()
		done, heard, log := ok(m.log), m.heard, fmt.Sprint(m.log)
		m.mu.Unlock()
		if done {
			return
		}
		select {
		case <-heard:
		case <-late:
			m.t.Fatalf("never heard %s; only %s", what, log)
		}
	}
}

// events writes the callbacks down.
type events struct {
	t    testing.TB
	seen chan string
}

func newEvents(t testing.TB) *events { return &events{t: t, seen: make(chan string, 100)} }

func (e *events) next(want string) {
	e.t.Helper()
	select {
	case got := <-e.seen:
		if got != want {
			e.t.Fatalf("got event %q; want %q", got, want)
		}
	case <-time.After(patience):
		e.t.Fatalf("no event; want %q", want)
	}
}

// quick are options for tests: intervals of milliseconds, a load of one half
// that is reported once, and every callback written down.
func quick(e *events) worker.Options {
	o := worker.Options{
		Purpose: "video", ID: "video-1@host.example", IP: "192.0.2.1",
		Load:         load.Func(func() float64 { return 0.5 }),
		LoadInterval: time.Hour, LoadRepeat: time.Hour,
		JoinInterval: 5 * time.Millisecond, KeepAlive: 5 * time.Millisecond,
	}
	if e != nil {
		o.OnJoined = func(*worker.Worker) { e.seen <- "joined" }
		o.OnLost = func(_ *worker.Worker, why error) { e.seen <- "lost" }
		o.OnRecovered = func(*worker.Worker) { e.seen <- "recovered" }
		o.OnTasksDropped = func(_ *worker.Worker, tasks []string) { e.seen <- fmt.Sprint("dropped ", tasks) }
		o.OnOverload = func(_ *worker.Worker, over bool) { e.seen <- fmt.Sprint("overloaded ", over) }
	}
	return o
}

func join(t testing.TB, conn bus.Conn, o worker.Options) *worker.Worker {
	t.Helper()
	w, err := worker.Join(within(t), conn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Quit(within(t)) })
	return w
}

func object(t testing.TB, raw string) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(raw), &members); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return members
}
