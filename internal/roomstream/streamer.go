package roomstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/media"
	"github.com/muster-fleet/muster/node"
)

// Options are what holds for all streams of a node.
type Options struct {
	// Open connects with the queue. It is called for each stream.
	Open func(context.Context) (bus.Conn, error)
	// Tool decodes; Media says what the output may be.
	Tool  *media.Tool
	Media media.Options
	// Logger hears of streams. Nil means none.
	Logger *slog.Logger
}

// Streamer is the work of a node that streams rooms.
type Streamer struct {
	opts   Options
	stream node.Work
}

// New returns the work.
func New(o Options) (*Streamer, error) {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	stream, err := media.New(media.Stream, o.Tool, o.Media)
	return &Streamer{o, stream}, err
}

// Check is node.Work's.
func (w *Streamer) Check(raw json.RawMessage) error {
	s, err := readSpec(raw)
	if err != nil {
		return err
	}
	stream, err := s.stream("http://127.0.0.1:9/film")
	if err != nil {
		return err
	}
	return w.stream.Check(stream)
}

// Do is node.Work's: it streams until it is stopped, or the room ends.
func (w *Streamer) Do(ctx context.Context, t *node.Task) error {
	s, err := readSpec(t.Spec)
	if err != nil {
		return err
	}
	log := w.opts.Logger.With("component", "streaming", "room", s.Room)
	from, err := roomsub.Enter(ctx, w.opts.Open, s.Cluster, s.Room, t.Name, log)
	if err != nil {
		return err
	}
	defer from.Close()
	if s.Wished {
		from.Wanted = func(now room.State) bool { return !now.Settled || now.Streaming.Wants(t.Name) }
	}
	film, err := newFilm(s.Width, s.Height, s.FPS)
	if err != nil {
		return err
	}
	defer film.Close()
	show := newShow(s, from, w.opts.Tool.FFmpeg)
	defer show.close()

	// The film goes on until what reads it has ended: that does not heed its end
	// while it waits for more.
	filming, stop := context.WithCancel(context.WithoutCancel(ctx))
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	working.Go(func() { show.film(filming, film) })
	own, end := context.WithCancelCause(ctx)
	working.Go(func() { end(show.run(own)) })
	err = w.send(own, t, s, film.URL)
	end(err)
	switch why := context.Cause(own); {
	case ctx.Err() != nil:
		return err
	case errors.Is(why, roomsub.ErrOver):
		log.Info("ending", "task", t.Name, "reason", why)
		return nil
	default:
		return why
	}
}

// send encodes and sends what is at a URL, until ctx ends.
func (w *Streamer) send(ctx context.Context, t *node.Task, s Spec, url string) error {
	spec, err := s.stream(url)
	if err != nil {
		return err
	}
	one := *t
	one.Spec = spec
	return w.stream.Do(ctx, &one)
}
