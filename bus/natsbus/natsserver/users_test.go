package natsserver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
)

const fleet = "owt-cluster"

// guarded is a server that knows its users.
type guarded struct {
	t      *testing.T
	server *natsserver.Server
	users  []natsauth.User
	files  map[bus.Identity]string
}

func startGuarded(t *testing.T, who ...bus.Identity) *guarded {
	t.Helper()
	g := &guarded{t: t, files: map[bus.Identity]string{}}
	for _, one := range who {
		g.add(one)
	}
	var err error
	g.server, err = natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0", Users: g.users, Fleet: fleet})
	must(t, err)
	t.Cleanup(func() { must(t, g.server.Close()) })
	return g
}

func (g *guarded) add(who bus.Identity) {
	g.t.Helper()
	user, credentials, err := natsauth.NewUser(who)
	must(g.t, err)
	g.users = append(g.users, user)
	g.files[who] = filepath.Join(g.t.TempDir(), "credentials")
	must(g.t, os.WriteFile(g.files[who], []byte(credentials), 0o600))
}

// bare is a connection of a user who obeys no rule of ours.
func (g *guarded) bare(who bus.Identity) *nats.Conn {
	g.t.Helper()
	c, err := natsauth.ReadCredentials(g.files[who])
	must(g.t, err)
	key, err := c.Key()
	must(g.t, err)
	nc, err := nats.Connect(g.server.URL(), nats.Nkey(key, c.Sign), nats.MaxReconnects(0), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	must(g.t, err)
	g.t.Cleanup(nc.Close)
	return nc
}

func (g *guarded) dial(who bus.Identity) bus.Conn {
	g.t.Helper()
	conn, err := natsbus.Dial(within(g.t), bus.Options{URL: g.server.URL(), Credentials: g.files[who]})
	must(g.t, err)
	g.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func as(role bus.Role, name string) bus.Identity { return bus.Identity{Role: role, Name: name} }

var (
	w1    = as(bus.RoleWorker, "video-1@10.0.0.1")
	w2    = as(bus.RoleWorker, "video-2")
	ann   = as(bus.RoleCaller, "ann")
	eye   = as(bus.RoleViewer, "eye")
	op    = as(bus.RoleOperator, "op")
	boss  = as(bus.RoleAdmin, "boss")
	chief = as(bus.RoleManager, "chief")
)

// Each forbidden subject is refused by the server, and each that is needed is not.
func TestSubjectsOfRoles(t *testing.T) {
	g := startGuarded(t, w1, w2, ann, eye, op, boss, chief)
	const me1 = "video-1@10%2E0%2E0%2E1"
	for _, it := range []struct {
		who           bus.Identity
		publish, hear string
		allowed       bool
	}{
		{who: w1, publish: "muster.as.worker." + me1 + ".owt-cluster", allowed: true},
		{who: w1, publish: "muster.as.worker.video-2.owt-cluster"},
		{who: w1, publish: "muster.as.manager.chief.owt-cluster"},
		{who: w1, publish: "muster.as.operator.op.owt-cluster"},
		{who: w1, publish: "muster.rpc.owt-cluster"},
		{who: w1, publish: "muster.reply.caller.ann.X.1"},
		{who: w1, publish: "muster.topic.owtMonitoring.exit.abnormal.$", allowed: true},
		{who: w1, publish: "muster.topic.owtMonitoring.exit.quit.$"},
		{who: w1, publish: "muster.topic.musterTasks.video.done.$", allowed: true},
		{who: w1, publish: "muster.topic.musterEvents.feed.$"},
		{who: w1, hear: "muster.as.*.*." + me1, allowed: true},
		{who: w1, hear: "muster.as.*.*." + me1 + ".7", allowed: true},
		{who: w1, hear: "muster.as.*.*.video-2"},
		{who: w1, hear: "muster.as.*.*.owt-cluster"},
		{who: w1, hear: "muster.as.>"},
		{who: w1, hear: "muster.>"},
		{who: w1, hear: ">"},
		{who: w1, hear: "muster.reply.worker.video-2.X.*"},
		{who: w1, hear: "muster.reply.worker." + me1 + ".X.*", allowed: true},
		{who: w1, hear: "muster.topic.owtMonitoring.>", allowed: true},
		{who: w1, hear: "$SYS.>"},
		{who: ann, publish: "muster.as.caller.ann.owt-cluster", allowed: true},
		{who: ann, publish: "muster.as.caller.ann.video-2", allowed: true},
		{who: ann, publish: "muster.as.worker.video-2.owt-cluster"},
		{who: ann, publish: "muster.topic.owtMonitoring.exit.abnormal.$"},
		{who: ann, publish: "muster.topic.musterTasks.video.done.$"},
		{who: ann, publish: "muster.topic.musterBatches.waiting.$", allowed: true},
		{who: eye, publish: "muster.topic.musterBatches.waiting.$"},
		{who: ann, publish: "muster.reply.worker.video-2.X.1"},
		{who: ann, hear: "muster.as.*.*.ann"},
		{who: ann, hear: "muster.as.*.*.video-2"},
		{who: ann, hear: "muster.topic.musterTasks.>", allowed: true},
		{who: eye, publish: "muster.as.viewer.eye.owt-cluster", allowed: true},
		{who: eye, publish: "muster.as.viewer.eye.video-2"},
		{who: op, publish: "muster.as.operator.op.owt-cluster", allowed: true},
		{who: op, publish: "muster.as.admin.boss.owt-cluster"},
		{who: op, publish: "muster.topic.musterEvents.http.$"},
		{who: op, hear: "muster.as.*.*.owt-cluster"},
		{who: boss, publish: "muster.as.admin.boss.owt-cluster", allowed: true},
		{who: boss, publish: "muster.as.manager.chief.owt-cluster"},
		{who: chief, publish: "muster.topic.owtMonitoring.exit.quit.$", allowed: true},
		{who: chief, hear: "muster.as.*.*.owt-cluster", allowed: true},
		{who: chief, publish: "$SYS.REQ.SERVER.PING"},
	} {
		nc := g.bare(it.who)
		var err error
		if it.hear != "" {
			_, err = nc.SubscribeSync(it.hear)
		} else {
			err = nc.Publish(it.publish, []byte("{}"))
		}
		must(t, err)
		must(t, nc.FlushTimeout(30*time.Second))
		if refused := nc.LastError(); it.allowed != (refused == nil) || refused != nil && !errors.Is(refused, nats.ErrPermissionViolation) {
			t.Errorf("%s %s: publish %q, subscribe %q: %v", it.who.Role, it.who.Name, it.publish, it.hear, refused)
		}
		nc.Close()
	}
}

// Requests say who sent them, and answers reach their caller.
func TestRequestsSayWhoSentThem(t *testing.T) {
	g := startGuarded(t, w1, ann)
	inside, err := natsbus.DialInProcess(within(t), g.server, bus.Options{})
	must(t, err)
	t.Cleanup(func() { _ = inside.Close() })
	senders := make(chan bus.Identity, 16)
	answer := func(r *bus.Request) { senders <- r.Sender; r.Reply("ok") }
	_, err = inside.Serve(within(t), fleet, answer)
	must(t, err)
	worker, caller := g.dial(w1), g.dial(ann)
	for _, name := range []string{w1.Name, w1.Name + "_3"} {
		_, err = worker.Serve(within(t), name, answer)
		must(t, err)
	}
	for _, name := range []string{w2.Name, fleet} {
		if _, err := worker.Serve(within(t), name, answer); !errors.Is(err, bus.ErrDenied) {
			t.Errorf("a worker serves %s: %v", name, err)
		}
	}
	for _, it := range []struct {
		from   bus.Conn
		server string
		who    bus.Identity
	}{{worker, fleet, w1}, {caller, fleet, ann}, {caller, w1.Name, ann}, {caller, w1.Name + "_3", ann}, {inside, w1.Name, g.server.OwnUser().Identity}} {
		for range 3 { // an answer is let through each time
			if _, err := it.from.Call(within(t), it.server, "m"); err != nil {
				t.Errorf("%v calls %s: %v", it.who, it.server, err)
				continue
			}
			if got := <-senders; got != it.who {
				t.Errorf("%s hears from %v, want %v", it.server, got, it.who)
			}
		}
	}
	if _, err := caller.Call(within(t), "nosuch", "m"); !errors.Is(err, bus.ErrNoServer) {
		t.Errorf("a server that is not there: %v", err)
	}
}

// A request that names another user's reply subject gets no answer: a server may
// publish on subjects that the sender of the request may not.
func TestAnswersGoToTheSenderOnly(t *testing.T) {
	g := startGuarded(t, w1, ann)
	inside, err := natsbus.DialInProcess(within(t), g.server, bus.Options{})
	must(t, err)
	t.Cleanup(func() { _ = inside.Close() })
	seen := make(chan string, 16)
	service, err := inside.Serve(within(t), fleet, func(r *bus.Request) { seen <- r.Method; r.Reply("ok") })
	must(t, err)
	worker := g.bare(w1)
	heard, err := worker.SubscribeSync("muster.topic.>")
	must(t, err)
	must(t, worker.FlushTimeout(30*time.Second))
	caller := g.bare(ann)
	subject := natsauth.RequestSubject(ann, fleet)
	for _, reply := range []string{"muster.topic.owtMonitoring.exit.quit.$", "muster.as.worker." + w2.Name + "." + fleet, natsauth.ReplyPrefix(w1) + "X.1"} {
		must(t, caller.PublishRequest(subject, reply, []byte(`{"method":"elsewhere","args":[],"corrID":1}`)))
	}
	must(t, caller.PublishRequest(subject, natsauth.ReplyPrefix(ann)+"X.1", []byte(`{"method":"own","args":[],"corrID":1}`)))
	if first := <-seen; first != "own" {
		t.Errorf("the request %q is handled", first)
	}
	if got := service.Malformed(); got != 3 {
		t.Errorf("%d malformed requests, want 3", got)
	}
	must(t, inside.Publish(within(t), "end", "", true)) // what was published before was heard before
	m, err := heard.NextMsg(30 * time.Second)
	must(t, err)
	if !strings.HasPrefix(m.Subject, "muster.topic.end.") {
		t.Errorf("%s heard on %s", m.Data, m.Subject)
	}
}

// Only users get in. One that is taken out is cut off, and one that is added gets in.
func TestUsersChange(t *testing.T) {
	g := startGuarded(t, w1, ann)
	for name, o := range map[string]bus.Options{"nobody": {}, "a password": {User: "this-program", Password: "x"}, "a token": {Token: "x"}} {
		o.URL = g.server.URL()
		if _, err := natsbus.Dial(within(t), o); !errors.Is(err, bus.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	caller, worker := g.dial(ann), g.dial(w1)
	lost := make(chan struct{}, 1)
	stop := caller.Watch(func(s bus.Status) {
		if !s.Connected {
			select {
			case lost <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	g.users = g.users[:1]
	g.add(w2)
	must(t, g.server.SetUsers(g.users))
	select {
	case <-lost:
	case <-time.After(30 * time.Second):
		t.Fatal("a user who was taken out stays connected")
	}
	if _, err := natsbus.Dial(within(t), bus.Options{URL: g.server.URL(), Credentials: g.files[ann]}); !errors.Is(err, bus.ErrDenied) {
		t.Errorf("a user who was taken out gets in again: %v", err)
	}
	g.dial(w2)
	if _, err := worker.Serve(within(t), w1.Name, func(*bus.Request) {}); err != nil {
		t.Errorf("a user who stays: %v", err)
	}
}

func TestUsersThatAreRefused(t *testing.T) {
	user, _, err := natsauth.NewUser(as(bus.RoleWorker, fleet))
	must(t, err)
	if _, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0", Users: []natsauth.User{user}, Fleet: fleet}); err == nil || !strings.Contains(err.Error(), "cluster's name") {
		t.Errorf("a worker of the cluster's name: %v", err)
	}
	if _, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0", Users: []natsauth.User{}, User: "u", Password: "p"}); err == nil {
		t.Error("users and a password")
	}
}
