package owt_test

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/owt"
	"github.com/muster-fleet/muster/internal/state"
)

// A single manager becomes leader after a moment. One goroutine owns it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	conn, err := natsbus.DialInProcess(ctx, server, bus.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	r, err := owt.Open(ctx, owt.Options{Conn: conn, Cluster: "owt-cluster", Placement: state.DefaultConfig()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	for r.Role().Kind != replica.Leader {
		<-r.Ready()
		r.Apply()
	}
	r.Propose(replica.Proposal{
		Command: state.Command{At: muster.InstantOf(time.Now()), Op: state.Join{Purpose: "video", Worker: "video-1"}},
		Done: func(_ state.Result, events []muster.Event, err error) {
			fmt.Printf("%T %v\n", events[0], err)
		},
	})
	fmt.Println(r.State().Workers("video"))
	// Output:
	// muster.WorkerJoined <nil>
	// [video-1]
}
