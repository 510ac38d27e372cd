package mustertest_test

import (
	"context"
	"fmt"
	"log"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/mustertest"
	"github.com/muster-fleet/muster/worker"
)

// A worker of the user's own is tried in a cluster of two, and its death.
func Example() {
	ctx := context.Background()
	fleet, err := mustertest.Start(ctx, mustertest.Workers("recording", 2)...) // in a test: mustertest.Fleet(t, ...)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = fleet.Close() }()

	_, err = fleet.Join(ctx, worker.Options{
		Purpose: "greeting",
		Handlers: map[string]worker.Handler{
			"greet": worker.Handle(func(_ context.Context, w *worker.Worker, task string) (string, error) {
				w.AddTask(task)
				return "hello from " + w.Purpose(), nil
			}),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	placed, err := fleet.Client.Schedule(ctx, client.Request{Purpose: "greeting", Task: "visitor"})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := fleet.Client.Call(ctx, placed.Worker, "greet", "visitor")
	fmt.Println(string(answer), err)

	first, err := fleet.Client.Schedule(ctx, client.Request{Purpose: "recording", Task: "lecture"})
	if err != nil {
		log.Fatal(err)
	}
	if err := fleet.Kill(ctx, first.Worker); err != nil {
		log.Fatal(err)
	}
	second, err := fleet.Client.Schedule(ctx, client.Request{Purpose: "recording", Task: "lecture"})
	fmt.Println("placed again:", err == nil && second.Worker != first.Worker)
	// Output:
	// "hello from greeting" <nil>
	// placed again: true
}
