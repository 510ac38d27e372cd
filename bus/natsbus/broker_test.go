package natsbus

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/bustest"
	"github.com/nats-io/nats.go"
)

// brokerListen tells a process of this test program to be a broker there.
const brokerListen = "NATSBUS_TEST_LISTEN"

func TestMain(m *testing.M) {
	if listen := os.Getenv(brokerListen); listen != "" {
		beBroker(listen)
	}
	os.Exit(m.Run())
}

// beBroker is a broker until standard input ends, as it does when the test
// program dies.
func beBroker(listen string) {
	s, err := natsserver.Start(natsserver.Options{Listen: listen})
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
}

func newBroker(t testing.TB) *broker {
	b := &broker{url: "nats://127.0.0.1:0"}
	b.Start(t)
	t.Cleanup(func() { b.Stop(t) })
	return b
}

func (b *broker) Start(t testing.TB) {
	b.cmd = exec.Command(os.Args[0])
	b.cmd.Env = append(os.Environ(), brokerListen+"="+strings.TrimPrefix(b.url, "nats://"))
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

func (b *broker) Dial(t testing.TB) bus.Conn { return dialT(t, bus.Options{URL: b.url}) }

func (b *broker) Addr() string { return strings.TrimPrefix(b.url, "nats://") }

func (b *broker) DialAt(t testing.TB, addr string) bus.Conn {
	return dialT(t, bus.Options{URL: "nats://" + addr})
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
		return nc.Publish(mustSubject(t, server), body)
	})
}

func (b *broker) Ask(t testing.TB, server string, body func(string) []byte) (answer []byte) {
	b.bare(t, func(nc *nats.Conn) error {
		inbox := nats.NewInbox()
		sub, err := nc.SubscribeSync(inbox)
		if err != nil {
			return err
		}
		if err := nc.PublishRequest(mustSubject(t, server), inbox, body(inbox)); err != nil {
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
	nc, err := nats.Connect(b.url)
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

func mustSubject(t testing.TB, server string) string {
	t.Helper()
	subject, err := rpcSubject(server)
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

func TestSuite(t *testing.T) { bustest.Run(t, newBroker(t)) }
