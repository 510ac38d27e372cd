package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// Selection is the filters and the page of a list.
type Selection struct {
	Purpose string   `query:"purpose" maxLength:"255" example:"video" doc:"Only those of this purpose."`
	Region  string   `query:"region" maxLength:"255" example:"eu" doc:"Only those of workers that serve this region."`
	Label   []string `query:"label,explode" maxItems:"64" example:"[\"gpu=a100\"]" doc:"Only those of workers with this label, as key=value; all of several."`
	Limit   int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most items of a page."`
	After   string   `query:"after" maxLength:"8192" doc:"The member next of the page before."`
}

// labels reads the filters by label.
func (s *Selection) labels() (map[string]string, error) {
	labels := map[string]string{}
	for _, text := range s.Label {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, wrongField("query.label", "must be key=value", text)
		}
		labels[key] = value
	}
	return labels, nil
}

// workersPage is a part of the list.
type workersPage struct {
	Workers []Worker `json:"workers" nullable:"false"`
	Next    string   `json:"next,omitempty" doc:"The parameter after for the next page. Only a page without it is the last, however few it lists."`
}

// WorkerPath names a worker.
type WorkerPath struct {
	ID string `path:"id" minLength:"1" maxLength:"255" doc:"The worker's id."`
}

// workers are the operations on workers and their nodes.
func (a *api) workers() {
	register(a, operation("list-workers", http.MethodGet, "/v1/workers", "Workers", "List the workers by purpose and id", Viewer), a.listWorkers)
	register(a, operation("get-worker", http.MethodGet, "/v1/workers/{id}", "Workers", "Show everything about a worker", Viewer, Caller), a.getWorker)
	register(a, operation("get-worker-history", http.MethodGet, "/v1/workers/{id}/history", "Workers", "Show the load of a worker over the last hour, as this server saw it", Viewer),
		func(_ context.Context, in *WorkerPath) (WorkerHistory, error) { return a.s.history.worker(in.ID), nil })
	register(a, operation("list-nodes", http.MethodGet, "/v1/workers/{id}/nodes", "Workers", "List the nodes of an agent, the oldest first", Viewer), a.listNodes)
	register(a, operation("read-log", http.MethodGet, "/v1/workers/{id}/nodes/{node}/log", "Workers", "Read what a node printed", Viewer), a.readLog)
}

func (a *api) listWorkers(ctx context.Context, in *struct {
	Selection
	Status string `query:"state" enum:"ready,full,draining,cordoned,not-ready,initializing" doc:"Only those with this status."`
}) (workersPage, error) {
	labels, err := in.labels()
	if err != nil {
		return workersPage{}, err
	}
	got, err := a.s.opts.Cluster.PageWorkers(ctx, client.WorkerQuery{
		Purpose: in.Purpose, State: in.Status, Region: in.Region, Labels: labels, Limit: in.Limit, After: in.After,
	})
	out := workersPage{Workers: make([]Worker, 0, len(got.Workers)), Next: got.Next}
	for _, w := range got.Workers {
		out.Workers = append(out.Workers, workerOf(w))
	}
	return out, err
}

func (a *api) getWorker(ctx context.Context, in *WorkerPath) (WorkerDetail, error) {
	got, err := a.s.opts.Cluster.PageWorkers(ctx, client.WorkerQuery{ID: in.ID, Names: true, Limit: 1})
	if err != nil {
		return WorkerDetail{}, err
	}
	if len(got.Workers) == 0 {
		return WorkerDetail{}, newProblem(http.StatusNotFound, "unknown-worker", muster.ReasonNoWorker(in.ID).Text)
	}
	w := got.Workers[0]
	out := WorkerDetail{Worker: workerOf(w), Tasks: append([]string{}, w.Tasks...), ReservedTasks: append([]string{}, w.Reserved...)}
	return out, json.Unmarshal(w.Info.Raw, &out.Info)
}

// Node is a process, or a part of the agent's own, that does tasks.
type Node struct {
	ID           string   `json:"node"`
	PID          int      `json:"pid" doc:"0 where it has no process of its own."`
	State        string   `json:"state" enum:"starting,idle,busy,stopping"`
	Room         string   `json:"room"`
	Tasks        []string `json:"tasks" nullable:"false"`
	Status       string   `json:"status" doc:"What it last said of itself."`
	StartedMsAgo int64    `json:"started_ms_ago"`
}

type nodeList struct {
	Nodes []Node `json:"nodes" nullable:"false"`
}

func (a *api) listNodes(ctx context.Context, in *WorkerPath) (nodeList, error) {
	nodes, err := a.s.opts.Cluster.Nodes(ctx, in.ID)
	out := nodeList{Nodes: []Node{}}
	if errors.Is(err, client.ErrUnsupported) {
		return out, nil // a worker that is no agent
	}
	for _, n := range nodes {
		out.Nodes = append(out.Nodes, Node{n.ID, n.PID, string(n.State), n.Room, append([]string{}, n.Tasks...), n.Status, n.AgeMillis})
	}
	return out, err
}

func (a *api) readLog(ctx context.Context, in *struct {
	WorkerPath
	Node   string `path:"node" minLength:"1" maxLength:"512"`
	Offset int64  `query:"offset" doc:"Where to read from, in bytes; negative counts from the end."`
}) (muster.LogPart, error) {
	return a.s.opts.Cluster.ReadLog(ctx, in.ID, in.Node, in.Offset)
}
