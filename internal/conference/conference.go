// Package conference is the node that knows who is in which room, and places
// the part of an SFU that serves it. A task is a room, of purpose conference.
//
// It keeps nothing: what it knows is what portals say (room.Sync), each of them
// at least every SyncEvery, and at once when a conference is new to it. So
// another node has the same room as soon as every portal has spoken once.
//
// # Methods
//
//	sync(room.Sync)   {state?}: the state, where it is newer than the caller's
//	room(name)        the room.State
//	order(Order)      the room.Outlet: has the room recorded or streamed, or not any more
package conference

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/node"
	"github.com/muster-fleet/muster/worker"
)

const (
	// SyncEvery is how often a portal speaks when nothing happens.
	SyncEvery = 500 * time.Millisecond
	// settleTime is how long a conference that begins waits for portals to
	// speak, before what it knows counts as complete.
	settleTime = 2 * time.Second
	// portalSilence is how long a portal may be silent before its people have
	// left. Clients of a portal that died have gone to another by then.
	portalSilence = 10 * time.Second
	// emptyTime is how long a room without participants lasts.
	emptyTime = 30 * time.Second
	// tickTime is how often a room looks at what is due.
	tickTime = 100 * time.Millisecond
)

// NoRoom is the refusal of a room that is not here.
const NoRoom = "conference: the room is not here: ask for its conference again"

// SyncAnswer is the answer of sync.
type SyncAnswer struct {
	State *room.State `json:"state,omitempty"`
	// Target is where the room is streamed to; with a State only.
	Target room.Target `json:"target,omitzero"`
}

// Options are what a conference is.
type Options struct {
	// Conn carries calls and notices, and stays the caller's.
	Conn bus.Conn
	// Client asks the manager and the agents.
	Client *client.Client
	// Cluster is its name, for recorders; "" is the usual one.
	Cluster string
	// RecordTo is the directory of recordings, as recorders see it; "" means
	// DefaultRecordTo.
	RecordTo string
	// Logger hears of parts that are placed and lost. Nil means none.
	Logger *slog.Logger
}

// DefaultRecordTo is the default of Options.RecordTo.
const DefaultRecordTo = "recordings"

// Conference is the work of the node.
type Conference struct {
	opts  Options
	log   *slog.Logger
	rooms sync.Map // each *keeper by its name
}

// New returns the work of a node.
func New(opts Options) *Conference {
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	opts.RecordTo = cmp.Or(opts.RecordTo, DefaultRecordTo)
	return &Conference{opts: opts, log: opts.Logger.With("component", "conference")}
}

// Check is node.Work's: a room has no spec.
func (c *Conference) Check(json.RawMessage) error { return nil }

// Do is node.Work's: a room lasts until it has been empty for a while.
func (c *Conference) Do(ctx context.Context, t *node.Task) error {
	k := newKeeper(c, t.Name)
	c.rooms.Store(t.Name, k)
	defer c.rooms.CompareAndDelete(t.Name, k)
	k.run(ctx)
	return nil
}

// Methods are served beside those of every node.
func (c *Conference) Methods() map[string]bus.Handler {
	return map[string]bus.Handler{
		"sync":  method(c, func(s room.Sync) string { return s.Room }, (*keeper).sync),
		"room":  method(c, func(name string) string { return name }, func(k *keeper, _ string) (any, error) { return k.state(), nil }),
		"order": method(c, func(o Order) string { return o.Room }, (*keeper).order),
	}
}

// method is a method of one argument, which names the room that carries it out.
func method[A any](c *Conference, name func(A) string, do func(*keeper, A) (any, error)) bus.Handler {
	return func(r *bus.Request) {
		var arg A
		if err := worker.Decode(r.Args, &arg); err != nil {
			r.Fail(err.Error())
			return
		}
		known, _ := c.rooms.Load(name(arg))
		k, is := known.(*keeper)
		if !is {
			r.Fail(NoRoom)
			return
		}
		answer, err := do(k, arg)
		if err != nil {
			r.Fail(err.Error())
			return
		}
		r.Reply(answer)
	}
}

// WatchExits takes the notices of nodes that crashed, which come sooner than
// anything that is noticed here. It returns how to end that.
func (c *Conference) WatchExits(ctx context.Context) (stop func() error, err error) {
	s, err := c.opts.Conn.Subscribe(ctx, bus.TopicMonitoring, "exit.#", func(_ string, body json.RawMessage) {
		var e bus.Exit
		if json.Unmarshal(body, &e) != nil {
			return
		}
		for _, k := range c.rooms.Range {
			k.(*keeper).exited(e.Message.ID)
		}
	})
	if err != nil {
		return nil, err
	}
	return s.Close, nil
}
