package media

import (
	"context"
	"encoding/json"

	"github.com/muster-fleet/muster/node"
)

// environment is what a task has at hand.
type environment struct {
	tool *Tool
	opts Options
	// node names the files that are not whole yet.
	node string
	out  teller
	// parts is set where the caller runs what the task asks for when it ends.
	parts bool
}

// teller hears of a task; a *node.Task is one.
type teller interface {
	Report(node.Progress)
	Notify(event string, data any)
}

// plan is a spec that was checked.
type plan interface {
	// source is the input by which the causes of errors are told apart.
	source() place
}

// work is a node.Work whose spec is an S: plan checks the spec and works out
// what follows from it alone, and do does it.
type work[S any, P plan] struct {
	tool *Tool
	opts Options
	plan func(*Tool, Options, S) (P, error)
	do   func(context.Context, *environment, P) error
}

func newWork[S any, P plan](t *Tool, o Options, plan func(*Tool, Options, S) (P, error), do func(context.Context, *environment, P) error) work[S, P] {
	return work[S, P]{t, o, plan, do}
}

func (w work[S, P]) Check(spec json.RawMessage) error {
	_, err := w.read(spec)
	return err
}

func (w work[S, P]) Do(ctx context.Context, t *node.Task) error {
	return w.run(ctx, t.Spec, t.Node, t)
}

func (w work[S, P]) run(ctx context.Context, spec json.RawMessage, name string, out teller) error {
	p, err := w.read(spec)
	if err != nil {
		return err
	}
	runner, is := out.(interface{ RunsParts() bool })
	err = w.do(ctx, &environment{tool: w.tool, opts: w.opts, node: name, out: out, parts: is && runner.RunsParts()}, p)
	return sorted(err, p.source())
}

func (w work[S, P]) read(raw json.RawMessage) (P, error) {
	var spec S
	if err := decode(raw, &spec); err != nil {
		var none P
		return none, err
	}
	return w.plan(w.tool, w.opts, spec)
}
