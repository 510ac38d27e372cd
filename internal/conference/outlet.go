package conference

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomrec"
	"github.com/muster-fleet/muster/internal/roomstream"
	"github.com/muster-fleet/muster/internal/roomsub"
)

// outletAgain is the pause after an outlet that could not be placed.
const outletAgain = 2 * time.Second

// Order is the argument of order.
type Order struct {
	Room   string          `json:"room"`
	Outlet room.OutletKind `json:"outlet"`
	On     bool            `json:"on"`
	// By is who says so.
	By string `json:"by"`
	// Target is where a stream goes.
	Target room.Target `json:"target,omitzero"`
}

// outlet is what the keeper does about a recording or a stream.
type outlet struct {
	kind room.OutletKind
	// busy: something is being done. It was looked at last at seen, and has not
	// answered missed times since.
	busy   bool
	seen   time.Time
	missed int
}

func newOutlets() (out []*outlet) {
	for _, kind := range room.OutletKinds {
		out = append(out, &outlet{kind: kind})
	}
	return out
}

// order has the room recorded or streamed, or not any more, and answers with the
// room.Outlet.
func (k *keeper) order(o Order) (any, error) {
	if !slices.Contains(room.OutletKinds, o.Outlet) {
		return nil, fmt.Errorf("conference: outlet: %q is not one of %q", o.Outlet, room.OutletKinds)
	}
	if o.Outlet == room.Streaming && o.On {
		if err := roomstream.CheckTarget(o.Target); err != nil {
			return nil, err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.room.Outlet(o.Outlet); o.On && now.On && o.Outlet == room.Streaming && o.Target != k.room.Target() {
		return nil, fmt.Errorf("conference: the room is streamed to %s already, as %s said: stop that first", now.To, now.By)
	}
	k.apply(room.Order{Outlet: o.Outlet, On: o.On, By: o.By, At: time.Now().Unix(), Target: o.Target})
	k.log.Info(string(o.Outlet), "on", o.On, "by", o.By)
	return k.room.Outlet(o.Outlet), nil
}

// tendOutlet looks after the recording or the stream of the room. The caller has
// locked k.
func (k *keeper) tendOutlet(ctx context.Context, o *outlet, now time.Time) {
	what := k.room.Outlet(o.kind)
	switch {
	case o.busy:
	case what.On && what.Node == "":
		target := k.room.Target()
		k.withOutlet(o, func() { k.placeOutlet(ctx, o, what, target) })
	case !what.On && what.Node != "":
		k.withOutlet(o, func() {
			k.endOutlet(ctx, what)
			k.outletLost(o, what)
		})
	case what.Node != "" && now.Sub(o.seen) >= lookEvery:
		o.seen = now
		target := k.room.Target()
		k.withOutlet(o, func() { k.lookAtOutlet(ctx, o, what, target) })
	}
}

// withOutlet does one thing about an outlet at a time. The caller has locked k.
func (k *keeper) withOutlet(o *outlet, f func()) {
	o.busy = true
	k.changing.Go(func() {
		f()
		k.mu.Lock()
		defer k.mu.Unlock()
		o.busy = false
	})
}

// placeOutlet asks for a worker once.
func (k *keeper) placeOutlet(ctx context.Context, o *outlet, what room.Outlet, to room.Target) {
	found, err := k.findOutlet(ctx, o.kind, what, to)
	if err != nil {
		if ctx.Err() == nil {
			k.log.Warn(string(o.kind)+" cannot be placed yet", "err", to.Hide(err.Error()))
		}
		pause.For(ctx, outletAgain)
		return
	}
	k.mu.Lock()
	k.apply(found)
	wanted := k.room.Outlet(o.kind).Node == found.Node
	k.mu.Unlock()
	if !wanted { // another order came meanwhile
		what.Node, what.Worker, what.Task = found.Node, found.Worker, found.Task
		k.endOutlet(ctx, what)
		return
	}
	k.log.Info(string(o.kind)+" placed", "worker", found.Worker, "node", found.Node, "task", found.Task)
}

// findOutlet places an outlet: a worker of the manager, a node of the worker.
func (k *keeper) findOutlet(ctx context.Context, kind room.OutletKind, what room.Outlet, to room.Target) (room.OutletPlaced, error) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	number := what.Number + 1
	task := room.OutletTask(k.name, kind, number)
	purpose := room.PurposeRecording
	var own any = roomrec.Spec{Room: k.name, Output: k.recordTo(what), Wished: true, Cluster: k.conf.opts.Cluster}
	if kind == room.Streaming {
		purpose = room.PurposeStreaming
		own = roomstream.Spec{Room: k.name, Output: to.Output, Layout: to.Layout, Wished: true, Cluster: k.conf.opts.Cluster}
	}
	spec, err := json.Marshal(map[string]any{roomsub.Kind: own})
	if err != nil {
		return room.OutletPlaced{}, err
	}
	worker, node, err := k.start(ctx, client.Request{Purpose: purpose, Task: task}, spec)
	return room.OutletPlaced{Outlet: kind, Number: number, Worker: worker, Node: node, Task: task}, err
}

// recordTo is the directory of a recording: the same one for each recorder of it.
func (k *keeper) recordTo(rec room.Outlet) string {
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(`\:*?"<>|%`, r) {
			return '_'
		}
		return r
	}, strings.TrimLeft(k.name, ".-"))
	return path.Join(k.conf.opts.RecordTo, name, time.Unix(rec.Since, 0).UTC().Format("20060102T150405Z"))
}

// lookAtOutlet finds out whether the recording or the stream goes on.
func (k *keeper) lookAtOutlet(ctx context.Context, o *outlet, what room.Outlet, to room.Target) {
	wait, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	report, err := k.conf.opts.Client.TaskStats(wait, what.Node, what.Task)
	switch {
	case ctx.Err() != nil || errors.Is(err, bus.ErrDisconnected):
	case err == nil && report.State == muster.TaskRunning:
		k.mu.Lock()
		o.missed = 0
		k.mu.Unlock()
	case err == nil || errors.Is(err, bus.ErrNoServer) || errors.Is(err, client.ErrNoTask):
		k.log.Warn(string(o.kind)+" lost: placing it again", "node", what.Node, "task", what.Task, "reason", to.Hide(report.Error), "err", err)
		k.outletLost(o, what)
	default:
		k.mu.Lock()
		o.missed++
		gone := o.missed >= mostMissed
		k.mu.Unlock()
		if gone {
			k.log.Warn(string(o.kind)+" does not answer: placing it again", "node", what.Node, "task", what.Task)
			k.outletLost(o, what)
		}
	}
}

func (k *keeper) outletLost(o *outlet, what room.Outlet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o.missed = 0
	k.apply(room.OutletLost{Outlet: o.kind, Node: what.Node})
}

// endOutlet ends a recording, whose files are whole then, or a stream.
func (k *keeper) endOutlet(ctx context.Context, what room.Outlet) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	err := k.conf.opts.Client.StopTask(ctx, what.Node, what.Task)
	if err != nil && !errors.Is(err, client.ErrNoTask) && !errors.Is(err, bus.ErrNoServer) {
		k.log.Warn("task was not ended", "task", what.Task, "err", err)
	}
	_ = k.conf.opts.Client.RecycleNode(ctx, what.Worker, what.Node, muster.TaskEnd{
		Room: k.name, Task: what.Task, Result: &muster.TaskResult{State: muster.TaskDone},
	})
}
