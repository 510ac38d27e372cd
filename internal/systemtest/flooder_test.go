package systemtest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
)

// floodVariable makes this program one that floods a manager: with "schedules"
// of one caller, large "bodies", "garbage" on the queue and on every port, or
// connections that say nothing ("silence").
const floodVariable = "SYSTEMTEST_FLOOD"

const (
	floodRate  = 20_000 // a second
	bodyRate   = 60
	bodySize   = 8<<20 - 4096 // NATS takes 8 MiB, the subject included
	silentEach = 1000         // connections to a port
	floodBurst = 10 * time.Millisecond
)

// runFlood ends with the process.
func runFlood(kind string) int {
	url, name, ports := os.Getenv("FLOOD_URL"), os.Getenv("FLOOD_NAME"), strings.Split(os.Getenv("FLOOD_PORTS"), ",")
	var err error
	switch kind {
	case "schedules":
		err = floodSchedules(url, name)
	case "bodies":
		err = floodBodies(url, name)
	case "garbage":
		for _, port := range ports {
			go floodTCP(port)
		}
		err = floodGarbage(url, name)
	case "silence":
		err = floodSilence(ports)
	}
	fmt.Fprintln(os.Stderr, "flood:", err)
	return 1
}

// begun tells the test that the flood is under way.
func begun() { fmt.Println("begun") }

// floodSchedules makes calls of one caller, most of which are never waited for
// by anybody else.
func floodSchedules(url, name string) error {
	conn, err := connect.Open(context.Background(), bus.Options{URL: url})
	if err != nil {
		return err
	}
	room := make(chan struct{}, 4*floodRate)
	n := 0
	begun()
	for range time.Tick(floodBurst) {
		for range floodRate / int(time.Second/floodBurst) {
			n++
			task := fmt.Sprint("flood-", n)
			room <- struct{}{}
			go func() {
				defer func() { <-room }()
				ctx, cancel := context.WithTimeout(context.Background(), bus.DefaultTimeout*time.Millisecond)
				defer cancel()
				_, _ = conn.Call(ctx, name, "schedule", purpose, task, nil, 100)
			}()
		}
	}
	return nil
}

// floodBodies makes calls and casts with bodies as large as NATS takes.
func floodBodies(url, name string) error {
	conn, err := connect.Open(context.Background(), bus.Options{URL: url})
	if err != nil {
		return err
	}
	task := strings.Repeat("x", bodySize)
	begun()
	for range time.Tick(time.Second / bodyRate) {
		ctx, cancel := context.WithTimeout(context.Background(), bus.DefaultTimeout*time.Millisecond)
		_ = conn.Cast(ctx, name, "pickUpTasks", "nobody", []string{task})
		cancel()
	}
	return nil
}

// floodGarbage sends what is no request.
func floodGarbage(url, name string) error {
	send, err := rawSender(url, name)
	if err != nil {
		return err
	}
	begun()
	for range time.Tick(floodBurst) {
		for range floodRate / int(time.Second/floodBurst) {
			if err := send(garbage()); err != nil {
				return err
			}
		}
	}
	return nil
}

func garbage() []byte {
	switch rand.N(4) {
	case 0:
		return []byte(`{"method":"keepAlive","args":["` + string(rune('a'+rand.N(26))) + `"]}`)
	case 1:
		return []byte(strings.Repeat("[", 1+rand.N(1000)))
	case 2:
		return []byte(`{"method":"schedule","args":[1,2,3,4],"corrID":1,"replyTo":"nobody"}`)
	}
	body := make([]byte, 1+rand.N(200))
	for i := range body {
		body[i] = byte(rand.Uint32())
	}
	return body
}

// rawSender sends bodies to a server without the adapter.
func rawSender(url, name string) (func([]byte) error, error) {
	if strings.HasPrefix(url, "nats:") {
		nc, err := nats.Connect(url)
		if err != nil {
			return nil, err
		}
		return func(body []byte) error { return nc.Publish("muster.rpc."+name, body) }, nil
	}
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	return func(body []byte) error {
		return ch.PublishWithContext(context.Background(), "owtRpc", name, false, false, amqp.Publishing{Body: body})
	}, nil
}

// floodTCP writes noise to a port, on one connection after the other.
func floodTCP(port string) {
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for range time.Tick(time.Millisecond) {
		conn, err := net.DialTimeout("tcp", port, time.Second)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write(noise)
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}

// floodSilence opens connections to every port that say nothing, or only begin
// to, and replaces those that are closed.
func floodSilence(ports []string) error {
	for _, port := range ports {
		for i := range silentEach {
			go beSilent(port, i%2 == 0)
		}
	}
	time.Sleep(100 * time.Millisecond)
	begun()
	select {}
}

func beSilent(port string, begin bool) {
	for range time.Tick(100 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", port, time.Second)
		if err != nil {
			continue
		}
		if begin {
			_, _ = conn.Write([]byte("G"))
		}
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}
