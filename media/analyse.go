package media

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/muster-fleet/muster/node"
)

// Analysis is the detail of an analysis' report: all that was found so far.
type Analysis struct {
	Stats
	Black    *Finds    `json:"black,omitempty"`
	Silence  *Finds    `json:"silence,omitempty"`
	Freeze   *Finds    `json:"freeze,omitempty"`
	Loudness *Loudness `json:"loudness,omitempty"`
	// Warnings say what of the input was not looked at.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Finds are the times at which an input was black, silent or frozen.
type Finds struct {
	// Count and Seconds are of all, also of those that are not listed.
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
	// Spans are the first mostSpans of them.
	Spans []Span `json:"spans"`
}

// Span is a part of an input, in seconds from its beginning. It is the data of
// the events "black_end", "silence_end" and "freeze_end"; at the start ("black_start"
// ...) only Start is known.
type Span struct {
	Start   float64 `json:"start"`
	End     float64 `json:"end,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

// Loudness is as in EBU R 128. It is the data of the event "loudness".
type Loudness struct {
	// At is when, in seconds from the beginning of the input.
	At float64 `json:"at"`
	// Momentary (0.4 s), ShortTerm (3 s) and Integrated (so far) are in LUFS.
	Momentary  float64 `json:"momentary"`
	ShortTerm  float64 `json:"short_term"`
	Integrated float64 `json:"integrated"`
	// Range is in LU, so far.
	Range float64 `json:"range"`
	// TruePeak is the highest so far, in dBTP.
	TruePeak float64 `json:"true_peak"`
}

// analyser is an analysis that goes on.
type analyser struct {
	env   *environment
	total float64

	mu    sync.Mutex
	found finder
	stats Stats
	warn  warnings
}

func analyse(ctx context.Context, env *environment, p analysis) error {
	a := &analyser{env: env, total: p.DurationSeconds, found: newFinder(p.Detect, env.out.Notify)}
	if err := a.look(ctx, &p); err != nil {
		return err
	}
	said, err := env.ffmpeg(ctx, p.args(env.tool.major()), a.progress, a.picture, a.sound)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		err = p.promise(said).kept(said, a.stats.Seconds, &a.warn)
	}
	a.found.end(a.stats.Seconds)
	a.report(err == nil)
	return err
}

// look asks what the input has, and chooses what is looked at.
func (a *analyser) look(ctx context.Context, p *analysis) error {
	var err error
	if p.info, err = a.env.look(ctx, p.input); err != nil || p.info == nil {
		return err
	}
	if err := p.suits(p.info); err != nil {
		return atInput(err)
	}
	if a.total == 0 || p.info.Seconds > 0 && p.info.Seconds < a.total {
		a.total = p.info.Seconds
	}
	p.streams, err = pick(p.info, wanted{video: p.Detect.video(), audio: p.Detect.audio(), tracks: TracksOne}, &a.warn)
	return err
}

// promise is how much of the input has to be looked at.
func (p analysis) promise(said *journal) promise {
	w := promise{input: p.input, onShort: p.OnShort}
	w.extent = p.streams.lasts(p.info)
	if p.info == nil {
		w.extent = said.extent()
	}
	d := p.DurationSeconds
	w.open = d > 0 && (w.longest == 0 || d < w.longest)
	w.extent = w.upTo(d)
	return w
}

// suits checks that the input has what is to be looked at.
func (p analysis) suits(info *Probe) error {
	switch {
	case p.Detect.video() && info.Video() == nil:
		return fmt.Errorf("input: %s has no picture: leave detect.black and detect.freeze out", redact(p.input.name))
	case p.Detect.audio() && info.Audio() == nil:
		return fmt.Errorf("input: %s has no sound: leave detect.silence and detect.loudness out", redact(p.input.name))
	}
	return nil
}

// picture and sound read what the filters found. They see each frame in order,
// which progress, on another descriptor, does not.
func (a *analyser) picture(in io.Reader) { a.read(in, a.found.frame) }
func (a *analyser) sound(in io.Reader)   { a.read(in, func(float64) {}) }

func (a *analyser) read(in io.Reader, frame func(at float64)) {
	at := 0.0
	eachLine(in, longLine, func(line string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if t, ok := frameTime(line); ok {
			at = t
			frame(at)
			return
		}
		a.found.line(at, line)
	})
}

func (a *analyser) progress(s Stats) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stats = s
	a.report(false)
}

func (a *analyser) report(whole bool) {
	detail := a.found.analysis()
	detail.Stats, detail.Warnings = a.stats, a.warn
	share := a.stats.share(a.total)
	if whole {
		share = 1
	}
	a.env.out.Report(node.Progress{Share: share, Detail: detail})
}
