package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// An agent joins, a caller is given it for a task, asks it for a node, and
// talks to that node.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	conn, stop := startFleet(ctx)
	defer stop()

	// The node is a goroutine here. A process.Host runs programs instead.
	node := func(ctx context.Context, s process.Spec, ready func()) error {
		service, err := conn.Serve(ctx, s.ID, func(r *bus.Request) { r.Reply("hello from a node of " + s.Purpose) })
		if err != nil {
			return err
		}
		defer service.Close()
		ready()
		<-ctx.Done()
		return nil
	}
	a, err := agent.Start(ctx, conn, agent.Options{
		Worker: worker.Options{
			Purpose: "recording", ID: "recording-1", Load: load.Func(func() float64 { return 0.1 }),
		},
		Policy:   agent.Policy{Prerun: 1, MaxNodes: 4, PerTask: true},
		Launcher: agent.InProcess(node),
	})
	if err != nil {
		log.Fatal(err)
	}

	// Somewhere else, a caller:
	c := client.New(conn, client.Options{})
	placed, err := c.Schedule(ctx, client.Request{Purpose: "recording", Task: "lecture"})
	if err != nil {
		log.Fatal(err)
	}
	task := map[string]string{"room": "hall", "task": "lecture"}
	answer, err := c.Call(ctx, placed.Worker, "getNode", task)
	fmt.Println(string(answer), err)
	var id string
	_ = json.Unmarshal(answer, &id)
	answer, err = c.Call(ctx, id, "greet")
	fmt.Println(string(answer), err)
	answer, err = c.Call(ctx, placed.Worker, "recycleNode", id, task)
	fmt.Println(string(answer), err)

	fmt.Println("drain:", a.Drain(ctx))
	fmt.Println("close:", a.Close(ctx))
	// Output:
	// "recording-1_0" <nil>
	// "hello from a node of recording" <nil>
	// "ok" <nil>
	// drain: <nil>
	// close: <nil>
}

// startFleet is a message queue and a manager in this process. A program of
// its own dials a queue that runs already.
func startFleet(ctx context.Context) (conn bus.Conn, stop func()) {
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	conn, err = natsbus.Dial(ctx, bus.Options{URL: queue.URL()})
	if err != nil {
		log.Fatal(err)
	}
	options := manager.DefaultOptions()
	options.InitialTime = 0
	m, err := manager.Start(ctx, conn, options)
	if err != nil {
		log.Fatal(err)
	}
	return conn, func() {
		_ = m.Close()
		_ = conn.Close()
		_ = queue.Close()
	}
}
