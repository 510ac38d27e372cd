package roombench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// crowd is the clients of a measurement.
type crowd struct {
	server      contender
	publishers  []*rtcload.Publisher
	subscribers []*rtcload.Subscriber
	// deliveries is how many tracks subscribers get in all, each how many of
	// the publishers one of them gets.
	deliveries, each int
	sending          sync.WaitGroup
	stop             context.CancelFunc
}

// gather connects all clients and waits until everything flows.
func (c *crowd) gather(ctx context.Context, s shape) error {
	ctx, c.stop = context.WithCancel(ctx)
	var all []room.Track
	for i := range s.publishers {
		who := fmt.Sprintf("p%d", i)
		tracks := []room.Track{{ID: who + ".camera", Source: "camera"}, {ID: who + ".mic", Source: "mic"}}
		p, err := c.server.publish(ctx, i, s.rids(), tracks)
		if err != nil {
			return err
		}
		c.publishers = append(c.publishers, p)
		c.sending.Go(func() { _ = p.Run(ctx, tracks[0].ID, pictureRate, picturePackets, pictureSize) })
		c.sending.Go(func() { _ = p.Run(ctx, tracks[1].ID, soundRate, 1, soundSize) })
		all = append(all, tracks...)
	}
	for i := range s.subscribers {
		wanted := all
		if s.publishers > 1 { // people do not see themselves
			wanted = slices.Concat(all[:2*(i%s.publishers)], all[2*(i%s.publishers)+2:])
		}
		s, err := c.server.subscribe(ctx, i, wanted)
		if err != nil {
			return err
		}
		c.subscribers = append(c.subscribers, s)
		c.deliveries += len(wanted)
		c.each = len(wanted) / 2
	}
	return c.await(ctx)
}

// settleTime is how long everything may take to flow, settleAt the share of the
// packets of a second that has to arrive then: an estimate of a line begins low.
const (
	settleTime = 20 * time.Second
	settleAt   = 0.98
)

// await waits until every subscriber gets everything. Where less than that goes
// on arriving, that is what is measured.
func (c *crowd) await(ctx context.Context) error {
	late := time.Now().Add(settleTime)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var sent, received uint64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		missing := c.missing()
		wanted, got := c.sent()-sent, c.received()-received
		sent, received = sent+wanted, received+got
		switch {
		case missing == 0 && float64(got) >= settleAt*float64(wanted):
			return nil
		case time.Now().After(late) && missing > 0:
			return fmt.Errorf("%d of %d tracks do not arrive", missing, c.deliveries)
		case time.Now().After(late):
			return nil
		}
	}
}

// missing is how many tracks have not come to subscribers.
func (c *crowd) missing() int {
	missing := c.deliveries
	for _, s := range c.subscribers {
		missing -= s.Tracks()
	}
	return missing
}

func (c *crowd) received() (n uint64) {
	for _, s := range c.subscribers {
		n += s.Received()
	}
	return n
}

// sent is how many packets subscribers should have got.
func (c *crowd) sent() (n uint64) {
	for _, p := range c.publishers {
		n += p.Sent()
	}
	return n * uint64(c.each*len(c.subscribers)) / uint64(len(c.publishers))
}

func (c *crowd) close() {
	if c.stop != nil {
		c.stop()
	}
	c.sending.Wait()
	for _, p := range c.publishers {
		_ = p.Close()
	}
	for _, s := range c.subscribers {
		_ = s.Close()
	}
}
