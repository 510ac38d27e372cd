package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// A caller asks for a worker, and asks the worker to do the task. Asking again
// for the same task gives the same worker.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, stop := startFleet(ctx)
	defer stop()

	c := client.New(conn, client.Options{})
	placed, err := c.Schedule(ctx, client.Request{Purpose: "video", Task: "room-1", Reserve: 30 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(placed.Worker)
	answer, err := c.Call(ctx, placed.Worker, "mix", placed.Task)
	fmt.Println(string(answer), err)

	again, err := c.Schedule(ctx, client.Request{Purpose: "video", Task: "room-1"})
	fmt.Println(again.Worker, err)
	tasks, err := c.Tasks(ctx, placed.Worker)
	fmt.Println(tasks, err)
	// Output:
	// video-1
	// "mixing room-1" <nil>
	// video-1 <nil>
	// [room-1] <nil>
}

// Where no worker can take the task, the error says what excluded how many.
func ExampleNoWorkerError() {
	ctx := context.Background()
	conn, stop := startFleet(ctx)
	defer stop()

	c := client.New(conn, client.Options{})
	_, err := c.Schedule(ctx, client.Request{
		Purpose: "video",
		Task:    "room-2",
		Preference: map[string]any{
			"video": muster.Formats{Encode: []string{"av1"}, Decode: []string{"vp8"}},
		},
	})
	var none *client.NoWorkerError
	switch {
	case errors.As(err, &none):
		fmt.Println(none.Reason)
		for rule, workers := range none.Explanation.Excluded {
			if workers > 0 {
				fmt.Printf("%d of %d excluded by %s\n", workers, none.Explanation.Workers, muster.Rule(rule))
			}
		}
	case errors.Is(err, client.ErrNoScheduler):
		fmt.Println("no worker does this")
	case errors.Is(err, client.ErrNotReady):
		fmt.Println("try later, or set Options.WaitReady")
	default:
		log.Fatal(err)
	}
	// Output:
	// No worker matches the preference.
	// 1 of 1 excluded by codec
}

// Why explains how a task was placed, or why it was not, also afterwards.
func ExampleClient_Why() {
	ctx := context.Background()
	conn, stop := startFleet(ctx)
	defer stop()

	c := client.New(conn, client.Options{})
	if _, err := c.Schedule(ctx, client.Request{Purpose: "video", Task: "room-3"}); err != nil {
		log.Fatal(err)
	}
	why, err := c.Why(ctx, "video", "room-3")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s took %s at load %v, of %d candidates\n", why.Strategy, why.Chosen.Worker, why.Chosen.Load, why.Candidates)
	_, err = c.Why(ctx, "video", "nosuch")
	fmt.Println(errors.Is(err, client.ErrNoTask))
	// Output:
	// least-used took video-1 at load 0.25, of 1 candidates
	// true
}
