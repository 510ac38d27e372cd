package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
		_ = b.server.Close()
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

// scripted is a manager: what it answers to the calls of a method, one
// after another; the last step answers all that follow.
type scripted struct {
	mu    sync.Mutex
	steps map[string][]step
	calls []string
	heard chan string
}

type step func(*bus.Request)

func newManager() *scripted {
	return &scripted{steps: map[string][]step{}, heard: make(chan string, 1000)}
}

func data(json string) step { return func(r *bus.Request) { r.Reply(raw(json)) } }

func fail(reason string) step { return func(r *bus.Request) { r.Fail(reason) } }

func refuse(why error) step { return func(r *bus.Request) { r.Refuse(why) } }

func silence(*bus.Request) {}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func (m *scripted) on(method string, steps ...step) *scripted {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps[method] = steps
	return m
}

func (m *scripted) handle(r *bus.Request) {
	m.mu.Lock()
	line := r.Method
	for _, a := range r.Args {
		line += " " + string(a)
	}
	m.calls = append(m.calls, line)
	steps := m.steps[r.Method]
	if len(steps) > 1 {
		m.steps[r.Method] = steps[1:]
	}
	m.mu.Unlock()
	m.heard <- line
	if len(steps) == 0 {
		r.Refuse(muster.ReasonUnsupported)
		return
	}
	steps[0](r)
}

func (m *scripted) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.calls)
}

func (m *scripted) last() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.calls) == 0 {
		return ""
	}
	return m.calls[len(m.calls)-1]
}

func (m *scripted) serve(t testing.TB, conn bus.Conn, name string) bus.Service {
	t.Helper()
	service, err := conn.Serve(within(t), name, m.handle)
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// talking is a client of a scripted manager.
func talking(t testing.TB, o client.Options) (*client.Client, *scripted) {
	b, m := startBroker(t), newManager()
	m.serve(t, b.dial(), client.DefaultCluster)
	return client.New(b.dial(), o), m
}

func jsonOf(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(out)
}
