package conference

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/room"
)

// keeper runs a room that is a task of this node.
type keeper struct {
	name string
	conf *Conference
	log  *slog.Logger

	mu    sync.Mutex
	room  *room.Room
	heard map[string]time.Time // when each portal spoke last
	began time.Time
	empty time.Time // since when the room has been empty; zero: it is not
	// parts is what is being done with each part, by its ID, and nodes what is known
	// of each SFU.
	parts map[int]*tending
	nodes map[string]*pinging
	// number is the highest that a placement had.
	number int
	// avoided are the workers that recently failed to provide a node, and when.
	avoided map[string]time.Time
	// shut is when there was no SFU for one more part; zero: there may be one.
	shut    time.Time
	looking bool
	looked  time.Time
	// outlets are the recording and the stream.
	outlets  []*outlet
	publish  chan uint64
	changing sync.WaitGroup
}

func newKeeper(c *Conference, name string) *keeper {
	now := time.Now()
	return &keeper{
		name: name, conf: c, log: c.log.With("room", name), room: room.New(name, 0),
		heard: map[string]time.Time{}, parts: map[int]*tending{}, nodes: map[string]*pinging{}, avoided: map[string]time.Time{},
		began: now, empty: now, outlets: newOutlets(), publish: make(chan uint64, 1),
	}
}

// run keeps the room until ctx ends or it has been empty for a while.
func (k *keeper) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer k.changing.Wait()
	defer cancel()
	k.changing.Go(func() { k.tell(ctx) })
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if k.tick(ctx, now) {
				k.release(ctx)
				return
			}
		}
	}
}

// tick does what is due. over reports that the room has been empty for long.
func (k *keeper) tick(ctx context.Context, now time.Time) (over bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for portal, at := range k.heard {
		if now.Sub(at) > portalSilence {
			delete(k.heard, portal)
			k.log.Warn("portal silent: removing its participants", "portal", portal)
			k.apply(room.PortalGone{Portal: portal})
		}
	}
	if now.Sub(k.began) > settleTime && !k.room.State().Settled {
		k.apply(room.Settle{})
	}
	switch {
	case !k.room.Empty():
		k.empty = time.Time{}
	case k.empty.IsZero():
		k.empty = now
	case now.Sub(k.empty) > emptyTime:
		return true
	}
	k.tend(ctx, now)
	for _, o := range k.outlets {
		k.tendOutlet(ctx, o, now)
	}
	return false
}

// apply changes the room and has that published. The caller has locked k.
func (k *keeper) apply(c room.Command) {
	if !k.room.Apply(c) {
		return
	}
	version := k.room.State().Version
	select {
	case <-k.publish: // an older version that was not published yet
	default:
	}
	k.publish <- version
}

// tell publishes that the room has changed. A portal that misses it learns of
// the change with its next sync.
func (k *keeper) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case version := <-k.publish:
			err := k.conf.opts.Conn.Publish(ctx, room.Topic, room.KeyState(k.name), room.Notice{Room: k.name, Version: version})
			if err != nil && ctx.Err() == nil {
				k.log.Warn("change of the room was not published", "err", err)
			}
		}
	}
}

// sync takes what a portal says, and answers with the SyncAnswer.
func (k *keeper) sync(s room.Sync) (any, error) {
	if len(s.Participants) > room.MaxParticipants {
		return nil, room.ErrFull
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heard[s.Portal] = time.Now()
	k.apply(s)
	state := k.room.State()
	if state.Version <= s.Version {
		return SyncAnswer{}, nil
	}
	return SyncAnswer{&state, k.room.Target()}, nil
}

func (k *keeper) state() room.State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.room.State()
}
