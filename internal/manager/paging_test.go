package manager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
)

// A fleet of 1,000 workers and 100,000 tasks is listed in pages, on both queues; in
// one message NATS does not carry it.
func TestListsOfALargeFleetComeInPages(t *testing.T) {
	const workers, tasks = 1000, 100
	for kind, start := range queues {
		t.Run(kind, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			f := &fleet{t: t, ctx: ctx, queue: start(t)}
			opts := options()
			opts.CheckAliveInterval = time.Hour
			m, err := manager.Start(f.ctx, f.conn(), opts)
			must(t, err)
			t.Cleanup(func() { _ = m.Close() })
			conn := f.conn()
			for i := range workers {
				id := fmt.Sprintf("w%04d", i)
				names := make([]string, tasks)
				for n := range names {
					names[n] = fmt.Sprintf("%s-%03d", id, n)
				}
				must(t, conn.Cast(f.ctx, client.DefaultCluster, "join", []string{"audio", "video"}[i%2], id, map[string]any{"max_tasks": 200}))
				_, err := conn.Call(f.ctx, client.DefaultCluster, "pickUpTasks", id, names)
				must(t, err)
			}
			c := client.New(conn, client.Options{Timeout: time.Minute})
			seen := map[string]bool{}
			for task, err := range c.EachTask(f.ctx, client.TaskQuery{Purpose: "video", Limit: client.MaxPage}) {
				must(t, err)
				seen[task.Task] = true
			}
			if len(seen) != workers*tasks/2 {
				t.Errorf("%d tasks of video, want %d", len(seen), workers*tasks/2)
			}
			all, err := c.Workers(f.ctx, "")
			must(t, err)
			if running, _ := all[0].CountTasks(); len(all) != workers || running != tasks || len(all[0].Tasks) != tasks {
				t.Errorf("%d workers, the first with %d tasks", len(all), running)
			}
			page, err := c.PageTasks(f.ctx, client.TaskQuery{Limit: 50})
			must(t, err)
			if len(page.Tasks) != 50 || page.Next == "" || page.Tasks[0].Worker != "w0000" || page.Tasks[49].Task != "w0000-049" {
				t.Errorf("the first 50: %d, next %q", len(page.Tasks), page.Next)
			}
			if kind == "nats" {
				if _, err := conn.Call(f.ctx, client.DefaultCluster, "listTasks", "all"); !errors.As(err, new(*bus.RemoteError)) {
					t.Errorf("100,000 tasks in one message: %v", err)
				}
			}
		})
	}
}
