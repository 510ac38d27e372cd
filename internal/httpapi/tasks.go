package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

type tasksPage struct {
	Tasks []Task `json:"tasks" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"The parameter after for the next page. Only a page without it is the last, however few it lists."`
}

// TaskPath names a task.
type TaskPath struct {
	Purpose string `path:"purpose" minLength:"1" maxLength:"255"`
	Task    string `path:"task" minLength:"1" maxLength:"1024" doc:"The task's name; / in it is %2F."`
}

// Placement is a worker given to a task.
type Placement struct {
	Purpose string `json:"purpose"`
	Task    string `json:"task"`
	Worker  string `json:"worker"`
	Number  uint64 `json:"placement" doc:"Unique number of the placement; later ones have higher numbers."`
	Info    any    `json:"info" doc:"What the worker said when it joined, unchanged."`
}

// Order asks for a worker.
type Order struct {
	Purpose    string         `json:"purpose" minLength:"1" maxLength:"255" example:"video"`
	Task       string         `json:"task" minLength:"1" maxLength:"1024" example:"mix-1" doc:"Unique within its purpose. The same name again gets the same worker."`
	Region     string         `json:"region,omitempty" maxLength:"255"`
	ISP        string         `json:"isp,omitempty" maxLength:"255"`
	Preference map[string]any `json:"preference,omitempty" doc:"What else is asked of the worker: labels, video, algorithm, origin."`
	ReserveMs  int64          `json:"reserve_ms,omitempty" minimum:"0" maximum:"86400000" doc:"How long the worker is held until it picks the task up; 0 is the cluster's default."`
}

// tasks are the operations on tasks and placements.
func (a *api) tasks() {
	register(a, operation("list-tasks", http.MethodGet, "/v1/tasks", "Tasks", "List the tasks by purpose, worker and name", Viewer, Caller), a.listTasks)
	register(a, operation("get-task", http.MethodGet, "/v1/tasks/{purpose}/{task}", "Tasks", "Show where a task is", Viewer, Caller), a.getTask)
	register(a, operation("explain-task", http.MethodGet, "/v1/tasks/{purpose}/{task}/why", "Tasks", "Explain the last decision on a task, also on one that was refused", Viewer, Caller), a.why)
	register(a, operation("get-task-story", http.MethodGet, "/v1/tasks/{purpose}/{task}/story", "Tasks", "List what happened to a task, as far as this server remembers", Viewer, Caller), a.story)
	place := operation("place-task", http.MethodPost, "/v1/placements", "Placements", "Ask for a worker for a task", Caller)
	place.Errors = append(place.Errors, http.StatusConflict)
	place.Description = "Idempotent by the task's name: a task that is placed gets the worker that it has, and a reservation at least as long as before. " +
		"409 with code no-worker says why there is none. " + place.Description
	register(a, place, a.place)
	release := operation("release-task", http.MethodDelete, "/v1/placements/{purpose}/{task}", "Placements", "Give a placement up", Caller)
	release.DefaultStatus = http.StatusNoContent
	release.Description = "A task that runs already goes on, and is forgotten when its worker lays it down. " + release.Description
	huma.Register(a.API, release, a.release)
}

func (a *api) listTasks(ctx context.Context, in *struct {
	Selection
	Task   string `query:"task" maxLength:"1024" doc:"Only the one with this name."`
	Worker string `query:"worker" maxLength:"255" doc:"Only those on this worker."`
	State  string `query:"state" enum:"reserved,running" doc:"Only those in this state."`
}) (tasksPage, error) {
	labels, err := in.labels()
	if err != nil {
		return tasksPage{}, err
	}
	got, err := a.s.opts.Cluster.PageTasks(ctx, client.TaskQuery{
		Purpose: in.Purpose, Task: in.Task, Worker: in.Worker, State: client.TaskState(in.State), Region: in.Region, Labels: labels, Limit: in.Limit, After: in.After,
	})
	out := tasksPage{Tasks: make([]Task, 0, len(got.Tasks)), Next: got.Next}
	for _, t := range got.Tasks {
		out.Tasks = append(out.Tasks, taskOf(t))
	}
	return out, err
}

// task asks where a task is.
func (a *api) task(ctx context.Context, p TaskPath) (client.Task, error) {
	got, err := a.s.opts.Cluster.PageTasks(ctx, client.TaskQuery{Purpose: p.Purpose, Task: p.Task, Limit: 1})
	if err == nil && len(got.Tasks) == 0 {
		err = client.ErrNoTask
	}
	if err != nil {
		return client.Task{}, err
	}
	return got.Tasks[0], nil
}

func (a *api) getTask(ctx context.Context, in *TaskPath) (Task, error) {
	t, err := a.task(ctx, *in)
	return taskOf(t), err
}

func (a *api) why(ctx context.Context, in *TaskPath) (Explanation, error) {
	why, err := a.s.opts.Cluster.Why(ctx, in.Purpose, in.Task)
	return explanationOf(why), err
}

func (a *api) place(ctx context.Context, in *struct{ Body Order }) (Placement, error) {
	o := in.Body
	r := client.Request{Purpose: o.Purpose, Task: o.Task, Region: o.Region, ISP: o.ISP, Reserve: time.Duration(o.ReserveMs) * time.Millisecond}
	if err := o.check(); err != nil {
		return Placement{}, err
	}
	if o.Preference != nil {
		r.Preference = o.Preference
	}
	p, err := a.s.opts.Cluster.Schedule(ctx, r)
	if err != nil {
		return Placement{}, err
	}
	out := Placement{Purpose: p.Purpose, Task: p.Task, Worker: p.Worker, Number: p.Number}
	return out, json.Unmarshal(p.Info, &out.Info)
}

// check names the member that is wrong.
func (o *Order) check() error {
	for _, name := range []struct {
		member, value string
		most          int
	}{{"purpose", o.Purpose, muster.MaxName}, {"task", o.Task, muster.MaxTask}} {
		if err := muster.CheckName(name.value, name.most); err != nil {
			return wrongField("body."+name.member, err.Error(), name.value)
		}
	}
	raw, err := json.Marshal(o.Preference)
	if err == nil {
		err = muster.CheckPreference(raw)
	}
	if err == nil {
		_, err = muster.ParsePreference(raw)
	}
	if err != nil {
		return wrongMember(err)
	}
	return nil
}

func (a *api) release(ctx context.Context, in *struct {
	TaskPath
	Placement uint64 `query:"placement" doc:"Only the placement with this number; without it, whatever placement the task has."`
}) (*struct{}, error) {
	err := a.ask(ctx, func(ctx context.Context) error {
		t, err := a.task(ctx, in.TaskPath)
		if err != nil {
			return err
		}
		return a.s.opts.Cluster.Release(ctx, muster.Placement{Purpose: t.Purpose, Task: t.Task, Worker: t.Worker, Number: in.Placement})
	})
	return nil, err
}

type taskStory struct {
	Events []Event `json:"events" nullable:"false" doc:"What happened, the oldest first."`
}

func (a *api) story(_ context.Context, in *TaskPath) (taskStory, error) {
	out := taskStory{Events: []Event{}}
	for _, raw := range a.s.hub.story(in.Purpose, in.Task) {
		var e Event
		if err := json.Unmarshal(raw, &e); err != nil {
			return out, err
		}
		out.Events = append(out.Events, e)
	}
	return out, nil
}
