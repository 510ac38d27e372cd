package media

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster/node"
)

// NewAny returns the work of all kinds. A spec of the form {"mix": {...}}, with
// the name of a kind and the kind's own spec, is for that kind; every other is
// for the standard kind.
func NewAny(standard string, t *Tool, o Options) (node.Work, error) {
	kinds := map[string]node.Work{}
	for _, kind := range append(Kinds(), pieceKind, joinKind) {
		w, err := New(kind, t, o)
		if err != nil {
			return nil, err
		}
		kinds[kind] = w
	}
	if kinds[standard] == nil {
		_, err := New(standard, t, o)
		return nil, err
	}
	return anyKind{kinds, standard}, nil
}

type anyKind struct {
	kinds    map[string]node.Work
	standard string
}

func (a anyKind) Check(spec json.RawMessage) error {
	kind, own := a.split(spec)
	if err := a.kinds[kind].Check(own); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

func (a anyKind) Do(ctx context.Context, t *node.Task) error {
	kind, own := a.split(t.Spec)
	one := *t
	one.Spec = own
	return a.kinds[kind].Do(ctx, &one)
}

// split returns the kind that a spec is for, and the kind's own spec.
func (a anyKind) split(spec json.RawMessage) (kind string, own json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(spec, &members) == nil && len(members) == 1 {
		for name, inner := range members {
			if a.kinds[name] != nil {
				return name, inner
			}
		}
	}
	return a.standard, spec
}

// kindNames are the kinds, for a spec that is only read.
func kindNames() map[string]node.Work {
	names := map[string]node.Work{}
	for _, kind := range Kinds() {
		names[kind] = anyKind{}
	}
	return names
}
