package roomfeed

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/node"
)

// Spec says on what to work, and what to do.
type Spec struct {
	// Room is its name.
	Room string `json:"room"`
	// From is the user, or the id of the participant, whose tracks are taken; "" is the
	// first who sends.
	From string `json:"from,omitempty"`
	// Source is camera, which comes with the microphone, screen, which comes with its
	// sound, or mic; "" is camera.
	Source string `json:"source,omitempty"`
	// Spec is that of the kind of task, without its input.
	Spec json.RawMessage `json:"spec"`
	// Cluster is the cluster of the room; "" is the usual one.
	Cluster string `json:"cluster,omitempty"`
}

// soundTime is how long a picture waits for the first sound that comes with it:
// a participant that is muted sends none.
const soundTime = 3 * time.Second

// soundOf are the sources, with the sound that comes with each.
var soundOf = map[string]string{"camera": "mic", "screen": "sound", "mic": ""}

// Options are what holds for all tasks of a node.
type Options struct {
	// Open connects with the queue. It is called for each task.
	Open func(context.Context) (bus.Conn, error)
	// Work is what is done, with an input that is a URL.
	Work node.Work
	// Logger hears of tasks. Nil means none.
	Logger *slog.Logger
}

// Feeder is the work of a node.
type Feeder struct{ opts Options }

// New returns the work.
func New(o Options) *Feeder {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return &Feeder{o}
}

func readSpec(raw json.RawMessage) (s Spec, err error) {
	if err := roomsub.ReadSpec(raw, &s, `"from": USER, "spec": {...}`); err != nil {
		return s, err
	}
	if err := room.CheckName("room", s.Room); err != nil {
		return s, err
	}
	s.Source = cmp.Or(s.Source, "camera")
	if _, ok := soundOf[s.Source]; !ok {
		return s, fmt.Errorf("source: must be camera, screen or mic, not %q", s.Source)
	}
	return s, nil
}

// with is the spec of the kind of task with its input.
func (s Spec) with(input string) (json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(s.Spec, &members); err != nil {
		return nil, errors.New("spec: must be that of the kind of task, without its input")
	}
	if _, is := members["input"]; is {
		return nil, errors.New("spec.input: is the room's: leave it out")
	}
	text, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	members["input"] = text
	return json.Marshal(members)
}

// Check is node.Work's.
func (w *Feeder) Check(raw json.RawMessage) error {
	s, err := readSpec(raw)
	if err != nil {
		return err
	}
	spec, err := s.with("http://127.0.0.1:9/feed")
	if err != nil {
		return err
	}
	if err := w.opts.Work.Check(spec); err != nil {
		return fmt.Errorf("spec.%w", err)
	}
	return nil
}

// Do is node.Work's: it works until the participant has left, or the work has ended.
func (w *Feeder) Do(ctx context.Context, t *node.Task) error {
	s, err := readSpec(t.Spec)
	if err != nil {
		return err
	}
	log := w.opts.Logger.With("component", "feed", "room", s.Room)
	from, err := roomsub.Enter(ctx, w.opts.Open, s.Cluster, s.Room, t.Name, log)
	if err != nil {
		return err
	}
	defer from.Close()
	watching, stop := context.WithCancelCause(ctx)
	l := &listener{spec: s, ctx: watching, room: from, found: make(chan struct{})}
	var watch sync.WaitGroup
	defer l.close()
	defer watch.Wait()
	defer stop(nil)
	watch.Go(func() {
		err := l.room.Watch(watching, l.hear)
		l.end()
		stop(err)
	})
	log.Info("waiting for media", "from", s.From, "source", s.Source)
	if !l.await(watching) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("no media came: %w", context.Cause(watching))
	}
	one := *t
	if one.Spec, err = s.with(l.feed.URL); err != nil {
		return err
	}
	return w.opts.Work.Do(ctx, &one)
}

// errLeft ends a feed whose participant sends no longer.
var errLeft = errors.New("roomfeed: the participant sends no longer")

// listener finds the tracks in the room, and subscribes to them.
type listener struct {
	spec  Spec
	ctx   context.Context
	room  *roomsub.Room
	found chan struct{} // closed when feed and subscriptions are there

	mu    sync.Mutex
	feed  *feed
	track string
	subs  []*roomsub.Subscription
}

// hear looks for the tracks, and later for whether they are still there.
func (l *listener) hear(s *room.State) error {
	if s == nil {
		return nil
	}
	main, sound, from := l.find(*s)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.feed == nil && main.ID != "":
		return l.begin(from, main, sound)
	case l.feed != nil && s.Settled && !sends(*s, l.track):
		return errLeft
	}
	return nil
}

// find are the tracks that are wanted, and whose they are.
func (l *listener) find(s room.State) (main, sound room.Track, from string) {
	for _, p := range s.Participants {
		if l.spec.From != "" && p.ID != l.spec.From && p.User != l.spec.From {
			continue
		}
		for _, t := range p.Tracks {
			switch t.Source {
			case l.spec.Source:
				main, from = t.Track, p.ID
			case soundOf[l.spec.Source]:
				sound = t.Track
			}
		}
		if main.ID != "" {
			return main, sound, from
		}
		sound = room.Track{}
	}
	return room.Track{}, room.Track{}, ""
}

func sends(s room.State, track string) bool {
	return slices.ContainsFunc(s.Participants, func(p room.Participant) bool {
		return slices.ContainsFunc(p.Tracks, func(t room.PublishedTrack) bool { return t.ID == track })
	})
}

// begin subscribes. The caller has locked l.
func (l *listener) begin(from string, main, sound room.Track) error {
	tracks := []room.Track{main}
	if sound.ID != "" {
		tracks = append(tracks, sound)
	}
	feed, err := newFeed(len(tracks))
	if err != nil {
		return err
	}
	l.feed, l.track = feed, main.ID
	for i, taker := range []*track{feed.first, feed.second}[:len(tracks)] {
		l.subs = append(l.subs, l.room.Subscribe(l.ctx, from, tracks[i], taker))
	}
	close(l.found)
	return nil
}

// await waits until media has come, and reports whether it did.
func (l *listener) await(ctx context.Context) bool {
	select {
	case <-l.found:
	case <-ctx.Done():
		return false
	}
	select {
	case <-l.feed.first.ready:
	case <-ctx.Done():
		return false
	}
	if l.feed.second != nil {
		late := time.NewTimer(soundTime)
		defer late.Stop()
		select {
		case <-l.feed.second.ready:
		case <-late.C:
			l.room.Log.Info("feed without sound: none arrives", "from", l.spec.From)
			l.feed.leaveOut()
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// end lets the work come to the end of its input.
func (l *listener) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.feed != nil {
		l.feed.end()
	}
}

func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.subs {
		s.Cancel()
	}
	for _, s := range l.subs {
		s.Stop()
	}
	if l.feed != nil {
		l.feed.close()
	}
}
