package conference

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/room"
)

const (
	// pingEvery is how often the SFU of a room is asked whether it lives, and
	// pingTime how long it may take to say so.
	pingEvery = 250 * time.Millisecond
	pingTime  = time.Second
	// mostMissed is how many pings in a row may go unanswered. One to which the
	// queue says that there is no such server counts for all of them.
	mostMissed = 2
	// lookEvery is how often the manager is asked whether the SFU's worker is
	// to take no more tasks.
	lookEvery = time.Second
	// placeTime is how long one try to place a part may take, retryTime the
	// pause after one that failed.
	placeTime = 4 * time.Second
	retryTime = 250 * time.Millisecond
	// reserveTime is how long a worker is held for a part.
	reserveTime = 10 * time.Second
	// avoidTime is how long a worker that gave no node is not asked again: as
	// long as managers count on one that is silent, and a little more.
	avoidTime = 15 * time.Second
	// leaveTime is how long a part that is drained goes on at most after another
	// has taken its place: its clients leave it by themselves. leftEvery is how
	// often it is asked whether they have.
	leaveTime = 30 * time.Second
	leftEvery = 500 * time.Millisecond
)

// tend looks after the part of the room. The caller has locked k.
func (k *keeper) tend(ctx context.Context, now time.Time) {
	part := k.room.Part()
	if old := part.Former; part.Drained && k.leaving != old.Number {
		k.leaving = old.Number
		k.changing.Go(func() { k.leave(ctx, old) })
	}
	switch {
	case k.placing:
	case part.Node == "" && !k.room.Empty():
		k.place(ctx, part.Number+1, room.Part{})
	case part.Node == "":
	default:
		if !k.pinging && now.Sub(k.pinged) >= pingEvery {
			k.pinging, k.pinged = true, now
			k.changing.Go(func() { k.ping(ctx, part) })
		}
		if now.Sub(k.looked) >= lookEvery {
			k.looked = now
			k.changing.Go(func() { k.look(ctx, part) })
		}
	}
}

// ping asks the SFU whether it lives.
func (k *keeper) ping(ctx context.Context, part room.Part) {
	wait, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	_, err := k.conf.opts.Conn.Call(wait, part.Node, "ping")
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pinging = false
	switch {
	case ctx.Err() != nil || errors.Is(err, bus.ErrDisconnected):
		// We are the ones who hear nothing.
	case err == nil:
		k.missed = 0
	case errors.Is(err, bus.ErrNoServer):
		k.lost(part, "no such node on the queue")
	default:
		if k.missed++; k.missed >= mostMissed {
			k.lost(part, "it does not answer")
		}
	}
}

// exited takes the notice that a node has crashed.
func (k *keeper) exited(node string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if part := k.room.Part(); node != "" && (part.Node == node || part.Worker == node) {
		k.lost(part, "its agent says that it ended")
	}
	if rec := k.room.Recording(); node != "" && (rec.Node == node || rec.Worker == node) {
		k.log.Warn("recorder lost: placing the recording again", "node", rec.Node, "task", rec.Task)
		k.apply(room.RecorderLost{Node: rec.Node})
	}
}

// lost records that the SFU of the part is gone. The caller has locked k.
func (k *keeper) lost(part room.Part, why string) {
	if k.room.Part().Number != part.Number || k.room.Part().Node == "" {
		return
	}
	k.log.Warn("SFU lost: placing the part again", "part", part.Number, "node", part.Node, "reason", why)
	k.missed = 0
	k.apply(room.Lost{Number: part.Number})
}

// look asks the manager whether the worker of the part is drained; then the
// room moves while the old part still lives.
func (k *keeper) look(ctx context.Context, part room.Part) {
	wait, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	workers, err := k.conf.opts.Client.Workers(wait, room.PurposeSFU)
	if err != nil || !slices.ContainsFunc(workers, func(w muster.Worker) bool {
		return w.ID == part.Worker && (w.Drain != 0 || !w.State.MayTake())
	}) {
		return // a worker that is gone is noticed by its node
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.placing || k.room.Part() != part || part.Drained { // one after another
		return
	}
	k.log.Info("SFU draining: moving the room", "part", part.Number, "node", part.Node)
	k.place(ctx, part.Number+1, part)
}

// place asks for another part, until there is one. old is the part that is
// drained meanwhile, if any. The caller has locked k.
func (k *keeper) place(ctx context.Context, number int, old room.Part) {
	k.placing = true
	k.changing.Go(func() {
		part, err := k.placeOnce(ctx, number)
		for err != nil && ctx.Err() == nil {
			k.log.Warn("part cannot be placed yet", "part", number, "err", err)
			pause.For(ctx, retryTime)
			number++
			part, err = k.placeOnce(ctx, number)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.placing = false
		if err != nil {
			return
		}
		part.Former = room.Former{Number: old.Number, Worker: old.Worker, Node: old.Node}
		k.log.Info("part placed", "part", part.Number, "worker", part.Worker, "node", part.Node)
		k.missed, k.pinged, k.looked = 0, time.Now(), time.Now()
		k.apply(room.Placed{Part: part})
	})
}

// placeOnce places a part: a worker of the manager, a node of the worker.
func (k *keeper) placeOnce(ctx context.Context, number int) (room.Part, error) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	others, err := k.preference(ctx)
	if err != nil {
		return room.Part{}, err
	}
	worker, node, err := k.start(ctx, client.Request{Purpose: room.PurposeSFU, Task: room.PartTask(k.name, number), Preference: others}, nil)
	if err != nil && worker != "" {
		k.avoid(worker, time.Now())
	}
	return room.Part{Number: number, Worker: worker, Node: node}, err
}

// start places a task of the room and starts it on a node of the worker. With an
// error, the worker is the one that failed, empty where none was found.
func (k *keeper) start(ctx context.Context, r client.Request, spec json.RawMessage) (worker, node string, err error) {
	c := k.conf.opts.Client
	r.Reserve = reserveTime
	p, err := c.Schedule(ctx, r)
	if err != nil {
		return "", "", err
	}
	order := p.Order(k.name, spec)
	node, err = c.GetNode(ctx, p.Worker, order)
	if err == nil {
		err = c.StartTask(ctx, node, order)
	}
	if err != nil {
		_ = c.Release(ctx, p) // else it runs out
		return p.Worker, "", fmt.Errorf("worker %s: %w", p.Worker, err)
	}
	return p.Worker, node, nil
}

// avoid records that a worker failed to provide a node. The manager keeps placing
// tasks on it until it is evicted.
func (k *keeper) avoid(worker string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.avoided[worker] = now
}

// preference excludes the workers that are avoided, by the label LabelSFU. It is
// nil if there are none, or no other worker has the label.
func (k *keeper) preference(ctx context.Context) (any, error) {
	k.mu.Lock()
	for worker, at := range k.avoided {
		if time.Since(at) > avoidTime {
			delete(k.avoided, worker)
		}
	}
	avoided := maps.Clone(k.avoided)
	k.mu.Unlock()
	if len(avoided) == 0 {
		return nil, nil
	}
	workers, err := k.conf.opts.Client.Workers(ctx, room.PurposeSFU)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, w := range workers {
		_, is := avoided[w.ID]
		if name := w.Info.Labels[room.LabelSFU]; name != "" && !is && w.Status() == muster.StateReady.String() {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return map[string]any{"labels": map[string]any{room.LabelSFU: map[string]any{"in": names}}}, nil
}

// leave ends a part when its clients have left it.
func (k *keeper) leave(ctx context.Context, old room.Former) {
	late := time.NewTimer(leaveTime)
	defer late.Stop()
	again := time.NewTicker(leftEvery)
	defer again.Stop()
	for waiting := true; waiting && k.receives(ctx, old.Node); {
		select {
		case <-ctx.Done():
			return // the next conference goes on with it
		case <-late.C:
			waiting = false
		case <-again.C:
		}
	}
	k.mu.Lock()
	k.apply(room.Left{Number: old.Number})
	k.mu.Unlock()
	k.end(context.WithoutCancel(ctx), old)
}

// receives reports whether an SFU still sends to clients of the room, as far as
// that is known. What they get they do not have from another part yet.
func (k *keeper) receives(ctx context.Context, node string) bool {
	wait, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	raw, err := k.conf.opts.Conn.Call(wait, node, "receivers", k.name)
	if err != nil {
		return !errors.Is(err, bus.ErrNoServer)
	}
	var n int
	return json.Unmarshal(raw, &n) != nil || n > 0
}

// release ends the part and the recording of a room that has ended.
func (k *keeper) release(ctx context.Context) {
	k.mu.Lock()
	part, rec := k.room.Part(), k.room.Recording()
	k.mu.Unlock()
	if part.Node != "" {
		k.end(ctx, room.Former{Number: part.Number, Worker: part.Worker, Node: part.Node})
	}
	if part.Drained {
		k.end(ctx, part.Former)
	}
	if rec.Node != "" {
		k.endRecorder(ctx, rec)
	}
}

func (k *keeper) end(ctx context.Context, part room.Former) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	task := room.PartTask(k.name, part.Number)
	err := k.conf.opts.Client.StopTask(ctx, part.Node, task)
	if err != nil && !errors.Is(err, client.ErrNoTask) && !errors.Is(err, bus.ErrNoServer) {
		k.log.Warn("part was not ended", "part", part.Number, "err", err)
	}
	_ = k.conf.opts.Client.RecycleNode(ctx, part.Worker, part.Node, muster.TaskEnd{
		Room: k.name, Task: task, Result: &muster.TaskResult{State: muster.TaskDone},
	})
}
