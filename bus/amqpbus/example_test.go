package amqpbus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
)

// A server and its caller. Either may be one of OWT's programs instead.
func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	broker, err := shared.Launch(ctx) // a private RabbitMQ; use your own
	if err != nil {
		log.Fatal(err)
	}
	conn, err := amqpbus.Dial(ctx, bus.Options{URL: broker.URL(), Name: "example"})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	_, err = conn.Serve(ctx, "owt-cluster", func(r *bus.Request) {
		if r.Method != "getScheduled" {
			r.Refuse(muster.ReasonUnsupported)
			return
		}
		r.Reply("webrtc-1")
	})
	if err != nil {
		log.Fatal(err)
	}
	worker, err := conn.Call(ctx, "owt-cluster", "getScheduled", "webrtc", "room-1")
	fmt.Println(string(worker), err)
	_, err = conn.Call(ctx, "owt-cluster", "brewCoffee")
	fmt.Println(err)
	// Output:
	// "webrtc-1" <nil>
	// Not support method
}

// Notices reach whoever listens.
func ExampleConn_Subscribe() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	broker, err := shared.Launch(ctx)
	if err != nil {
		log.Fatal(err)
	}
	conn, err := amqpbus.Dial(ctx, bus.Options{URL: broker.URL()})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	heard := make(chan string)
	_, err = conn.Subscribe(ctx, bus.TopicMonitoring, "exit.*", func(key string, body json.RawMessage) {
		heard <- key + " " + string(body)
	})
	if err != nil {
		log.Fatal(err)
	}
	gone := bus.ExitMessage{Purpose: "webrtc", ID: "webrtc-1", Type: "worker"}
	if err := bus.PublishExit(ctx, conn, bus.Exit{Reason: "quit", Message: gone}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-heard)
	// Output:
	// exit.quit {"reason":"quit","message":{"purpose":"webrtc","id":"webrtc-1","type":"worker"}}
}

// Two members of one cluster. The leader goes with a call in its hands, and the
// next leader answers it; the caller notices nothing.
func ExampleConn_JoinGroup() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	broker, err := shared.Launch(ctx)
	if err != nil {
		log.Fatal(err)
	}
	dial := func() *amqpbus.Conn {
		conn, err := amqpbus.Dial(ctx, bus.Options{URL: broker.URL()})
		if err != nil {
			log.Fatal(err)
		}
		return conn
	}
	first, second, caller := dial(), dial(), dial()
	defer second.Close()
	defer caller.Close()

	received := make(chan *bus.Request, 1)
	leader, err := first.JoinGroup(ctx, "example-cluster", func(r *bus.Request) { received <- r })
	if err != nil {
		log.Fatal(err)
	}
	next, err := second.JoinGroup(ctx, "example-cluster", func(r *bus.Request) { r.Reply("by the second") })
	if err != nil {
		log.Fatal(err)
	}
	if err := leader.Lead(ctx, 1); err != nil { // it won the election of term 1
		log.Fatal(err)
	}
	answered := make(chan string)
	go func() {
		raw, err := caller.Call(ctx, "example-cluster", "schedule")
		answered <- fmt.Sprint(string(raw), " ", err)
	}()
	<-received
	first.Close()
	if err := next.Lead(ctx, 2); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-answered)
	// Output:
	// "by the second" <nil>
}
