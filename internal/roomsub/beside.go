package roomsub

import (
	"context"
	"encoding/json"

	"github.com/muster-fleet/muster/node"
)

// Kind is the word for work on a room in a spec: {"room": {...}}.
const Kind = "room"

// Beside returns a work that does with rooms where a spec says {"room": {...}}, of
// which rooms gets what is within, and everything else with other.
func Beside(other, rooms node.Work) node.Work { return beside{other, rooms} }

type beside struct{ other, rooms node.Work }

func (b beside) Check(spec json.RawMessage) error {
	if own, is := ofRoom(spec); is {
		return b.rooms.Check(own)
	}
	return b.other.Check(spec)
}

func (b beside) Do(ctx context.Context, t *node.Task) error {
	own, is := ofRoom(t.Spec)
	if !is {
		return b.other.Do(ctx, t)
	}
	one := *t
	one.Spec = own
	return b.rooms.Do(ctx, &one)
}

// ofRoom finds the spec of work on a room.
func ofRoom(spec json.RawMessage) (own json.RawMessage, is bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(spec, &members) != nil || len(members) != 1 {
		return nil, false
	}
	own, is = members[Kind]
	return own, is
}
