package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

// heardLately is from when on a worker's silence is worth a look: workers send a sign
// of life every few seconds.
const heardLately = 5 * time.Second

// heard is when a worker was heard last, such as "3s ago". A worker that died reads as
// ready until it is evicted: a silence is marked.
func heard(w muster.Worker) string {
	if w.HeardMillis == nil {
		return "-"
	}
	silence := time.Duration(*w.HeardMillis) * time.Millisecond
	text := ago(silence) + " ago"
	if silence > heardLately {
		text += " !"
	}
	return text
}

// stateOf is a worker's state for people, with what is left of a drain.
func stateOf(w muster.Worker) string {
	if w.Drain == 0 {
		return w.Status()
	}
	running, reserved := w.CountTasks()
	return fmt.Sprintf("DRAINING (%d left)", running+reserved)
}

// wholeWorker is everything about a worker, as JSON.
type wholeWorker struct {
	muster.Worker
	Drained *muster.Drain `json:"drained,omitempty"`
	Placed  []client.Task `json:"placed"`
	Nodes   []muster.Node `json:"nodes,omitempty"`
}

// showWorker prints everything about a worker.
func (a *asking) showWorker(id string) error {
	return show(a, func(ctx context.Context, c *client.Client) (*wholeWorker, error) { return findWorker(ctx, c, id) }, printWholeWorker)
}

func findWorker(ctx context.Context, c *client.Client, id string) (*wholeWorker, error) {
	found, err := firstOf(c.EachWorker(ctx, client.WorkerQuery{ID: id, Limit: 1}), 1)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no worker has the id %q: 'muster workers' lists them", id)
	}
	whole := &wholeWorker{Worker: found[0]}
	whole.Placed, err = firstOf(c.EachTask(ctx, client.TaskQuery{Worker: id, Limit: client.MaxPage}), 0)
	if err != nil {
		return nil, err
	}
	if whole.Drain != 0 {
		d, err := c.DrainByID(ctx, whole.Drain)
		if err != nil && !errors.Is(err, client.ErrNoDrain) {
			return nil, err
		}
		d.Members = nil
		whole.Drained = &d
	}
	if nodes, err := c.Nodes(ctx, id); err == nil { // else it is no agent, or away
		whole.Nodes = nodes
	}
	return whole, nil
}

func printWholeWorker(p *cli.Page, x *wholeWorker) {
	lines := [][2]string{
		{"worker", x.ID}, {"purpose", x.Purpose}, {"state", stateOf(x.Worker)}, {"last heard", heard(x.Worker)},
		{"load", fmt.Sprintf("%s, debit %s, limit %s", percent(x.Load), percent(x.Debit), percent(x.Info.MaxLoad))},
		{"tasks", taskCount(x.Worker)}, {"serves", serves(x.Info)}, {"host", hostOf(x.Info)},
	}
	if x.Drained != nil {
		lines = append(lines, [2]string{"drain", drainLine(*x.Drained) + ", by " + by(x.Drained.By)})
	}
	t := cli.Table{Heading: []string{lines[0][0], lines[0][1]}}
	for _, line := range lines[1:] {
		if line[1] != "" {
			t.Add(line[0], line[1])
		}
	}
	p.Table(t)
	printPlaced(p, x.Placed)
	if len(x.Nodes) > 0 {
		p.Linef("")
		printNodes(p, x.Nodes)
	}
}

func hostOf(info muster.Info) string {
	text := strings.TrimSpace(info.Hostname + " " + info.IP)
	if info.Port != 0 {
		text += fmt.Sprintf(":%d", info.Port)
	}
	return text
}

func printPlaced(p *cli.Page, tasks []client.Task) {
	if len(tasks) == 0 {
		return
	}
	p.Linef("")
	t := cli.Table{Heading: []string{"TASK", "STATE", "PLACEMENT", "HELD FOR"}}
	for _, task := range tasks {
		held := "-"
		if task.State == client.TaskReserved {
			held = ago(time.Until(task.Until.Time()))
		}
		t.Add(task.Task, string(task.State), fmt.Sprint(task.Placement), held)
	}
	p.Table(t)
}
