package natsbus

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/bustest"
	"github.com/nats-io/nats.go"
)

// brokerListen makes a process of this test program a broker at that address;
// brokerUsers lists the users that it accepts.
const (
	brokerListen = "NATSBUS_TEST_LISTEN"
	brokerUsers  = "NATSBUS_TEST_USERS"
)

func TestMain(m *testing.M) {
	if listen := os.Getenv(brokerListen); listen != "" {
		beBroker(listen)
	}
	os.Exit(m.Run())
}

// beBroker is a broker until standard input ends, as it does when the test
// program dies.
func beBroker(listen string) {
	o := natsserver.Options{Listen: listen}
	var err error
	if path := os.Getenv(brokerUsers); path != "" {
		o.Users, err = natsauth.ReadUsers(path)
	}
	var s *natsserver.Server
	if err == nil {
		s, err = natsserver.Start(o)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString(s.URL() + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// broker is a broker in a process of its own, so that it can be killed.
type broker struct {
	url string
	cmd *exec.Cmd
	// users and credentials are files; empty where everybody is let in.
	users, credentials string
}

func newBroker(t testing.TB) *broker {
	b := &broker{url: "nats://127.0.0.1:0"}
	b.Start(t)
	t.Cleanup(func() { b.Stop(t) })
	return b
}

func (b *broker) Start(t testing.TB) {
	b.cmd = exec.Command(os.Args[0])
	b.cmd.Env = append(os.Environ(), brokerListen+"="+strings.TrimPrefix(b.url, "nats://"), brokerUsers+"="+b.users)
	b.cmd.Stderr = os.Stderr
	if _, err := b.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the broker did not start: %v", err)
	}
	b.url = strings.TrimSpace(line)
}

func (b *broker) Stop(t testing.TB) {
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = b.cmd.Wait()
}

func (b *broker) Dial(t testing.TB) bus.Conn {
	return dialT(t, bus.Options{URL: b.url, Credentials: b.credentials})
}

func (b *broker) Addr() string { return strings.TrimPrefix(b.url, "nats://") }

func (b *broker) DialAt(t testing.TB, addr string) bus.Conn {
	return dialT(t, bus.Options{URL: "nats://" + addr, Credentials: b.credentials})
}

// Holds: NATS holds nothing.
func (b *broker) Holds() bool { return false }

func dialT(t testing.TB, o bus.Options) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := Dial(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *broker) Send(t testing.TB, server string, body []byte) {
	b.bare(t, func(nc *nats.Conn) error {
		return nc.Publish(b.subject(t, server), body)
	})
}

func (b *broker) Ask(t testing.TB, server string, body func(string) []byte) (answer []byte) {
	b.bare(t, func(nc *nats.Conn) error {
		inbox := b.inbox(t)
		sub, err := nc.SubscribeSync(inbox)
		if err != nil {
			return err
		}
		if err := nc.PublishRequest(b.subject(t, server), inbox, body(inbox)); err != nil {
			return err
		}
		m, err := sub.NextMsg(20 * time.Second)
		if err == nil {
			answer = m.Data
		}
		return err
	})
	return answer
}

// bare does something on a connection with nothing of ours in it.
func (b *broker) bare(t testing.TB, do func(*nats.Conn) error) {
	t.Helper()
	var opts []nats.Option
	if b.credentials != "" {
		who := b.self(t)
		opts = append(opts, nats.Nkey(must(who.Key()), who.Sign))
	}
	nc, err := nats.Connect(b.url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := do(nc); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func (b *broker) self(t testing.TB) natsauth.Credentials {
	t.Helper()
	who, err := natsauth.ReadCredentials(b.credentials)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// subject is where requests to a server go, inbox where an answer may go.
func (b *broker) subject(t testing.TB, server string) string {
	if b.credentials == "" {
		return mustSubject(t, server)
	}
	return natsauth.RequestSubject(b.self(t).Identity, server)
}

func (b *broker) inbox(t testing.TB) string {
	if b.credentials == "" {
		return nats.NewInbox()
	}
	return natsauth.ReplyPrefix(b.self(t).Identity) + nats.NewInbox()[len(nats.InboxPrefix):]
}

func mustSubject(t testing.TB, server string) string {
	t.Helper()
	subject, err := rpcSubject(server)
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

func TestSuite(t *testing.T) { bustest.Run(t, newBroker(t)) }

// The same promises hold on a server that knows its users.
func TestSuiteWithUsers(t *testing.T) {
	user, credentials, err := natsauth.NewUser(bus.Identity{Role: bus.RoleManager, Name: "a.manager"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := &broker{url: "nats://127.0.0.1:0", users: filepath.Join(dir, "users"), credentials: filepath.Join(dir, "credentials")}
	for path, text := range map[string]string{b.users: user.String(), b.credentials: credentials} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.Start(t)
	t.Cleanup(func() { b.Stop(t) })
	bustest.Run(t, b)
}
