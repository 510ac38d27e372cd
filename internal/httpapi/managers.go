package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/muster-fleet/muster/client"
)

// managers are the operations on the cluster as a whole.
func (a *api) managers() {
	register(a, operation("get-status", http.MethodGet, "/v1/status", "Cluster", "Show how the cluster, its managers and its purposes stand", Viewer, Caller), a.status)
	register(a, operation("list-managers", http.MethodGet, "/v1/managers", "Cluster", "List the managers", Viewer), a.listManagers)
	register(a, operation("get-config", http.MethodGet, "/v1/config", "Cluster", "Show the configuration in force at this server's manager, without secrets", Viewer), a.config)
	register(a, operation("get-history", http.MethodGet, "/v1/history", "Cluster", "Show load and tasks of each purpose over the last hour, as this server saw them", Viewer),
		func(context.Context, *struct{}) (ClusterHistory, error) { return a.s.history.cluster(), nil })
}

func (a *api) status(ctx context.Context, _ *struct{}) (Status, error) {
	got, err := a.s.opts.Cluster.Status(ctx)
	if err != nil {
		return Status{}, err
	}
	u := callerOf(ctx)
	servers := a.s.peers.list(time.Now())
	out := Status{
		Cluster: got.Cluster, State: got.State, Version: got.Version, StaleMs: got.StaleMillis, Evictions: got.Evictions,
		Managers: managersOf(got, servers), Purposes: append([]client.PurposeStatus{}, got.Purposes...),
		Servers: servers, Self: a.s.URL(), Manager: a.s.opts.Manager, User: u.Name, Role: string(u.Role),
	}
	return out, nil
}

// managersOf adds to each manager where its HTTP server is.
func managersOf(s client.Status, servers []Peer) []Manager {
	at := map[string]string{}
	for _, peer := range servers {
		at[peer.Manager] = peer.URL
	}
	out := []Manager{}
	for _, m := range s.Managers {
		out = append(out, Manager{Member: m, HTTP: at[m.Addr]})
	}
	return out
}

type managerList struct {
	Managers []Manager `json:"managers" nullable:"false"`
}

func (a *api) listManagers(ctx context.Context, _ *struct{}) (managerList, error) {
	got, err := a.s.opts.Cluster.Status(ctx)
	return managerList{managersOf(got, a.s.peers.list(time.Now()))}, err
}

type settingList struct {
	Settings []Setting `json:"settings" nullable:"false"`
}

func (a *api) config(context.Context, *struct{}) (settingList, error) {
	out := settingList{Settings: []Setting{}}
	if a.s.opts.Settings != nil {
		out.Settings = append(out.Settings, a.s.opts.Settings()...)
	}
	return out, nil
}

// healthz says that the server lives.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyTime bounds how long the cluster is asked whether it is ready.
const readyTime = time.Second

// readyz says whether tasks can be placed through this server: a manager leads, is in
// service, and is known to the manager beside this server. One that is cut off from the
// others can still ask their leader over the queue, but would not take over from it.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	if s.opts.Ready != nil {
		if err := s.opts.Ready(ctx); err != nil {
			problem(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
	}
	status, err := s.opts.Cluster.Status(ctx)
	why := "in-service"
	switch {
	case err != nil:
		why = err.Error()
	case status.State != why:
		why = status.State
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ready\n"))
		return
	}
	problem(w, http.StatusServiceUnavailable, "not ready: "+strings.TrimSpace(why))
}
