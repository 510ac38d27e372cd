package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// A worker joins, a caller is given it for a task and asks it to start, and
// the worker says that it runs the task now.
func Example() {
	ctx := context.Background()
	conn, stop := startFleet(ctx)
	defer stop()

	w, err := worker.Join(ctx, conn, worker.Options{
		Purpose:  "recording",
		Capacity: muster.Capacity{Regions: []string{"eu"}},
		Load:     load.Disk("/"), // what a recorder runs out of first
		MaxLoad:  1,
		Handlers: map[string]worker.Handler{
			"start": worker.Handle(func(_ context.Context, w *worker.Worker, task string) (string, error) {
				w.AddTask(task)
				return "recording " + task, nil
			}),
			"stop": worker.Handle(func(_ context.Context, w *worker.Worker, task string) (string, error) {
				w.RemoveTask(task)
				return "stopped " + task, nil
			}),
		},
		OnLost:         func(_ *worker.Worker, why error) { log.Print("no contact: ", why) },
		OnTasksDropped: func(_ *worker.Worker, tasks []string) { log.Print("to be ended: ", tasks) },
	})
	if err != nil {
		log.Fatal(err)
	}

	// Somewhere else, a caller:
	c := client.New(conn, client.Options{})
	placed, err := c.Schedule(ctx, client.Request{Purpose: "recording", Task: "lecture", Region: "eu"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("placed on the worker:", placed.Worker == w.ID())
	answer, err := c.Call(ctx, placed.Worker, "start", "lecture")
	fmt.Println(string(answer), err)
	fmt.Println("runs", w.Tasks())
	answer, err = c.Call(ctx, placed.Worker, "stop", "lecture")
	fmt.Println(string(answer), err)

	fmt.Println("quit:", w.Quit(ctx))
	// Output:
	// placed on the worker: true
	// "recording lecture" <nil>
	// runs [lecture]
	// "stopped lecture" <nil>
	// quit: <nil>
}

// Handle makes a typed function a method. A Handler by hand may take several
// arguments, and answer later.
func ExampleHandle() {
	type room struct {
		Name string `json:"name"`
		Size int    `json:"size"`
	}
	open := worker.Handle(func(_ context.Context, w *worker.Worker, r room) (map[string]int, error) {
		if r.Size > 100 {
			return nil, errors.New("rooms have at most 100 seats")
		}
		w.AddTask(r.Name)
		return map[string]int{"port": 40000}, nil
	})
	mix := func(ctx context.Context, _ *worker.Worker, r *bus.Request) {
		var left, right string
		if err := worker.Decode(r.Args, &left, &right); err != nil {
			r.Fail(err.Error())
			return
		}
		go r.Reply(left + "+" + right) // what takes long goes on in a goroutine
	}

	ctx := context.Background()
	conn, stop := startFleet(ctx)
	defer stop()
	w, err := worker.Join(ctx, conn, worker.Options{
		Purpose:  "conference",
		Handlers: map[string]worker.Handler{"open": open, "mix": mix},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Quit(ctx)

	c := client.New(conn, client.Options{})
	for _, call := range [][]any{{"open", room{"hall", 80}}, {"open", room{"stadium", 80_000}}, {"mix", "a", "b"}, {"mix", "a"}} {
		answer, err := c.Call(ctx, w.ID(), call[0].(string), call[1:]...)
		var refused *bus.RemoteError
		if errors.As(err, &refused) {
			fmt.Println("refused:", refused.Reason)
			continue
		}
		fmt.Println(string(answer))
	}
	// Output:
	// {"port":40000}
	// refused: rooms have at most 100 seats
	// "a+b"
	// refused: argument 2 is missing
}

// A worker that knows best what it is short of measures its load itself. At
// MaxLoad it gets no further tasks.
func Example_ownLoad() {
	const ports = 200
	var used atomic.Int64
	ownLoad := load.Func(func() float64 { return float64(used.Load()) / ports })

	ctx := context.Background()
	conn, stop := startFleet(ctx)
	defer stop()
	overload := make(chan bool, 1)
	w, err := worker.Join(ctx, conn, worker.Options{
		Purpose:      "webrtc",
		Load:         ownLoad, // or load.Worst(ownLoad, load.Network("eth0", 0))
		LoadInterval: 10 * time.Millisecond,
		OnOverload:   func(_ *worker.Worker, over bool) { overload <- over },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Quit(ctx)

	c := client.New(conn, client.Options{})
	known, err := c.Worker(ctx, w.ID())
	fmt.Println("the manager knows of a load of", known.Load, err)
	used.Store(199)
	fmt.Println("overloaded:", <-overload)
	used.Store(20)
	fmt.Println("overloaded:", <-overload)
	// Output:
	// the manager knows of a load of 0 <nil>
	// overloaded: true
	// overloaded: false
}

// Before an upgrade a worker takes nothing new, lets its tasks end, and goes.
func ExampleWorker_Drain() {
	ctx := context.Background()
	conn, stop := startFleet(ctx)
	defer stop()
	w, err := worker.Join(ctx, conn, worker.Options{Purpose: "audio", Load: load.Func(func() float64 { return 0.1 })})
	if err != nil {
		log.Fatal(err)
	}
	w.AddTask("mix-1")

	go w.RemoveTask("mix-1") // the task ends by and by

	patience, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fmt.Println("drain:", w.Drain(patience), w.Tasks())
	fmt.Println("quit:", w.Quit(ctx))
	fmt.Println(w.Err())
	// Output:
	// drain: <nil> []
	// quit: <nil>
	// worker: quit
}
