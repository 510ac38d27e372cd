package connect_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpenNATS(t *testing.T) {
	server, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	conn, err := connect.Open(t.Context(), bus.Options{URL: " " + server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// freeAddress is an address on which no server listens.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestOpenFails(t *testing.T) {
	unused := freeAddress(t)
	for url, want := range map[string]string{
		"nats://" + unused:              "natsbus: ",
		"tls://" + unused:               "natsbus: ",
		"amqp://" + unused:              "amqpbus: ",
		"amqps://u:topsecret@" + unused: "amqpbus: ",
		"http://u:topsecret@" + unused:  `unknown scheme "http": use nats:// or tls:// for NATS, amqp:// or amqps:// for RabbitMQ`,
		"topsecret":                     "names no scheme: use nats://",
		"":                              "names no scheme: use nats://",
	} {
		conn, err := connect.Open(context.Background(), bus.Options{URL: url})
		if conn != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v; want an error with %q", url, conn, err, want)
			continue
		}
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("the error shows the URL's secret: %v", err)
		}
	}
}
