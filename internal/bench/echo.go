package bench

import (
	"context"
	"fmt"

	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// echo is a client and a server that do nothing but exchange bodies of the
// size of a schedule call and its answer, over a connection each, with the
// client library of the queue and nothing of ours: what the queue can carry.
type echo interface {
	// call makes one call; lane is less than the number of lanes that the
	// echo was made for, and no two calls at a time have the same.
	call(ctx context.Context, lane int) error
	close()
}

func (r *rig) dialEcho(lanes int) (echo, error) {
	request, answer, err := r.bodies()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	name := r.opts.Cluster + "-echo"
	var e echo
	if r.kind == testbed.AMQP {
		e, err = startAMQPEcho(r.bus, name, request, answer, lanes)
	} else {
		e, err = startNATSEcho(r.bus, name, request, answer)
	}
	if err != nil {
		return nil, fmt.Errorf("bench: start the echo server: %w", err)
	}
	return e, nil
}
