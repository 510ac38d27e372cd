package media

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/muster-fleet/muster/node"
)

// streamDetail is the detail of a stream's report.
type streamDetail struct {
	Stats
	// Sent is how many seconds were sent, over all attempts.
	Sent    float64 `json:"sent_seconds"`
	Retries int     `json:"retries"`
	// Warnings say in what the stream is not what one might expect.
	Warnings []Warning `json:"warnings,omitempty"`
}

// streamer is a stream that goes on.
type streamer struct {
	streaming
	env   *environment
	total float64
	// looked is set when the input was looked at; one that is away is looked at when
	// it comes.
	looked bool
	// heard is set when ffmpeg said what an input has that was not looked at.
	heard bool

	mu     sync.Mutex
	detail streamDetail
	begun  float64 // seconds sent by earlier attempts
	warn   warnings
}

func stream(ctx context.Context, env *environment, p streaming) error {
	s := &streamer{streaming: p, env: env, total: p.DurationSeconds}
	if err := s.look(ctx); err != nil && (p.RetrySeconds == 0 || refused(err)) {
		return err
	}
	made, err := p.prepare()
	defer removeEmpty(made)
	if err != nil {
		return err
	}
	err = persistence{patience: p.RetrySeconds, run: s.run, retry: s.retry}.do(ctx)
	err = errors.Join(err, s.sink.end())
	if s.sink.hls && s.sink.file() && s.sink.pieces == 0 { // ffmpeg does not count them
		segments, _ := filepath.Glob(s.sink.stem() + "-*.ts")
		s.detail.whole(segments)
	}
	s.report()
	return err
}

// look asks what the input has, and settles what follows from it.
func (s *streamer) look(ctx context.Context) error {
	var err error
	if s.info, err = s.env.look(ctx, s.input); err != nil {
		return err
	}
	s.looked = true
	if s.info == nil {
		return nil
	}
	if s.total == 0 && !s.Loop {
		s.total = s.info.Seconds
	}
	want := wanted{video: s.Video != None, audio: s.Audio.Codec != None, tracks: TracksOne}
	if s.streams, err = pick(s.info, want, &s.warn); err != nil {
		return err
	}
	if err := s.streams.carries(s.info, s.sink.container, s.Video == Copy, s.Audio.Codec == Copy); err != nil {
		return err
	}
	s.Audio.loses(s.streams.audio, &s.warn)
	if s.Video == Copy || s.Video == None {
		return nil
	}
	if p := s.prepared(); p.enlarges() && !s.Upscale {
		width, height := p.from.display()
		return atInput(fault("height", "and width make the picture larger than the input, which is %.0f x %.0f: choose a smaller size, or set upscale to true", width, height))
	}
	s.rate, err = s.env.trueRate(ctx, s.input, s.streams.video)
	return first(err, s.env.toneMaps(s.prepared()), s.prepared().suits(&s.warn))
}

// prepare makes the directory of HLS, and returns which ones it made.
func (p streaming) prepare() (made []string, err error) {
	if !p.sink.file() {
		return nil, nil
	}
	if made, err = makeDirs(filepath.Dir(p.sink.name)); err != nil {
		return nil, err
	}
	if p.sink.fenced {
		if err := noLinks(filepath.Dir(p.sink.name), filepath.Base(p.sink.stem())); err != nil {
			return made, err
		}
	}
	_, err = os.Lstat(p.sink.name)
	switch {
	case err != nil, p.Existing == Append:
		return made, nil
	case p.Existing == Replace:
		return made, os.Remove(p.sink.name)
	}
	return made, exists("output", p.sink.name, "append", "replace")
}

func (s *streamer) run(ctx context.Context) (float64, bool, error) {
	if !s.looked {
		if err := s.look(ctx); err != nil {
			return 0, refused(err), err
		}
	}
	left := 0.0
	if s.DurationSeconds > 0 {
		left = s.DurationSeconds - s.begun
	}
	said, err := s.env.checked(ctx, s.args(s.env.tool.major(), left), s.announced, s.progress)
	if errors.Is(err, errAnnounced) || refused(err) {
		s.sink.discard()
	}
	switch {
	case errors.Is(err, errAnnounced):
		return s.run(ctx)
	case refused(err):
		return 0, true, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.detail.Sent - s.begun
	s.begun = s.detail.Sent
	if err == nil {
		err = s.promise(said, left).kept(said, made, &s.warn)
	} else if errors.Is(err, errFinished) {
		said.stopped(&s.warn)
	}
	return made, left > 0 && made > left-0.5 || said.ended(s.input), err
}

// announced settles what follows from what ffmpeg found in an input that was not
// looked at, once: then the arguments suit it.
func (s *streamer) announced(info *Probe) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.info != nil || s.heard {
		return nil
	}
	s.heard = true
	want := wanted{video: s.Video != None, audio: s.Audio.Codec != None, tracks: TracksOne}
	before := s.args(s.env.tool.major(), 0)
	var err error
	s.streams, err = announced(info, want, s.sink.container, s.Video == Copy, s.Audio, &s.warn)
	if err == nil && s.Video != Copy {
		err = first(s.env.toneMaps(s.prepared()), s.prepared().suits(&s.warn))
	}
	if err == nil && !slices.Equal(before, s.args(s.env.tool.major(), 0)) {
		err = errAnnounced
	}
	return err
}

// promise is what a stream has to be. One that loops has no length, but for
// that which was asked for.
func (s *streamer) promise(said *journal, left float64) promise {
	want := promise{input: s.input, onShort: s.OnShort}
	switch {
	case s.Loop:
		want.extent, want.open = extent{longest: left, shortest: left, exact: true}, true
		return want
	}
	if want.extent = s.streams.lasts(s.info); want.longest == 0 && !s.input.file() {
		want.extent = said.extent()
	}
	want.open = left > 0 && (s.info == nil || s.info.Seconds > left)
	want.extent = want.upTo(left)
	return want
}

func (s *streamer) progress(now Stats) {
	s.mu.Lock()
	s.detail.Stats, s.detail.Sent = now, s.begun+now.Seconds
	s.mu.Unlock()
	s.report()
}

func (s *streamer) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detail.Warnings = s.warn
	s.env.out.Report(node.Progress{Share: Stats{Seconds: s.detail.Sent}.share(s.total), Detail: s.detail})
}

func (s *streamer) retry(err error) {
	s.mu.Lock()
	s.detail.Retries++
	s.mu.Unlock()
	s.env.out.Notify("retry", retryData(err))
}
