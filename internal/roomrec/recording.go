package roomrec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/node"
)

// recording is a task.
type recording struct {
	room   *roomsub.Room
	task   *node.Task
	notify func(event string, data any)
	dir    *os.Root
	index  *index
	// fail ends the recording.
	fail context.CancelCauseFunc

	takes map[string]*running
}

// running is a take with what it receives.
type running struct {
	*take
	from *roomsub.Subscription
}

// run records until ctx ends, or the room ends.
func (r *recording) run(ctx context.Context) error {
	own, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r.fail = fail
	err := r.room.Watch(own, func(s *room.State) error {
		if s != nil {
			r.follow(own, *s)
		}
		return r.report()
	})
	switch {
	case errors.Is(err, roomsub.ErrOver):
		r.room.Log.Info("ending", "task", r.task.Name, "reason", err)
		err = nil
	case err == nil && ctx.Err() == nil:
		err = context.Cause(own)
	}
	return errors.Join(err, r.stop())
}

// follow records what is in the room.
func (r *recording) follow(ctx context.Context, s room.State) {
	there := map[string]bool{}
	for _, p := range s.Participants {
		for _, t := range p.Tracks {
			there[t.ID] = true
			if r.takes[t.ID] == nil {
				one := &take{rec: r, who: p, what: t.Track}
				r.takes[t.ID] = &running{one, r.room.Subscribe(ctx, p.ID, t.Track, one)}
			}
		}
	}
	for id, one := range r.takes {
		if there[id] || !s.Settled {
			continue
		}
		delete(r.takes, id)
		if err := one.end(); err != nil {
			r.fail(err)
		}
	}
}

func (r *running) end() error {
	r.from.Stop()
	return r.take.end()
}

// stop ends every file.
func (r *recording) stop() error {
	var errs []error
	for _, one := range r.takes {
		one.from.Cancel()
	}
	for _, one := range r.takes {
		errs = append(errs, one.end())
	}
	return errors.Join(errs...)
}

// create begins a file of a track.
func (r *recording) create(t *take, c roomsub.Codec, first roomsub.Frame, now time.Time) (*roomsub.Writer, *Entry, error) {
	ending := ".mkv"
	if c.WebM {
		ending = ".webm"
	}
	base := fileName(t.who.User) + "-" + fileName(t.what.Source)
	for i := 1; ; i++ {
		name := base + ending
		if i > 1 {
			name = fmt.Sprintf("%s-%d%s", base, i, ending)
		}
		out, err := r.dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		var w *roomsub.Writer
		if err == nil {
			w, err = roomsub.NewWriter(out, c, first, now)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("output: %w", err)
		}
		e := &Entry{
			File: name, User: t.who.User, Participant: t.who.ID, Source: t.what.Source, Codec: c.Name,
			Start: now.Sub(r.index.says.Began).Seconds(), Gaps: []Gap{},
		}
		r.index.change(func() { r.index.says.Files = append(r.index.says.Files, e) })
		r.notify("file", e)
		return w, e, nil
	}
}

// gap says that nothing came for a while.
func (r *recording) gap(t *take, g Gap) {
	r.index.change(func() { t.entry.Gaps = append(t.entry.Gaps, g) })
	r.room.Log.Info("gap in a recording", "file", t.entry.File, "seconds", g.Seconds, "moved", g.Moved)
	r.notify("gap", struct {
		File string `json:"file"`
		Gap
	}{t.entry.File, g})
}

// detail is the detail of the task's report.
type detail struct {
	Files   int     `json:"files"`
	Growing int     `json:"growing"`
	Gaps    int     `json:"gaps"`
	Seconds float64 `json:"seconds"`
}

// report says how far the recording is, and writes the index.
func (r *recording) report() error {
	x := r.index.copy()
	d := detail{Files: len(x.Files), Seconds: time.Since(x.Began).Seconds()}
	d.Growing = len(slices.DeleteFunc(slices.Clone(x.Files), func(e *Entry) bool { return e.Whole }))
	for _, e := range x.Files {
		d.Gaps += len(e.Gaps)
	}
	r.task.Report(node.Progress{Share: -1, Detail: d})
	return r.index.save()
}
