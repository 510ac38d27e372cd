package natsbus_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
)

// A program with a NATS server of its own, a server on it, and a caller that
// could as well be another program.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	broker, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()

	inside, err := natsbus.DialInProcess(ctx, broker, bus.Options{Name: "greeter"})
	if err != nil {
		log.Fatal(err)
	}
	defer inside.Close()
	service, err := inside.Serve(ctx, "greeter", func(r *bus.Request) {
		if r.Method != "greet" {
			r.Refuse(muster.ReasonUnsupported)
			return
		}
		r.Reply(map[string]any{"hello": r.Args[0]})
	})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()

	outside, err := natsbus.Dial(ctx, bus.Options{URL: broker.URL(), Name: "caller"})
	if err != nil {
		log.Fatal(err)
	}
	defer outside.Close()
	answer, err := outside.Call(ctx, "greeter", "greet", "world")
	fmt.Println(string(answer), err)
	_, err = outside.Call(ctx, "greeter", "dance")
	fmt.Println(err)
	_, err = outside.Call(ctx, "nobody", "greet")
	fmt.Println(errors.Is(err, bus.ErrNoServer))

	// Output:
	// {"hello":"world"} <nil>
	// Not support method
	// true
}
