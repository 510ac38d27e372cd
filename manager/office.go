package manager

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
)

// office is where the leader takes requests: the server of the cluster's name.
// A manager opens it when it leads and closes it when it does not.
type office struct {
	conn    bus.Conn
	cluster string
	handler bus.Handler
	log     *slog.Logger

	// wanted holds what the office should be, if that is not known yet to the
	// goroutine that opens and closes it.
	wanted chan bool
	// opening guards what follows.
	opening sync.Mutex
	service bus.Service
	over    bool
}

// againAfter is how long it takes to try again to open an office.
const againAfter = 20 * time.Millisecond

func newOffice(conn bus.Conn, cluster string, h bus.Handler, log *slog.Logger) *office {
	return &office{conn: conn, cluster: cluster, handler: h, log: log, wanted: make(chan bool, 1)}
}

// want says what the office should be, and does not wait for that.
func (o *office) want(open bool) {
	select {
	case <-o.wanted:
	default:
	}
	o.wanted <- open
}

// run opens and closes the office as it is wanted, until ctx is over.
func (o *office) run(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	open := o.isOpen()
	for {
		select {
		case <-ctx.Done():
			return
		case open = <-o.wanted:
		case <-again.C:
		}
		if err := o.set(ctx, open); err != nil && ctx.Err() == nil {
			o.log.Error("cannot take requests yet", "err", err)
			again.Reset(againAfter)
		}
	}
}

func (o *office) isOpen() bool {
	o.opening.Lock()
	defer o.opening.Unlock()
	return o.service != nil
}

// set opens or closes the office.
func (o *office) set(ctx context.Context, open bool) error {
	o.opening.Lock()
	defer o.opening.Unlock()
	switch {
	case open && o.service == nil && !o.over:
		service, err := o.conn.Serve(ctx, o.cluster, o.handler)
		if err != nil {
			return fmt.Errorf("serve %s: %w", o.cluster, err)
		}
		o.service = service
	case !open && o.service != nil:
		err := o.service.Close()
		o.service = nil
		return err
	}
	return nil
}

// shut closes the office for good.
func (o *office) shut() error {
	o.opening.Lock()
	o.over = true
	o.opening.Unlock()
	return o.set(context.Background(), false)
}
