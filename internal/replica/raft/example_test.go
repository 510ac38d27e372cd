package raft_test

import (
	"fmt"
	"log"
	"net"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/raft"
	"github.com/muster-fleet/muster/internal/state"
)

// Three managers in one process. Each has an owner: one goroutine that calls
// Propose, Read and Apply.
func Example() {
	listeners := make([]net.Listener, 3)
	peers := make([]string, 3)
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		listeners[i], peers[i] = l, l.Addr().String()
	}
	placed := make(chan string)
	for i, addr := range peers {
		opts := raft.DefaultOptions()
		opts.Addr, opts.Peers, opts.Listener = addr, peers, listeners[i]
		opts.Secret = []byte("sixteen bytes and more")
		rep, err := raft.Start(opts)
		if err != nil {
			log.Fatal(err)
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			owner(rep, placed, stop)
		}()
		defer func() {
			close(stop)
			<-stopped
			if err := rep.Close(); err != nil {
				log.Fatal(err)
			}
		}()
	}
	fmt.Println("room-1 is on", <-placed)
	// Output: room-1 is on worker-a
}

// owner is what a manager does: here, to place a task when it comes to lead.
func owner(rep *raft.Replica, placed chan<- string, stop <-chan struct{}) {
	role := rep.Role()
	for {
		select {
		case <-stop:
			return
		case <-rep.Ready():
			rep.Apply()
		}
		if rep.Role() == role {
			continue
		}
		role = rep.Role()
		if role.Kind == replica.Leader {
			propose(rep, placed)
		}
	}
}

func propose(rep *raft.Replica, placed chan<- string) {
	ops := []state.Op{
		state.Join{Purpose: "webrtc", Worker: "worker-a", Info: muster.Info{MaxLoad: 1, State: muster.StateReady}},
		state.ReportLoad{Loads: []state.WorkerLoad{{Worker: "worker-a", Load: 0.1}}},
		state.Schedule{Purpose: "webrtc", Task: "room-1"},
	}
	for i, op := range ops {
		rep.Propose(replica.Proposal{
			Command: state.Command{At: 1, Op: op},
			Done: func(result state.Result, _ []muster.Event, err error) {
				if err == nil && i == len(ops)-1 {
					placed <- result.Worker
				}
			},
		})
	}
}
