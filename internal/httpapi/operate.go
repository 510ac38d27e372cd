package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// Selector says which workers an order is for: those that meet every member that is
// set.
type Selector struct {
	Worker  string            `json:"worker,omitempty" maxLength:"255"`
	Purpose string            `json:"purpose,omitempty" maxLength:"255" example:"video"`
	Region  string            `json:"region,omitempty" maxLength:"255"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// DrainOrder is the order to drain workers.
type DrainOrder struct {
	Selector   Selector `json:"selector"`
	Sticky     bool     `json:"sticky,omitempty" doc:"Also workers that join later and match."`
	DeadlineMs int64    `json:"deadline_ms,omitempty" minimum:"0" doc:"After how long the policy applies; 0 is never."`
	Policy     string   `json:"policy,omitempty" enum:"wait,hand-back,end" doc:"What becomes of tasks that are left at the deadline."`
	Force      bool     `json:"force,omitempty" doc:"Also the last workers of a purpose."`
}

// Drain is a drain and how far it is.
type Drain struct {
	ID         uint64          `json:"id"`
	Title      string          `json:"title" doc:"The selector in words."`
	Selector   Selector        `json:"selector"`
	Sticky     bool            `json:"sticky"`
	Policy     string          `json:"policy" enum:"wait,hand-back,end"`
	Forced     bool            `json:"forced"`
	By         muster.Operator `json:"by"`
	State      string          `json:"state" enum:"draining,empty,called-off,over"`
	Since      int64           `json:"since"`
	Deadline   int64           `json:"deadline" doc:"0: none."`
	Overdue    bool            `json:"overdue"`
	Emptied    int64           `json:"emptied" doc:"0: not yet."`
	Ended      int64           `json:"ended" doc:"0: not yet."`
	Left       int             `json:"left" doc:"Tasks on its workers."`
	Total      int             `json:"total" doc:"Tasks that were on each worker when it was included."`
	Lost       int             `json:"lost" doc:"Tasks that its workers had when they left the cluster: these did not end."`
	EstimateMs int64           `json:"estimate_ms" doc:"In how long it will probably be empty; -1: too few tasks have ended to say."`
	Workers    int             `json:"workers"`
	Members    []DrainMember   `json:"members,omitempty" doc:"The workers, in the answer for one drain only."`
}

// DrainMember is a worker in a drain.
type DrainMember struct {
	ID       string `json:"id"`
	Purpose  string `json:"purpose"`
	Running  int    `json:"running"`
	Reserved int    `json:"reserved"`
	Total    int    `json:"total"`
	Gone     int64  `json:"gone" doc:"Since when it is not in the cluster, 0 while it is."`
}

func drainOf(d muster.Drain) Drain {
	out := Drain{
		ID: d.ID, Title: d.Selector.String(), Selector: Selector(d.Selector), Sticky: d.Sticky, Policy: string(d.Policy), Forced: d.Forced, By: d.By,
		State: string(d.State), Since: int64(d.Since), Deadline: int64(d.Deadline), Overdue: d.Overdue, Emptied: int64(d.Emptied), Ended: int64(d.Ended),
		Left: d.Left, Total: d.Total, Lost: d.Lost, EstimateMs: d.EstimateMillis, Workers: d.Workers,
	}
	for _, m := range d.Members {
		out.Members = append(out.Members, DrainMember{m.ID, m.Purpose, m.Running, m.Reserved, m.Total, int64(m.Gone)})
	}
	return out
}

// operator is the caller as the audit records it.
func operator(ctx context.Context) muster.Operator {
	u := callerOf(ctx)
	name := u.Name
	if name == "" {
		name = "http"
	}
	return muster.Operator{Name: name, From: u.From}
}

type drainList struct {
	Drains []Drain `json:"drains" nullable:"false" doc:"Those in force and the last that ended, by number."`
}

type drainPath struct {
	ID uint64 `path:"id"`
}

type auditPage struct {
	Entries []muster.AuditEntry `json:"entries" nullable:"false" doc:"The oldest first."`
}

type workerIDs struct {
	Workers []string `json:"workers" nullable:"false" doc:"Ids of the workers that were selected."`
}

// operate are the operations that steer the cluster. Each is recorded in the audit.
func (a *api) operate() {
	register(a, operation("list-drains", http.MethodGet, "/v1/drains", "Drains", "List the drains and how far they are", Viewer), a.listDrains)
	register(a, operation("get-drain", http.MethodGet, "/v1/drains/{id}", "Drains", "Show a drain with its workers", Viewer), a.getDrain)
	drain := operation("drain", http.MethodPost, "/v1/drains", "Drains", "Keep new tasks from workers until those they have are done", Operator)
	drain.Description = "Refused with 409 and code last-workers where a purpose would be left without a worker, unless forced. " + drain.Description
	drain.Errors = append(drain.Errors, http.StatusConflict)
	register(a, drain, a.drain)
	register(a, operation("call-drain-off", http.MethodDelete, "/v1/drains/{id}", "Drains", "Call a drain off: its workers take tasks again", Operator), a.callOff)
	cordon := operation("cordon", http.MethodPut, "/v1/workers/{id}/cordon", "Workers", "Keep new tasks from a worker", Operator)
	cordon.Errors = append(cordon.Errors, http.StatusConflict)
	register(a, cordon, a.cordon)
	register(a, operation("uncordon", http.MethodDelete, "/v1/workers/{id}/cordon", "Workers", "Let a worker have tasks again", Operator), a.uncordon)
	strategy := operation("set-strategy", http.MethodPut, "/v1/purposes/{purpose}/strategy", "Cluster", "Choose the strategy of a purpose, until it is changed again", Operator)
	strategy.DefaultStatus = http.StatusNoContent
	huma.Register(a.API, strategy, a.setStrategy)
	register(a, operation("read-audit", http.MethodGet, "/v1/audit", "Cluster", "List what operators changed", Viewer), a.audit)
}

func (a *api) listDrains(ctx context.Context, _ *struct{}) (drainList, error) {
	got, err := a.s.opts.Cluster.Drains(ctx)
	out := drainList{Drains: []Drain{}}
	for _, d := range got {
		out.Drains = append(out.Drains, drainOf(d))
	}
	return out, err
}

func (a *api) getDrain(ctx context.Context, in *drainPath) (Drain, error) {
	d, err := a.s.opts.Cluster.DrainByID(ctx, in.ID)
	return drainOf(d), err
}

func (a *api) drain(ctx context.Context, in *struct{ Body DrainOrder }) (Drain, error) {
	o := in.Body
	order := muster.DrainOrder{
		Selector: muster.Selector(o.Selector), Sticky: o.Sticky, DeadlineMillis: o.DeadlineMs, Policy: muster.DrainPolicy(o.Policy), Force: o.Force, By: operator(ctx),
	}
	if err := order.Check(); err != nil {
		return Drain{}, wrongMember(err)
	}
	d, err := a.s.opts.Cluster.Drain(ctx, order)
	return drainOf(d), err
}

func (a *api) callOff(ctx context.Context, in *drainPath) (Drain, error) {
	d, err := a.s.opts.Cluster.Undrain(ctx, client.Undrain{Drain: in.ID, By: operator(ctx)})
	return drainOf(d), err
}

func (a *api) cordon(ctx context.Context, in *struct {
	WorkerPath
	Force bool `query:"force" doc:"Also the last worker of a purpose."`
}) (workerIDs, error) {
	ids, err := a.s.opts.Cluster.Cordon(ctx, client.Cordon{Selector: muster.Selector{Worker: in.ID}, Force: in.Force, By: operator(ctx)})
	return workerIDs{append([]string{}, ids...)}, err
}

func (a *api) uncordon(ctx context.Context, in *WorkerPath) (workerIDs, error) {
	ids, err := a.s.opts.Cluster.Uncordon(ctx, client.Cordon{Selector: muster.Selector{Worker: in.ID}, By: operator(ctx)})
	return workerIDs{append([]string{}, ids...)}, err
}

type strategyOrder struct {
	Purpose string `path:"purpose" minLength:"1" maxLength:"255"`
	Body    struct {
		Strategy string `json:"strategy" enum:"least-used,most-used,last-used,round-robin,randomly-pick,weight-robin,two-choices,configured" doc:"configured leaves it to the managers' configuration again."`
	}
}

func (a *api) setStrategy(ctx context.Context, in *strategyOrder) (*struct{}, error) {
	strategy := muster.Strategy(in.Body.Strategy)
	if strategy == "configured" {
		strategy = ""
	}
	return nil, a.ask(ctx, func(ctx context.Context) error {
		return a.s.opts.Cluster.SetStrategy(ctx, client.SetStrategy{Purpose: in.Purpose, Strategy: strategy, By: operator(ctx)})
	})
}

func (a *api) audit(ctx context.Context, in *struct {
	After uint64 `query:"after" doc:"Only entries with higher numbers."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}) (auditPage, error) {
	got, err := a.s.opts.Cluster.Audit(ctx, in.After, in.Limit)
	return auditPage{append([]muster.AuditEntry{}, got...)}, err
}
