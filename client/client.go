package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/span"
)

// Client asks the manager of one cluster, and the workers on the same bus. All
// methods may be called from several goroutines at once.
type Client struct {
	conn bus.Conn
	opts Options
	// checked are the preferences that were last found right.
	checked checkedPreferences
}

// New returns a client on conn, which stays the caller's.
func New(conn bus.Conn, opts Options) *Client {
	return &Client{conn: conn, opts: opts.withDefaults()}
}

// Unschedule gives a task's reservation up. A task that runs already goes on,
// and is forgotten when its worker lays it down.
func (c *Client) Unschedule(ctx context.Context, worker, task string) error {
	return c.ask(ctx, nil, "unschedule", worker, task)
}

// Release gives up this placement, and none that the task got later. Otherwise
// it is Unschedule.
func (c *Client) Release(ctx context.Context, p muster.Placement) error {
	if p.Number == 0 {
		return c.Unschedule(ctx, p.Worker, p.Task)
	}
	return c.ask(ctx, nil, "unschedule", p.Worker, p.Task, p.Number)
}

// Worker returns what the manager knows of a worker, but for its Debit and
// what is Reserved on it. Of a portal the wire has neither Tasks nor, of its
// Info, more than the address.
func (c *Client) Worker(ctx context.Context, id string) (muster.Worker, error) {
	var attr workerAttr
	if err := c.ask(ctx, &attr, "getWorkerAttr", id); err != nil {
		return muster.Worker{}, err
	}
	return attr.worker(id)
}

// WorkerIDs lists the IDs of the workers of a purpose; "" means every purpose.
func (c *Client) WorkerIDs(ctx context.Context, purpose string) ([]string, error) {
	return list[string](ctx, c, "getWorkers", orAll(purpose))
}

// Workers lists the workers of a purpose by purpose and id, with the first 100 tasks
// of each; "" means every purpose. EachWorker does so without holding all of them.
func (c *Client) Workers(ctx context.Context, purpose string) ([]muster.Worker, error) {
	return collect(c.EachWorker(ctx, WorkerQuery{Purpose: purpose, Names: true, Limit: MaxPage}))
}

// Tasks lists the tasks that a worker runs.
func (c *Client) Tasks(ctx context.Context, worker string) ([]string, error) {
	return list[string](ctx, c, "getTasks", worker)
}

// ListTasks lists the tasks of a purpose with their workers, reserved and
// running, by purpose, worker and name; "" means every purpose. EachTask does so
// without holding all of them.
func (c *Client) ListTasks(ctx context.Context, purpose string) ([]Task, error) {
	return collect(c.EachTask(ctx, TaskQuery{Purpose: purpose, Limit: MaxPage}))
}

// Scheduled returns the worker on which a task is.
func (c *Client) Scheduled(ctx context.Context, purpose, task string) (worker string, err error) {
	err = c.ask(ctx, &worker, "getScheduled", purpose, task)
	return worker, err
}

// Why returns how the last placement of a task was decided, also of one that
// failed. The manager remembers a limited number of them; ErrNoTask says that
// this one is not among them.
func (c *Client) Why(ctx context.Context, purpose, task string) (muster.Explanation, error) {
	var why muster.Explanation
	err := c.ask(ctx, &why, "why", purpose, task)
	return why, err
}

// Status returns how the cluster stands.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.ask(ctx, &s, "status")
	return s, err
}

// Call asks a worker, or a node of one, by a method of its own. It is sent
// once; see the package on what its errors mean.
func (c *Client) Call(ctx context.Context, worker, method string, args ...any) (_ json.RawMessage, err error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	ctx, end := span.Below(ctx, span.Client, method, span.Worker, worker)
	defer func() { end(err) }()
	raw, err := c.conn.Call(ctx, worker, method, args...)
	if err != nil {
		return nil, fmt.Errorf("client: %s of %s: %w", method, worker, err)
	}
	return raw, nil
}

// ask calls the manager and reads its answer into the pointer, which may be
// nil.
func (c *Client) ask(ctx context.Context, into any, method string, args ...any) (err error) {
	ctx, end := span.Below(ctx, span.Client, method)
	defer func() { end(err) }()
	raw, err := c.persist(ctx, method, args)
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return fmt.Errorf("client: %s: %w", method, err)
	}
	return nil
}

func list[T any](ctx context.Context, c *Client, method string, args ...any) ([]T, error) {
	var items []T
	err := c.ask(ctx, &items, method, args...)
	return items, err
}

func orAll(purpose string) string {
	if purpose == "" {
		return "all"
	}
	return purpose
}
