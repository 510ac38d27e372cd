package client_test

import (
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

func TestPages(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("listTasks", data(`{"tasks":[{"task":"a"},{"task":"b"}],"next":"x"}`), data(`{"tasks":[],"next":"y"}`), data(`{"tasks":[{"task":"c"}]}`))
	got := ""
	for task, err := range c.EachTask(within(t), client.TaskQuery{Purpose: "video", State: client.TaskReserved, Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got += task.Task
	}
	if got != "abc" || m.last() != `listTasks "video" {"state":"reserved","limit":2,"after":"y"}` {
		t.Errorf("got %s, and sent %s last", got, m.last())
	}
	m.on("listWorkers", data(`{"workers":[{"id":"w1","state":2,"load":0,"running_count":7,"info":{}}],"next":"x"}`))
	page, err := c.PageWorkers(within(t), client.WorkerQuery{Labels: map[string]string{"gpu": "a100"}})
	if err != nil || page.Next != "x" || len(page.Workers) != 1 || m.last() != `listWorkers "all" {"labels":{"gpu":"a100"}}` {
		t.Errorf("%+v, %v; sent %s", page, err, m.last())
	}
	if running, reserved := page.Workers[0].CountTasks(); running != 7 || reserved != 0 || page.Workers[0].Status() != muster.StateReady.String() {
		t.Errorf("%+v", page.Workers[0])
	}
}

// An older manager ignores the query, and answers everything.
func TestPagesOfAnOlderManager(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("listTasks", data(` [{"task":"a"},{"task":"b"}]`))
	page, err := c.PageTasks(within(t), client.TaskQuery{})
	if err != nil || len(page.Tasks) != 2 || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestPagesEndWithTheFirstError(t *testing.T) {
	c, m := talking(t, client.Options{})
	m.on("listWorkers", data(`{"workers":[{"id":"w1","info":{}}],"next":"x"}`), fail("no more"))
	var ids []string
	var last error
	for w, err := range c.EachWorker(within(t), client.WorkerQuery{}) {
		if last = err; err == nil {
			ids = append(ids, w.ID)
		}
	}
	if len(ids) != 1 || last == nil {
		t.Errorf("got %v, then %v", ids, last)
	}
}
