package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/purposes"
	"github.com/muster-fleet/muster/internal/stage"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/media"
)

// withStage calls f with a server of this machine's files; with nil where there is to
// be none.
func (r *runner) withStage(ctx context.Context, cfg *config.Config, f func(*stage.Server) error) (err error) {
	if !r.staged {
		return f(nil)
	}
	listen := ""
	if r.address == "" {
		first, _, _ := strings.Cut(cfg.BusURL().String(), ",")
		queue, err := url.Parse(first)
		if err != nil {
			return err
		}
		own, err := stage.AddressTo(ctx, queue.Hostname())
		if err != nil {
			return err
		}
		listen = net.JoinHostPort(own, "0")
	} else {
		_, port, err := net.SplitHostPort(r.address)
		if err != nil {
			return cli.Usagef("--stage-address must be HOST:PORT, not %q", r.address)
		}
		listen = ":" + port // a name that workers know need not be one of this machine
	}
	s, err := stage.Listen(listen, r.address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r.shown = s.Shown
	return f(s)
}

// onStage puts URLs in the place of the paths of jobs.
func onStage(s *stage.Server, jobs []job.Job) error {
	if s == nil {
		return nil
	}
	for i, j := range jobs {
		kind := purposes.Of(j.Purpose).Media
		if kind == "" {
			return cli.Usagef("--stage is for media tasks, and %s is none of the purposes %s", j.Purpose, mediaPurposesText)
		}
		var err error
		if jobs[i].Spec, err = media.Stage(kind, j.Spec, s); err != nil {
			return err
		}
	}
	return nil
}

// fromStage puts the paths of this machine back.
func fromStage(s *stage.Server, outcomes []job.Outcome) {
	if s == nil {
		return
	}
	for i, o := range outcomes {
		if len(o.Report.Detail) > 0 {
			outcomes[i].Report.Detail = json.RawMessage(s.Shown(string(o.Report.Detail)))
		}
		if o.Err != nil {
			outcomes[i].Err = shownError{o.Err, s.Shown(o.Err.Error())}
		}
	}
}

// shownError is an error in other words.
type shownError struct {
	error
	text string
}

func (e shownError) Error() string { return e.text }
func (e shownError) Unwrap() error { return e.error }
