package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/muster-fleet/muster/node"
)

// Segment is the data of the event "segment": a file that is whole.
type Segment struct {
	// File is its path.
	File string `json:"file"`
	// Start and End are seconds since this recording began.
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Bytes int64   `json:"bytes"`
}

// recordDetail is the detail of a recording's report.
type recordDetail struct {
	Stats
	// Segments are those that are whole; Recorded is their length in seconds.
	Segments int     `json:"segments"`
	Recorded float64 `json:"recorded_seconds"`
	Playlist string  `json:"playlist"`
	Retries  int     `json:"retries"`
	// Warnings say in what the recording is not what one might expect.
	Warnings []Warning `json:"warnings,omitempty"`
}

// recorder is a recording that goes on.
type recorder struct {
	recording
	env  *environment
	list *playlist
	// total is the length of the recording, 0 where it is not known.
	total float64
	// looked is set when the input was looked at; one that is away is looked at when
	// it comes.
	looked bool
	// heard is set when ffmpeg said what an input has that was not looked at, and
	// unsuited is why the run that said so had to end.
	heard    bool
	unsuited error

	mu     sync.Mutex
	detail recordDetail
	bytes  int64 // of the segments that are whole
	warn   warnings
}

func record(ctx context.Context, env *environment, r recording) error {
	rec := &recorder{recording: r, env: env}
	if err := rec.look(ctx); err != nil && (r.RetrySeconds == 0 || refused(err)) {
		return err
	}
	made, err := makeDirs(filepath.Dir(r.pattern))
	if err != nil {
		return err
	}
	defer removeEmpty(made)
	if rec.list, err = r.prepare(); err != nil {
		return err
	}
	rec.detail.Playlist = r.list
	p := persistence{patience: r.RetrySeconds, run: rec.run, retry: rec.retry}
	err = errors.Join(p.do(ctx), rec.list.end())
	rec.report()
	return err
}

// look asks what the input has, and settles what follows from it.
func (r *recorder) look(ctx context.Context) error {
	r.total = r.DurationSeconds
	var err error
	if r.info, err = r.env.look(ctx, r.input); err != nil {
		return err
	}
	r.looked = true
	if r.info == nil {
		return nil
	}
	if r.total == 0 {
		r.total = r.info.Seconds
	}
	want := wanted{video: r.Video != None, audio: r.Audio.Codec != None, tracks: TracksAll}
	if r.streams, err = pick(r.info, want, &r.warn); err != nil {
		return err
	}
	if err := r.streams.carries(r.info, r.container, r.Video == Copy, r.Audio.Codec == Copy); err != nil {
		return err
	}
	r.Audio.loses(r.streams.audio, &r.warn)
	if r.Video == Copy || r.Video == None {
		return nil
	}
	r.fps, err = r.env.trueRate(ctx, r.input, r.streams.video)
	return first(err, r.env.toneMaps(r.picture()), r.picture().suits(&r.warn))
}

// prepare makes the directory ready, and returns the playlist.
func (r recording) prepare() (*playlist, error) {
	old, _, err := segmentsOf(r.pattern)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	if r.input.fenced {
		dir, base := filepath.Split(r.pattern)
		if err := noLinks(dir, numbered().Split(base, 2)[0], strings.TrimSuffix(filepath.Base(r.list), filepath.Ext(r.list))); err != nil {
			return nil, err
		}
	}
	if _, err := os.Lstat(r.list); err == nil {
		old = append(old, r.list)
	}
	list := &playlist{path: r.list}
	switch {
	case len(old) == 0:
		return list, nil
	case r.Existing == Append:
		return list, list.load()
	case r.Existing == Replace:
		return list, removeAll(old)
	}
	return nil, exists("output", old[0], "append", "replace")
}

// run is one run of ffmpeg. It returns how many seconds were recorded, and
// whether that is all.
func (r *recorder) run(ctx context.Context) (float64, bool, error) {
	if !r.looked {
		if err := r.look(ctx); err != nil {
			return 0, refused(err), err
		}
	}
	begun := r.recorded()
	left := 0.0
	if r.DurationSeconds > 0 {
		left = r.DurationSeconds - begun
	}
	_, from, err := segmentsOf(r.pattern)
	if err != nil {
		return 0, false, fmt.Errorf("output: %w", err)
	}
	var failed error
	said, err := r.env.checked(ctx, r.args(r.env.tool.major(), from, left), r.announced, r.progress, func(in io.Reader) {
		failed = readSegments(in, func(s Segment) error { return r.finished(begun, s) })
	})
	if r.unsuited != nil {
		r.unsuited = nil
		for n := from; os.Remove(fmt.Sprintf(r.pattern, n)) == nil; n++ { // begun before it was known
		}
		if errors.Is(err, errAnnounced) {
			return r.run(ctx)
		}
		return 0, refused(err), err
	}
	made := r.recorded() - begun
	if err == nil {
		err = r.promise(said, left).kept(said, made, &r.warn)
	} else if errors.Is(err, errFinished) {
		said.stopped(&r.warn)
	}
	// A last picture may be shorter than what is left.
	return made, left > 0 && made > left-0.5 || said.ended(r.input), errors.Join(err, failed)
}

// announced settles what follows from what ffmpeg found in an input that was not
// looked at, once: then the arguments suit it.
func (r *recorder) announced(info *Probe) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.info != nil || r.heard {
		return nil
	}
	r.heard = true
	want := wanted{video: r.Video != None, audio: r.Audio.Codec != None, tracks: TracksAll}
	before := r.args(r.env.tool.major(), 0, 0)
	r.streams, r.unsuited = announced(info, want, r.container, r.Video == Copy, r.Audio, &r.warn)
	if r.unsuited == nil && r.Video != Copy {
		r.unsuited = first(r.env.toneMaps(r.picture()), r.picture().suits(&r.warn))
	}
	if r.unsuited == nil && !slices.Equal(before, r.args(r.env.tool.major(), 0, 0)) {
		r.unsuited = errAnnounced
	}
	return r.unsuited
}

// promise is what a recording has to be: as long as what ffmpeg found in the
// head of the input, where it is no file. What is live has no length.
func (r *recorder) promise(said *journal, left float64) promise {
	want := promise{input: r.input, onShort: r.OnShort}
	want.extent = r.streams.pictures(r.info)
	if want.longest == 0 && !r.input.file() {
		want.extent = said.extent()
	}
	want.open = left > 0 && (r.info == nil || r.info.Seconds > left)
	want.extent = want.upTo(left)
	want.length = func() float64 { return 0 } // the segments are as long as they say
	return want
}

func (r *recorder) recorded() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.detail.Recorded
}

// finished is called with each segment that is whole.
func (r *recorder) finished(begun float64, s Segment) error {
	name := s.File
	s.File = filepath.Join(filepath.Dir(r.pattern), name)
	s.Start, s.End = s.Start+begun, s.End+begun
	if info, err := os.Stat(s.File); err == nil {
		s.Bytes = info.Size()
	}
	r.mu.Lock()
	if r.unsuited != nil {
		r.mu.Unlock()
		return nil
	}
	r.detail.Segments++
	r.detail.Recorded = s.End
	r.bytes += s.Bytes
	r.mu.Unlock()
	r.env.out.Notify("segment", s)
	return r.list.add(name, s.End-s.Start)
}

func (r *recorder) progress(s Stats) {
	r.mu.Lock()
	r.detail.Stats = s
	r.mu.Unlock()
	r.report()
}

func (r *recorder) report() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.detail.Warnings = r.warn
	if r.bytes > 0 { // ffmpeg does not count them
		r.detail.Bytes, r.detail.Kbps = r.bytes, float64(r.bytes)*8/1000/r.detail.Recorded
	}
	share := Stats{Seconds: max(r.detail.Seconds, r.detail.Recorded)}.share(r.total)
	r.env.out.Report(node.Progress{Share: share, Detail: r.detail})
}

// retry is called when the input broke and is tried again.
func (r *recorder) retry(err error) {
	r.mu.Lock()
	r.detail.Retries++
	r.mu.Unlock()
	r.list.gap()
	r.env.out.Notify("retry", retryData(err))
}
