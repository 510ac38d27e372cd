package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/muster-fleet/muster/bus"
)

// headerStale says how old an answer is that was given while no manager leads.
const headerStale = "Muster-Stale-Ms"

// maxBody bounds the body of a request: a preference, and what is around it.
const maxBody = 64 << 10

// api is the operations under /v1.
type api struct {
	huma.API
	s *Server
}

// newAPI registers every operation. They describe themselves: the document at
// /v1/openapi.json is made of the same values that decode and check requests.
func newAPI(mux *http.ServeMux, s *Server) *api {
	cfg := huma.DefaultConfig("Muster", s.version())
	cfg.Info.Description = "See the fleet and steer it. Times are milliseconds since 1970, loads are shares from 0 to 1. " +
		"Without tokens every client may do everything; with them each operation names the roles that may call it. " +
		"While no manager leads, reads are answered from the last state with the header " + headerStale + "."
	cfg.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	cfg.Servers = []*huma.Server{{URL: "/", Description: "The server that this description is of, or any other one of the cluster."}}
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "/v1/openapi", "", ""
	cfg.CreateHooks = nil // no $schema members in answers
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "A token of `muster auth add`. None is needed where the server asks for none."},
	}
	cfg.RejectUnknownQueryParameters = true
	a := &api{API: humago.New(mux, cfg), s: s}
	a.UseMiddleware(a.guard, a.noteStale)
	a.workers()
	a.tasks()
	a.managers()
	a.operate()
	a.rooms()
	a.events()
	return a
}

// operation is what all operations have in common.
func operation(id, method, path, tag, summary string, roles ...Role) huma.Operation {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary,
		Description: "Roles: " + strings.Join(names, ", ") + ", and those that include them.",
		Security:    []map[string][]string{{}, {"token": {}}},
		Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity,
			http.StatusTooManyRequests, http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusGatewayTimeout},
		MaxBodyBytes: maxBody, BodyReadTimeout: readTime,
		RejectUnknownQueryParameters: true,
		Metadata:                     map[string]any{"roles": roles},
	}
}

// guard refuses callers without the role.
func (a *api) guard(ctx huma.Context, next func(huma.Context)) {
	roles, _ := ctx.Operation().Metadata["roles"].([]Role)
	if u := callerOf(ctx.Context()); !u.Role.may(roles...) {
		a.s.measures.denied.Inc()
		p := newProblem(http.StatusForbidden, "denied", denied(u, roles))
		ctx.SetHeader("Content-Type", "application/problem+json")
		ctx.SetStatus(p.Status)
		_ = a.Marshal(ctx.BodyWriter(), "application/json", p)
		return
	}
	next(ctx)
}

// noteStale says beside an answer that it is an old one.
func (a *api) noteStale(ctx huma.Context, next func(huma.Context)) {
	next(huma.WithContext(ctx, bus.OnStale(ctx.Context(), func(age time.Duration) {
		ctx.SetHeader(headerStale, strconv.FormatInt(age.Milliseconds(), 10))
	})))
}

// ask bounds what f asks of the cluster, and puts its error into HTTP's words.
func (a *api) ask(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.s.opts.CallTime)
	defer cancel()
	return understand(f(ctx))
}

// body is an answer without headers of its own.
type body[T any] struct{ Body T }

// register adds an operation that asks the cluster and answers what it got.
func register[In, Out any](a *api, op huma.Operation, f func(context.Context, *In) (Out, error)) {
	huma.Register(a.API, op, func(ctx context.Context, in *In) (*body[Out], error) {
		var out body[Out]
		err := a.ask(ctx, func(ctx context.Context) (err error) {
			out.Body, err = f(ctx, in)
			return err
		})
		if err != nil {
			return nil, err
		}
		return &out, nil
	})
}
