package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/muster-fleet/muster"
)

// MaxPage is the most items of a page.
const MaxPage = 1000

// WorkerQuery selects workers. An empty member selects all.
type WorkerQuery struct {
	// Purpose is what they are for, ID that of one of them.
	Purpose string `json:"-"`
	ID      string `json:"worker,omitempty"`
	// State is a worker's Status, such as "ready" or "full".
	State string `json:"state,omitempty"`
	// Region is one that they say they serve.
	Region string `json:"region,omitempty"`
	// Labels are those that they must have, with these values.
	Labels map[string]string `json:"labels,omitempty"`
	// Names asks for the names of the first 100 tasks of each kind.
	Names bool `json:"names,omitempty"`
	// Limit is how many to list, from 1 to MaxPage; 0 means 100.
	Limit int `json:"limit,omitempty"`
	// After is the Next of the page before; "" begins the list.
	After string `json:"after,omitempty"`
}

// TaskQuery selects tasks. An empty member selects all.
type TaskQuery struct {
	// Purpose is what they are for, Task the name of one, Worker the id of the worker
	// that they are on.
	Purpose string `json:"-"`
	Task    string `json:"task,omitempty"`
	Worker  string `json:"worker,omitempty"`
	// State is "reserved" or "running".
	State TaskState `json:"state,omitempty"`
	// Region and Labels are those of their workers.
	Region string            `json:"region,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Limit is how many to list, from 1 to MaxPage; 0 means 100.
	Limit int `json:"limit,omitempty"`
	// After is the Next of the page before; "" begins the list.
	After string `json:"after,omitempty"`
}

// WorkerPage is a part of a list of workers.
type WorkerPage struct {
	Workers []muster.Worker `json:"workers"`
	// Next goes into the query for the next page; it is empty on the last one. A page
	// that is short, or empty, is the last one only if Next is empty.
	Next string `json:"next,omitempty"`
}

// TaskPage is a part of a list of tasks.
type TaskPage struct {
	Tasks []Task `json:"tasks"`
	// Next is as in WorkerPage.
	Next string `json:"next,omitempty"`
}

// PageWorkers lists workers by purpose and id, a page at a time. A worker that is
// there all the time is on one of the pages.
func (c *Client) PageWorkers(ctx context.Context, q WorkerQuery) (WorkerPage, error) {
	return page(ctx, c, "listWorkers", q.Purpose, q, func(all []muster.Worker) WorkerPage { return WorkerPage{Workers: all} })
}

// PageTasks lists tasks by purpose, worker and name, a page at a time. A task that
// moves to another worker meanwhile may be listed twice, or not at all.
func (c *Client) PageTasks(ctx context.Context, q TaskQuery) (TaskPage, error) {
	return page(ctx, c, "listTasks", q.Purpose, q, func(all []Task) TaskPage { return TaskPage{Tasks: all} })
}

// EachWorker yields the workers that the query selects, with Limit as the size of a
// page. It ends with the first error.
func (c *Client) EachWorker(ctx context.Context, q WorkerQuery) iter.Seq2[muster.Worker, error] {
	return each(func(after string) ([]muster.Worker, string, error) {
		q.After = after
		p, err := c.PageWorkers(ctx, q)
		return p.Workers, p.Next, err
	})
}

// EachTask yields the tasks that the query selects, with Limit as the size of a page.
// It ends with the first error.
func (c *Client) EachTask(ctx context.Context, q TaskQuery) iter.Seq2[Task, error] {
	return each(func(after string) ([]Task, string, error) {
		q.After = after
		p, err := c.PageTasks(ctx, q)
		return p.Tasks, p.Next, err
	})
}

// page asks for a page. A manager that knows no pages answers a bare list of all.
func page[Item, Page any](ctx context.Context, c *Client, method, purpose string, query any, whole func([]Item) Page) (p Page, err error) {
	var raw json.RawMessage
	if err := c.ask(ctx, &raw, method, orAll(purpose), query); err != nil {
		return p, err
	}
	if raw = bytes.TrimLeft(raw, " \t\r\n"); len(raw) > 0 && raw[0] == '[' {
		var all []Item
		err = json.Unmarshal(raw, &all)
		p = whole(all)
	} else {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return p, fmt.Errorf("client: %s: %w", method, err)
	}
	return p, nil
}

func each[T any](next func(after string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for after := ""; ; {
			items, more, err := next(after)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if more == "" {
				return
			}
			after = more
		}
	}
}

func collect[T any](items iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}
