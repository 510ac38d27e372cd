package conference

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// idleTime is how long a part may have no people while there are others.
	idleTime = 30 * time.Second
	// shutTime is how long a room that found no SFU for one more part does not look
	// for another.
	shutTime = 5 * time.Second
)

// tending is what is being done with a part.
type tending struct {
	placing bool
	// leaving is the number of the placement that is being left; 0: none.
	leaving int
	// idle is since when it has had no people; zero: it has.
	idle time.Time
}

// pinging is what is known of an SFU.
type pinging struct {
	busy bool
	// asked is when it was asked last, missed how often it has not answered since it
	// did.
	asked  time.Time
	missed int
	// sum is that of the routes that it has.
	sum string
}

// tend looks after the parts of the room. The caller has locked k.
func (k *keeper) tend(ctx context.Context, now time.Time) {
	state := k.room.State()
	if !k.shut.IsZero() && now.Sub(k.shut) >= shutTime {
		k.shut = time.Time{}
		k.apply(room.Reopen{})
	}
	for _, part := range state.Parts {
		k.tendPart(ctx, now, part, state)
	}
	k.pingAll(ctx, now, state)
	if len(k.nodes) > 0 && !k.looking && now.Sub(k.looked) >= lookEvery {
		k.looking, k.looked = true, now
		k.changing.Go(func() { k.look(ctx) })
	}
}

// tendPart looks after one. The caller has locked k.
func (k *keeper) tendPart(ctx context.Context, now time.Time, part room.Part, s room.State) {
	t := k.tending(part.ID)
	if old := part.Former; part.Drained && t.leaving != old.Number {
		t.leaving = old.Number
		k.changing.Go(func() { k.leave(ctx, old) })
	}
	people := k.room.PartPeople(part.ID)
	switch {
	case people > 0:
		t.idle = time.Time{}
		if part.Node == "" && !t.placing {
			k.place(ctx, part, false)
		}
	case t.idle.IsZero():
		t.idle = now
	case part.Node != "" && now.Sub(t.idle) > idleTime && s.Settled && !part.Drained && !t.placing && others(s, part.ID) != nil:
		k.log.Info("part has no people: ending it", "part", part.Number, "node", part.Node)
		k.apply(room.Retired{Number: part.Number, Next: k.next()})
		k.changing.Go(func() {
			k.end(context.WithoutCancel(ctx), room.Former{Number: part.Number, Worker: part.Worker, Node: part.Node})
		})
	}
}

// others are the workers of the other parts that have an SFU.
func others(s room.State, id int) (workers []string) {
	for _, p := range s.Parts {
		if p.ID != id && p.Node != "" {
			workers = append(workers, p.Worker)
		}
	}
	return workers
}

func (k *keeper) tending(id int) *tending {
	if k.parts[id] == nil {
		k.parts[id] = &tending{}
	}
	return k.parts[id]
}

// next is a number for a placement. The caller has locked k.
func (k *keeper) next() int {
	for _, p := range k.room.Parts() {
		k.number = max(k.number, p.Number, p.Former.Number)
	}
	k.number++
	return k.number
}

// pingAll asks every SFU of the room whether it lives, at once where it does not
// have the routes. The caller has locked k.
func (k *keeper) pingAll(ctx context.Context, now time.Time, s room.State) {
	nodes, routes := s.Nodes(), s.Routes()
	sum := routes.Sum()
	maps.DeleteFunc(k.nodes, func(node string, _ *pinging) bool { return !slices.Contains(nodes, node) })
	for _, node := range nodes {
		n := k.nodes[node]
		if n == nil {
			n = &pinging{}
			k.nodes[node] = n
		}
		if n.busy || now.Sub(n.asked) < pingEvery && n.sum == sum {
			continue
		}
		n.busy, n.asked = true, now
		ping := room.Ping{Room: k.name, Sum: sum}
		if n.sum != sum {
			ping.Routes = &routes
		}
		k.changing.Go(func() { k.ping(ctx, node, n, ping) })
	}
}

// ping asks an SFU whether it lives, and says where people publish.
func (k *keeper) ping(ctx context.Context, node string, n *pinging, p room.Ping) {
	wait, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	raw, err := k.conf.opts.Conn.Call(wait, node, "ping", p)
	var h room.Health
	if err == nil {
		err = json.Unmarshal(raw, &h)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	n.busy = false
	switch {
	case ctx.Err() != nil || errors.Is(err, bus.ErrDisconnected):
		// We are the ones who hear nothing.
	case err == nil:
		n.missed, n.sum = 0, h.Sum
		k.measured(node, h)
	case errors.Is(err, bus.ErrNoServer):
		k.lost(node, "no such node on the queue")
	default:
		if n.missed++; n.missed >= mostMissed {
			k.lost(node, "it does not answer")
		}
	}
}

// measured takes how much of its limits an SFU uses. The caller has locked k.
func (k *keeper) measured(node string, h room.Health) {
	for _, p := range k.room.Parts() {
		if p.Node == node {
			k.apply(room.Measured{Part: p.ID, Share: h.Share, Person: h.Person})
		}
	}
}

// exited takes the notice that a node has crashed.
func (k *keeper) exited(node string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if node == "" {
		return
	}
	for _, p := range k.room.Parts() {
		if p.Node == node || p.Worker == node {
			k.lost(p.Node, "its agent says that it ended")
		}
	}
	for _, kind := range room.OutletKinds {
		if o := k.room.Outlet(kind); o.Node == node || o.Worker == node {
			k.log.Warn(string(kind)+" lost: placing it again", "node", o.Node, "task", o.Task)
			k.apply(room.OutletLost{Outlet: kind, Node: o.Node})
		}
	}
}

// lost records that an SFU is gone, with the parts that it serves. The caller has
// locked k.
func (k *keeper) lost(node, why string) {
	for _, p := range k.room.Parts() {
		if node != "" && p.Node == node {
			k.log.Warn("SFU lost: placing the part again", "part", p.Number, "node", node, "reason", why)
			k.apply(room.Lost{Number: p.Number})
		}
	}
}

// look asks the manager whether a worker of a part is drained; then the part
// moves while the old placement still lives.
func (k *keeper) look(ctx context.Context) {
	wait, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	workers, err := k.conf.opts.Client.Workers(wait, room.PurposeSFU)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looking = false
	if err != nil {
		return
	}
	for _, part := range k.room.Parts() {
		drained := slices.ContainsFunc(workers, func(w muster.Worker) bool {
			return w.ID == part.Worker && (w.Drain != 0 || !w.State.MayTake())
		}) // a worker that is gone is noticed by its node
		if !drained || part.Node == "" || k.tending(part.ID).placing || part.Drained { // one after another
			continue
		}
		k.log.Info("SFU draining: moving the part", "part", part.Number, "node", part.Node)
		k.place(ctx, part, true)
	}
}

// place asks for an SFU for a part, until there is one, or there is none while
// another part can take its people. drained: the SFU that it has still lives. The
// caller has locked k.
func (k *keeper) place(ctx context.Context, part room.Part, drained bool) {
	k.tending(part.ID).placing = true
	k.changing.Go(func() {
		placed, err := k.placeOnce(ctx, part, drained)
		for err != nil && !errors.Is(err, errNoOther) && ctx.Err() == nil {
			k.log.Warn("part cannot be placed yet", "part", placed.Number, "err", err)
			pause.For(ctx, retryTime)
			placed, err = k.placeOnce(ctx, part, drained)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tending(part.ID).placing = false
		switch {
		case errors.Is(err, errNoOther):
			k.log.Info("no SFU for one more part", "people", k.room.PartPeople(part.ID), "region", part.Region)
			k.shut = time.Now()
			k.apply(room.NoSFU{Part: part.ID})
		case err == nil:
			if drained {
				placed.Former = room.Former{Number: part.Number, Worker: part.Worker, Node: part.Node}
			}
			k.log.Info("part placed", "part", placed.Number, "worker", placed.Worker, "node", placed.Node)
			k.looked = time.Now()
			k.apply(room.Placed{Part: placed})
		}
	})
}

// errNoOther says that every SFU serves the room already.
var errNoOther = errors.New("no other SFU")

// placeOnce places a part: a worker of the manager, a node of the worker.
func (k *keeper) placeOnce(ctx context.Context, part room.Part, drained bool) (room.Part, error) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	k.mu.Lock()
	placed := room.Part{ID: part.ID, Number: k.next(), Region: part.Region}
	taken := others(k.room.State(), part.ID)
	k.mu.Unlock()
	wish, err := k.preference(ctx, part.Region, taken, drained)
	if err != nil {
		return placed, err
	}
	placed.Worker, placed.Node, err = k.start(ctx, client.Request{Purpose: room.PurposeSFU, Task: room.PartTask(k.name, placed.Number), Preference: wish}, nil)
	if err == nil {
		placed.TURN, err = k.turnOf(ctx, placed.Node)
	}
	if err != nil && placed.Worker != "" {
		k.avoid(placed.Worker, time.Now())
	}
	return placed, err
}

// turnOf asks an SFU for the URLs of its TURN servers.
func (k *keeper) turnOf(ctx context.Context, node string) (string, error) {
	raw, err := k.conf.opts.Conn.Call(ctx, node, "turn")
	var refused *bus.RemoteError
	switch {
	case errors.As(err, &refused):
		return "", nil // it is of an earlier version
	case err != nil:
		return "", err
	}
	var urls []string
	err = json.Unmarshal(raw, &urls)
	return strings.Join(urls, " "), err
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

// preference names the workers that may serve a part, by the label LabelSFU: none
// that is avoided, and none that serves another part. It is nil where any may. A
// part that is drained may share an SFU; else errNoOther says that there is none.
func (k *keeper) preference(ctx context.Context, region string, taken []string, drained bool) (any, error) {
	k.mu.Lock()
	maps.DeleteFunc(k.avoided, func(_ string, at time.Time) bool { return time.Since(at) > avoidTime })
	avoided := slices.Collect(maps.Keys(k.avoided))
	k.mu.Unlock()
	wish := map[string]any{}
	if region != "" {
		wish["region"] = region
	}
	if len(avoided)+len(taken) > 0 {
		workers, err := k.conf.opts.Client.Workers(ctx, room.PurposeSFU)
		if err != nil {
			return nil, err
		}
		names := labels(workers, region, append(avoided, taken...))
		if len(names) == 0 && len(taken) > 0 && !drained {
			return nil, errNoOther
		}
		if len(names) == 0 {
			names = labels(workers, "", avoided)
		}
		if len(names) > 0 {
			wish["labels"] = map[string]any{room.LabelSFU: map[string]any{"in": names}}
		}
	}
	if len(wish) == 0 {
		return nil, nil
	}
	return wish, nil
}

// labels name the workers that are ready and serve the region, without some.
func labels(workers []muster.Worker, region string, without []string) (names []string) {
	for _, w := range workers {
		name := w.Info.Labels[room.LabelSFU]
		if name != "" && w.Status() == muster.StateReady.String() && !slices.Contains(without, w.ID) &&
			(region == "" || slices.Contains(w.Info.Capacity.Regions, region)) {
			names = append(names, name)
		}
	}
	return names
}

// leave ends a placement when its clients have left it.
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

// release ends the parts, the recording and the stream of a room that has ended.
func (k *keeper) release(ctx context.Context) {
	k.mu.Lock()
	state := k.room.State()
	k.mu.Unlock()
	for _, part := range state.Parts {
		if part.Node != "" {
			k.end(ctx, room.Former{Number: part.Number, Worker: part.Worker, Node: part.Node})
		}
		if part.Drained {
			k.end(ctx, part.Former)
		}
	}
	for _, kind := range room.OutletKinds {
		if o := state.Outlet(kind); o.Node != "" {
			k.endOutlet(ctx, o)
		}
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
