package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/httpapi"
)

// event is one of the stream.
type event struct{ id, name, data string }

// watch follows the events of a server until the test ends or stop is called.
func (c *cluster) watch(server *httpapi.Server, query, after string) (events <-chan event, stop func()) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL()+"/v1/events"+query, nil)
	must(c.t, err)
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(req)
	must(c.t, err)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		c.t.Fatalf("the stream: %d %s", res.StatusCode, res.Header)
	}
	out, ended := make(chan event, 10_000), make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		for e := (event{}); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					out <- e
				}
				e = event{}
			}
		}
	}()
	stop = func() { cancel(); <-ended }
	c.t.Cleanup(stop)
	return out, stop
}

// await returns the first event that is meant, and those before it that have an id.
func (c *cluster) await(events <-chan event, meant func(event) bool) (found event, before []event) {
	c.t.Helper()
	for {
		select {
		case e := <-events:
			if meant(e) {
				return e, before
			}
			if e.id != "" {
				before = append(before, e)
			}
		case <-c.ctx.Done():
			c.t.Fatalf("in vain; before: %v", before)
		}
	}
}

func about(name, task string) func(event) bool {
	return func(e event) bool {
		var data struct{ Task string }
		return e.name == name && json.Unmarshal([]byte(e.data), &data) == nil && data.Task == task
	}
}

func (c *cluster) place(task string) {
	c.t.Helper()
	_, err := c.client.Schedule(c.ctx, client.Request{Purpose: "video", Task: task})
	must(c.t, err)
}

// A stream goes on where it was, at whichever server; where it cannot, it says so.
func TestEvents(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	other := c.serve(httpapi.Options{})
	c.worker("video", "w", map[string]any{})
	events, stop := c.watch(c.server, "", "")
	c.await(events, func(e event) bool { return e.name == "hello" })
	c.place("a")
	seen, _ := c.await(events, about("task.placed", "a"))
	c.place("b")
	c.place("c")
	c.await(events, about("task.placed", "c"))
	stop()
	for name, server := range map[string]*httpapi.Server{"the same server": c.server, "another server": other} {
		t.Run(name, func(t *testing.T) {
			events, stop := c.watch(server, "", seen.id)
			defer stop()
			_, before := c.await(events, about("task.placed", "c"))
			if len(before) != 1 || !about("task.placed", "b")(before[0]) {
				t.Errorf("after %s, before c: %v, want b alone", seen.id, before)
			}
		})
	}
	events, stop = c.watch(c.server, "", "7.0-1")
	c.await(events, func(e event) bool { return e.name == "reset" })
	stop()
	events, _ = c.watch(c.server, "?recent=1", "")
	if _, before := c.await(events, about("task.placed", "c")); len(before) > 0 {
		t.Errorf("before the last event: %v", before)
	}
	story := get[struct {
		Events []struct{ Type, Worker string }
	}](c, "/v1/tasks/video/a/story")
	if len(story.Events) != 1 || story.Events[0].Type != "task.placed" || story.Events[0].Worker != "w" {
		t.Errorf("the story of a: %+v", story)
	}
}

// The loads that workers report come as they are.
func TestLoadsAreStreamed(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	c.worker("video", "w", map[string]any{})
	events, _ := c.watch(c.server, "", "")
	c.await(events, func(e event) bool { return e.name == "hello" })
	c.call("reportLoad", "w", 0.625)
	c.await(events, func(e event) bool { return e.name == "loads" && strings.Contains(e.data, `"w":0.625`) })
}
