package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Title  string `json:"title" example:"Unprocessable Entity"`
	Status int    `json:"status" example:"422"`
	Detail string `json:"detail" doc:"What is wrong, in words."`
	Code   string `json:"code" example:"invalid" doc:"The kind of problem, for programs: invalid, no-worker, no-task, no-drain, none-selected, last-workers, unknown-worker, unknown-purpose, not-ready, no-cluster, timeout, overloaded, unsupported, refused, denied, or http where only the status says something."`
	// Errors are the fields that are wrong.
	Errors []*huma.ErrorDetail `json:"errors,omitempty" doc:"The fields that are wrong, where it is a matter of fields."`
	// Why explains a task that was not placed.
	Why *Explanation `json:"why,omitempty" doc:"Why a task was not placed."`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is what huma answers with.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes it problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, code, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

func init() {
	// huma makes its own errors by this variable: the ones about a request's fields.
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		code := "http"
		if status == http.StatusUnprocessableEntity || status == http.StatusBadRequest {
			code = "invalid"
		}
		p := newProblem(status, code, detail)
		for _, err := range errs {
			if err == nil {
				continue
			}
			field := &huma.ErrorDetail{Message: err.Error()}
			if detailed, ok := err.(huma.ErrorDetailer); ok {
				field = detailed.ErrorDetail()
			}
			p.Errors = append(p.Errors, field)
		}
		if len(p.Errors) > 0 && p.Errors[0].Location != "" {
			p.Detail += ": " + p.Errors[0].Location + ": " + p.Errors[0].Message
		}
		return p
	}
}

// wrongField is the problem of a field of a request.
func wrongField(location, message string, value any) *Problem {
	p := newProblem(http.StatusUnprocessableEntity, "invalid", location+": "+message)
	p.Errors = []*huma.ErrorDetail{{Message: message, Location: location, Value: value}}
	return p
}

// wrongMember is the problem of a member of the body, which an error names first.
func wrongMember(err error) *Problem {
	member, message, _ := strings.Cut(err.Error(), " ")
	return wrongField("body."+strings.TrimSuffix(member, ":"), message, nil)
}

// argument is how a manager refuses a request with an argument, or a member of one, that
// is wrong.
var argument = regexp.MustCompile(`^\w+: argument \d+ \((\S+)\) (?:is refused: (\S+) )?(.+)$`)

// problem writes an error outside of the API's operations.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	code := "http"
	if status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusMisdirectedRequest {
		code = "denied"
	}
	_ = json.NewEncoder(w).Encode(newProblem(status, code, detail))
}

// kinds are the errors of the client, with what they are over HTTP.
var kinds = []struct {
	err    error
	status int
	code   string
}{
	{client.ErrNoTask, http.StatusNotFound, "no-task"},
	{client.ErrUnknownWorker, http.StatusNotFound, "unknown-worker"},
	{client.ErrInvalidPurpose, http.StatusNotFound, "unknown-purpose"},
	{client.ErrNoScheduler, http.StatusNotFound, "unknown-purpose"},
	{client.ErrNoDrain, http.StatusNotFound, "no-drain"},
	{client.ErrNoneSelected, http.StatusNotFound, "none-selected"},
	{client.ErrLastWorkers, http.StatusConflict, "last-workers"},
	{client.ErrNotReady, http.StatusServiceUnavailable, "not-ready"},
	{client.ErrOverloaded, http.StatusServiceUnavailable, "overloaded"},
	{client.ErrUnsupported, http.StatusNotImplemented, "unsupported"},
	{client.ErrPlacementOver, http.StatusConflict, "refused"},
	{bus.ErrNoServer, http.StatusServiceUnavailable, "no-cluster"},
	{bus.ErrDisconnected, http.StatusServiceUnavailable, "no-cluster"},
	{bus.ErrBlocked, http.StatusServiceUnavailable, "no-cluster"},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, "timeout"},
}

// understand turns an error of the cluster into a Problem.
func understand(err error) error {
	var own *Problem
	if err == nil || errors.As(err, &own) {
		return err
	}
	var none *client.NoWorkerError
	if errors.As(err, &none) {
		p := newProblem(http.StatusConflict, "no-worker", none.Error())
		if none.Explanation != nil {
			why := explanationOf(*none.Explanation)
			p.Why = &why
		}
		return p
	}
	var refused *bus.RemoteError
	for _, kind := range kinds {
		if errors.Is(err, kind.err) {
			detail := err.Error()
			switch {
			case errors.As(err, &refused):
				detail = refused.Reason
			case kind.code == "timeout":
				detail = "no answer in time: GET /v1/status says whether a manager leads"
			}
			return newProblem(kind.status, kind.code, detail)
		}
	}
	if errors.As(err, &refused) {
		if wrong := argument.FindStringSubmatch(refused.Reason); wrong != nil {
			return wrongField(cmp.Or(wrong[2], wrong[1]), wrong[3], nil)
		}
		return newProblem(http.StatusConflict, "refused", refused.Reason)
	}
	return newProblem(http.StatusUnprocessableEntity, "invalid", err.Error())
}

// explanationOf is an explanation as the API has it.
func explanationOf(e muster.Explanation) Explanation {
	out := Explanation{
		Purpose: e.Purpose, Task: e.Task, At: int64(e.At), Strategy: string(e.Strategy), Workers: e.Workers,
		Excluded: []Exclusion{}, Candidates: e.Candidates, Others: []Candidate{}, Ignored: append([]string{}, e.Ignored...), Reason: e.Reason,
	}
	for rule, n := range e.Excluded {
		if n > 0 {
			out.Excluded = append(out.Excluded, Exclusion{Rule: muster.Rule(rule).String(), Workers: n, Meaning: ruleMeaning[muster.Rule(rule).String()]})
		}
	}
	if e.Chosen != nil {
		chosen := Candidate(*e.Chosen)
		out.Chosen = &chosen
	}
	for _, c := range e.Others {
		out.Others = append(out.Others, Candidate(c))
	}
	return out
}

// ruleMeaning says what a rule means to the workers that it excluded.
var ruleMeaning = map[string]string{
	"isp":       "serve other providers",
	"codec":     "lack a wanted codec or algorithm",
	"label":     "lack a wanted label",
	"draining":  "are drained",
	"cordoned":  "are cordoned",
	"not_ready": "said that they are not ready",
	"full":      "are at the limit of their load, or reported none yet",
	"slots":     "hold as many tasks as they may",
	"region":    "are outside the wanted region",
}
