package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/bench/measure"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// place returns a caller that places batch tasks of new names in each call,
// asking for each pool of the fleet in turn.
func (r *rig) place(via Via, batch, lanes int) measure.Caller {
	names := r.names(lanes)
	switch {
	case via == ViaSDK && batch == 1:
		return r.placeBySDK(names)
	case via == ViaSDK:
		return r.placeManyBySDK(names, batch)
	case batch == 1:
		return r.placeOnWire(names)
	}
	return r.placeManyOnWire(names, batch)
}

// names makes up names of tasks.
type names struct {
	prefixes []string
	counters []counter
}

// counter is one lane's, on a cache line of its own.
type counter struct {
	n int
	_ [56]byte
}

// names returns names that no other caller of the rig makes up.
func (r *rig) names(lanes int) *names {
	r.callers++
	n := &names{prefixes: make([]string, lanes), counters: make([]counter, lanes)}
	for i := range n.prefixes {
		n.prefixes[i] = fmt.Sprintf("task-%d-%d-", r.callers, i)
	}
	return n
}

// next returns a name, and how many the lane made up before.
func (n *names) next(lane int) (string, int) {
	i := n.counters[lane].n
	n.counters[lane].n++
	return string(strconv.AppendInt(append(make([]byte, 0, 32), n.prefixes[lane]...), int64(i), 10)), i
}

func (r *rig) preference(i int) json.RawMessage {
	return r.fleet.Pools[i%len(r.fleet.Pools)].Preference
}

func (r *rig) placeOnWire(names *names) measure.Caller {
	reserve := r.opts.Reserve.Milliseconds()
	return func(ctx context.Context, lane int) error {
		task, n := names.next(lane)
		_, err := r.caller.Call(ctx, r.opts.Cluster, "schedule", testbed.Purpose, task, r.preference(n+lane), reserve)
		return err
	}
}

func (r *rig) placeBySDK(names *names) measure.Caller {
	c := r.client()
	return func(ctx context.Context, lane int) error {
		_, err := c.Schedule(ctx, r.request(names, lane))
		return err
	}
}

func (r *rig) client() *client.Client {
	return client.New(r.caller, client.Options{Cluster: r.opts.Cluster})
}

func (r *rig) request(names *names, lane int) client.Request {
	task, n := names.next(lane)
	return client.Request{Purpose: testbed.Purpose, Task: task, Preference: r.preference(n + lane), Reserve: r.opts.Reserve}
}

func (r *rig) placeManyBySDK(names *names, batch int) measure.Caller {
	c := r.client()
	return func(ctx context.Context, lane int) error {
		requests := make([]client.Request, batch)
		for i := range requests {
			requests[i] = r.request(names, lane)
		}
		outcomes, err := c.ScheduleMany(ctx, requests)
		for i := range outcomes {
			if err == nil {
				err = outcomes[i].Err
			}
		}
		return err
	}
}

func (r *rig) placeManyOnWire(names *names, batch int) measure.Caller {
	reserve := strconv.FormatInt(r.opts.Reserve.Milliseconds(), 10)
	return func(ctx context.Context, lane int) error {
		tasks := make([]byte, 0, 128*batch)
		for i := range batch {
			task, n := names.next(lane)
			if i > 0 {
				tasks = append(tasks, ',')
			}
			tasks = append(append(append(tasks, `{"purpose":"`+testbed.Purpose+`","task":"`...), task...), `","preference":`...)
			tasks = append(append(append(tasks, r.preference(n+lane)...), `,"reserveTime":`...), reserve+"}"...)
		}
		answer, err := r.caller.Call(ctx, r.opts.Cluster, "scheduleMany", json.RawMessage("["+string(tasks)+"]"))
		if err != nil {
			return err
		}
		return allPlaced(answer, batch)
	}
}

// allPlaced returns why one of the tasks of a scheduleMany was not placed.
func allPlaced(answer []byte, batch int) error {
	placed := 0
	var refused error
	gjson.GetBytes(answer, "tasks").ForEach(func(_, task gjson.Result) bool {
		if task.Get("id").Exists() {
			placed++
		} else if refused == nil {
			refused = errors.New(task.Get("error").Str)
		}
		return true
	})
	if refused == nil && placed != batch {
		refused = fmt.Errorf("%d answers for %d tasks", placed, batch)
	}
	return refused
}
