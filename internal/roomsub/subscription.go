package roomsub

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/internal/room"
)

// Taker takes the frames of a track.
type Taker interface {
	// Take takes a frame that came by a connection. Connections have rising
	// numbers: while the subscription moves to another SFU, frames of two come.
	// taken reports whether the frame was used: the first one that was ends the
	// connections before. askKey has the publisher asked for a key frame.
	Take(connection int64, c Codec, f Frame, now time.Time) (taken, askKey bool)
}

// Subscription receives a track, until Stop.
type Subscription struct {
	room  *Room
	from  string // a participant
	track room.Track
	taker Taker
	stop  context.CancelFunc
	over  chan struct{}

	// connections counts those that were made.
	connections atomic.Int64

	mu     sync.Mutex
	height int           // of View; -1 is the best layer that is sent
	viewed chan struct{} // closed, and replaced, when height changes
}

// Subscribe receives a track of a participant from the SFU that serves him, from
// whichever that is at each time, in the best layer that is sent until View says
// otherwise.
func (r *Room) Subscribe(ctx context.Context, participant string, t room.Track, taker Taker) *Subscription {
	ctx, stop := context.WithCancel(ctx)
	s := &Subscription{room: r, from: participant, track: t, taker: taker, stop: stop, over: make(chan struct{}), height: -1, viewed: make(chan struct{})}
	go func() {
		defer close(s.over)
		s.follow(ctx)
	}()
	return s
}

// Cancel has the subscription end, without waiting for that.
func (s *Subscription) Cancel() { s.stop() }

// Stop ends the subscription. One frame may come afterwards.
func (s *Subscription) Stop() {
	s.stop()
	<-s.over
}

// View says how high the picture is shown, in pixels: the SFU sends the smallest
// layer that is enough.
func (s *Subscription) View(height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if height == s.height {
		return
	}
	s.height = height
	close(s.viewed)
	s.viewed = make(chan struct{})
}

func (s *Subscription) view() (change room.Change, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.height >= 0 {
		change.View = map[string]int{s.track.ID: s.height}
	}
	return change, s.viewed
}

// follow has a connection to an SFU that is left last until another gives what it
// gave.
func (s *Subscription) follow(ctx context.Context) {
	var receiving sync.WaitGroup
	defer receiving.Wait()
	var leave context.CancelFunc = func() {}
	node := ""
	for {
		now, moved := s.room.serving(s.from)
		if now != "" && now != node {
			node = now
			old := leave
			own, cancel := context.WithCancel(ctx)
			leave = cancel
			r := &receiver{Subscription: s, node: node, first: old}
			receiving.Go(func() {
				defer cancel()
				defer old() // where this one ends without a frame
				r.run(own)
			})
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}
