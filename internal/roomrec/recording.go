package roomrec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/node"
)

const (
	// lookTime is how often the room is looked at when it says nothing, and how
	// often the index is written while files grow.
	lookTime = time.Second
	// askRoomTime is how long the conference may take to answer.
	askRoomTime = 2 * time.Second
	// overTime is how long a room may not be there before the recording ends.
	overTime = time.Minute
)

// recording is a task.
type recording struct {
	name, task string
	wished     bool
	conn       bus.Conn
	client     *client.Client
	dir        *os.Root
	index      *index
	log        *slog.Logger
	say        *node.Task
	notify     func(event string, data any)
	// failed gets why the recording cannot go on.
	failed chan error

	conference string // the node that was asked last
	takes      map[string]*running

	mu    sync.Mutex
	nodes map[string]string // the SFU of each participant who has one
	moved chan struct{}     // closed, and replaced, when nodes change
}

// running is a take with what it runs on.
type running struct {
	take *take
	stop context.CancelFunc
	over chan struct{}
}

// run records until ctx ends, or the room ends.
func (r *recording) run(ctx context.Context) error {
	wake := mailbox.NewSignal()
	heard, err := r.conn.Subscribe(ctx, room.Topic, room.KeyState(r.name), func(string, json.RawMessage) { wake.Raise() })
	if err != nil {
		return err
	}
	defer func() { _ = heard.Close() }()
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	seen := time.Now()
	for {
		switch state, err := r.ask(ctx); {
		case err == nil:
			seen = time.Now()
			if r.unwanted(state) {
				r.log.Info("recording is not wished any more", "task", r.task)
				return r.stop()
			}
			r.follow(ctx, state)
		case time.Since(seen) > overTime:
			r.log.Info("room is over: ending its recording")
			return r.stop()
		}
		if err := r.report(); err != nil {
			return errors.Join(err, r.stop())
		}
		select {
		case <-ctx.Done():
			return r.stop()
		case err := <-r.failed:
			return errors.Join(err, r.stop())
		case <-wake:
		case <-tick.C:
		}
	}
}

// unwanted reports whether the recording is to end although nobody stopped it:
// who was to do so could not reach it.
func (r *recording) unwanted(s room.State) bool {
	now := s.Recording
	return r.wished && s.Settled && (!now.On || now.Task != "" && now.Task != r.task)
}

// ask asks the conference for the room.
func (r *recording) ask(ctx context.Context) (room.State, error) {
	ctx, cancel := context.WithTimeout(ctx, askRoomTime)
	defer cancel()
	var s room.State
	if r.conference == "" {
		worker, err := r.client.Scheduled(ctx, room.PurposeConference, r.name)
		if err != nil {
			return s, err
		}
		report, err := r.client.QueryTask(ctx, worker, r.name)
		if err != nil {
			return s, err
		}
		r.conference = report.Node
	}
	raw, err := r.conn.Call(ctx, r.conference, "room", r.name)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		r.conference = ""
	}
	return s, err
}

// follow records what is in the room.
func (r *recording) follow(ctx context.Context, s room.State) {
	r.mu.Lock()
	nodes := maps.Clone(r.nodes) // while somebody has no SFU, his last one counts
	for _, p := range s.Participants {
		if part, ok := s.PartOf(p.ID); ok && part.Node != "" {
			nodes[p.ID] = part.Node
		}
	}
	if !maps.Equal(nodes, r.nodes) {
		r.nodes = nodes
		close(r.moved)
		r.moved = make(chan struct{})
	}
	r.mu.Unlock()
	there := map[string]bool{}
	for _, p := range s.Participants {
		for _, t := range p.Tracks {
			there[t.ID] = true
			if r.takes[t.ID] == nil {
				r.take(ctx, p, t.Track)
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

// take begins to record a track.
func (r *recording) take(ctx context.Context, who room.Participant, what room.Track) {
	ctx, stop := context.WithCancel(ctx)
	one := &running{&take{rec: r, who: who, what: what}, stop, make(chan struct{})}
	r.takes[what.ID] = one
	go func() {
		defer close(one.over)
		one.take.follow(ctx)
	}()
}

func (r *running) end() error {
	r.stop()
	<-r.over
	return r.take.end()
}

// stop ends every file.
func (r *recording) stop() error {
	var errs []error
	for _, one := range r.takes {
		one.stop()
	}
	for _, one := range r.takes {
		errs = append(errs, one.end())
	}
	return errors.Join(errs...)
}

// follow receives the track from the SFU that serves its publisher. A connection to
// an SFU that is left lasts until another gives what it gave.
func (t *take) follow(ctx context.Context) {
	var receiving sync.WaitGroup
	defer receiving.Wait()
	var leave context.CancelFunc = func() {}
	node := ""
	for {
		t.rec.mu.Lock()
		now, moved := t.rec.nodes[t.who.ID], t.rec.moved
		t.rec.mu.Unlock()
		if now != "" && now != node {
			node = now
			old := leave
			own, cancel := context.WithCancel(ctx)
			leave = cancel
			r := &receiver{take: t, node: node, first: old}
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

// create begins a file of a track.
func (r *recording) create(t *take, f format, first frame, now time.Time) (*file, *Entry, error) {
	ending := ".mkv"
	if f.webm {
		ending = ".webm"
	}
	base := fileName(t.who.User) + "-" + fileName(t.what.Source)
	for i := 1; ; i++ {
		name := base + ending
		if i > 1 {
			name = fmt.Sprintf("%s-%d%s", base, i, ending)
		}
		out, err := createFile(r.dir, name, f, first, now)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("output: %w", err)
		}
		e := &Entry{
			File: name, User: t.who.User, Participant: t.who.ID, Source: t.what.Source, Codec: f.codec,
			Start: now.Sub(r.index.says.Began).Seconds(), Gaps: []Gap{},
		}
		r.index.add(e)
		r.notify("file", e)
		return out, e, nil
	}
}

// gap says that nothing came for a while.
func (r *recording) gap(t *take, g Gap) {
	r.index.gap(t.entry, g)
	r.log.Info("gap in a recording", "file", t.entry.File, "seconds", g.Seconds, "moved", g.Moved)
	r.notify("gap", struct {
		File string `json:"file"`
		Gap
	}{t.entry.File, g})
}

// fail ends the recording.
func (r *recording) fail(err error) {
	select {
	case r.failed <- err:
	default: // another reason came first
	}
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
	r.say.Report(node.Progress{Share: -1, Detail: d})
	return r.index.save()
}
