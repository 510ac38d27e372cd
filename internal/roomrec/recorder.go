package roomrec

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/node"
)

// Spec says what to record, and where to.
type Spec struct {
	// Room is its name.
	Room string `json:"room"`
	// Output is a directory. What is not there is made; a recording of the same
	// room that is there goes on.
	Output string `json:"output"`
	// Wished: the recording ends when the room no longer wishes it, or another
	// task records it.
	Wished bool `json:"wished,omitempty"`
	// Cluster is the cluster of the room; "" is the usual one.
	Cluster string `json:"cluster,omitempty"`
}

// Options are what holds for all recordings of a node.
type Options struct {
	// Open connects with the queue. It is called for each recording.
	Open func(context.Context) (bus.Conn, error)
	// Dir is where an output is on this machine, or why it may not be there.
	Dir func(output string) (string, error)
	// Logger hears of recordings. Nil means none.
	Logger *slog.Logger
}

// Recorder is the work of a node that records rooms.
type Recorder struct{ opts Options }

// New returns the work.
func New(o Options) *Recorder {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return &Recorder{o}
}

func (r *Recorder) plan(raw json.RawMessage) (s Spec, dir string, err error) {
	if err := roomsub.ReadSpec(raw, &s, `"output": DIRECTORY`); err != nil {
		return s, "", err
	}
	if err := room.CheckName("room", s.Room); err != nil {
		return s, "", err
	}
	dir, err = r.opts.Dir(s.Output)
	return s, dir, err
}

// wanted is roomsub.Room's Wanted.
func (s Spec) wanted(task string) func(room.State) bool {
	if !s.Wished {
		return nil
	}
	return func(now room.State) bool { return !now.Settled || now.Recording.Wants(task) }
}

// Check is node.Work's.
func (r *Recorder) Check(spec json.RawMessage) error {
	_, _, err := r.plan(spec)
	return err
}

// Do is node.Work's: it records until it is stopped, or the room ends.
func (r *Recorder) Do(ctx context.Context, t *node.Task) error {
	s, path, err := r.plan(t.Spec)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	defer func() { _ = dir.Close() }()
	from, err := roomsub.Enter(ctx, r.opts.Open, s.Cluster, s.Room, t.Name, r.opts.Logger.With("component", "recording", "room", s.Room))
	if err != nil {
		return err
	}
	defer from.Close()
	from.Wanted = s.wanted(t.Name)
	x, err := openIndex(dir, s.Output, s.Room, time.Now())
	if err != nil {
		return err
	}
	rec := &recording{room: from, task: t, notify: t.Notify, dir: dir, index: x, takes: map[string]*running{}}
	err = rec.run(ctx)
	return errors.Join(err, x.end())
}
