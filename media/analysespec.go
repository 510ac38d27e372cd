package media

import (
	"fmt"
	"strings"
)

// AnalyseSpec says what to look for in an input.
type AnalyseSpec struct {
	// Input is a file or a URL that ffmpeg reads.
	Input string `json:"input"`
	// Detect names what to look for.
	Detect Detect `json:"detect"`
	// Realtime reads a file as fast as it plays, else it is read as fast as it
	// can be.
	Realtime bool `json:"realtime"`
	// DurationSeconds ends the analysis; 0 goes on to the end of the input.
	DurationSeconds float64 `json:"duration_seconds"`
	// OnShort is ShortFails or ShortWarns.
	OnShort OnShort `json:"on_short"`
}

// Detect has one member for each thing to look for; {} takes its defaults.
type Detect struct {
	Black    *BlackSpec    `json:"black"`
	Silence  *SilenceSpec  `json:"silence"`
	Freeze   *FreezeSpec   `json:"freeze"`
	Loudness *LoudnessSpec `json:"loudness"`
}

// BlackSpec is when a picture counts as black.
type BlackSpec struct {
	// MinSeconds is how long it must be black: 2 where it is 0.
	MinSeconds float64 `json:"min_seconds"`
	// Pixel is how bright a black pixel may be, and Picture how many of its
	// pixels must be black, both from 0 to 1: 0.1 and 0.98 where they are 0.
	Pixel   float64 `json:"pixel"`
	Picture float64 `json:"picture"`
}

// SilenceSpec is when a sound counts as silence.
type SilenceSpec struct {
	// MinSeconds is how long it must be silent: 2 where it is 0.
	MinSeconds float64 `json:"min_seconds"`
	// NoiseDB is the loudest that counts as silence: -60 where it is 0.
	NoiseDB float64 `json:"noise_db"`
}

// FreezeSpec is when a picture counts as frozen.
type FreezeSpec struct {
	// MinSeconds is for how long it must not change: 2 where it is 0.
	MinSeconds float64 `json:"min_seconds"`
	// NoiseDB is the most change that counts as none: -60 where it is 0.
	NoiseDB float64 `json:"noise_db"`
}

// LoudnessSpec configures loudness reports (EBU R 128).
type LoudnessSpec struct {
	// EverySeconds is how often: 10 where it is 0.
	EverySeconds float64 `json:"every_seconds"`
}

// analysis is a spec that was checked.
type analysis struct {
	AnalyseSpec
	input place

	// What follows is known when the input was looked at.
	info    *Probe
	streams picked
}

func (p analysis) source() place { return p.input }

func analysePlan(_ *Tool, o Options, s AnalyseSpec) (analysis, error) {
	p := analysis{AnalyseSpec: s}
	var err error
	if p.input, err = o.source("input", s.Input); err != nil {
		return p, err
	}
	if s.Detect == (Detect{}) {
		return p, fault("detect", `is missing: name one or more of black, silence, freeze and loudness, as {"black": {}}`)
	}
	if s.Realtime && !p.input.file() {
		return p, fault("realtime", "is for files, and the input is live, which sets its own pace: leave it out")
	}
	p.Detect, err = s.Detect.complete()
	return p, first(err, positive("duration_seconds", s.DurationSeconds), s.OnShort.check())
}

// complete fills in the defaults, in copies, and checks the limits.
func (d Detect) complete() (Detect, error) {
	var errs []error
	if d.Black != nil {
		b := *d.Black
		fill(&b.MinSeconds, 2)
		fill(&b.Pixel, 0.1)
		fill(&b.Picture, 0.98)
		d.Black = &b
		errs = append(errs, positive("detect.black.min_seconds", b.MinSeconds), share("detect.black.pixel", b.Pixel), share("detect.black.picture", b.Picture))
	}
	if d.Silence != nil {
		s := *d.Silence
		fill(&s.MinSeconds, 2)
		fill(&s.NoiseDB, -60)
		d.Silence = &s
		errs = append(errs, positive("detect.silence.min_seconds", s.MinSeconds), decibels("detect.silence.noise_db", s.NoiseDB))
	}
	if d.Freeze != nil {
		f := *d.Freeze
		fill(&f.MinSeconds, 2)
		fill(&f.NoiseDB, -60)
		d.Freeze = &f
		errs = append(errs, positive("detect.freeze.min_seconds", f.MinSeconds), decibels("detect.freeze.noise_db", f.NoiseDB))
	}
	if d.Loudness != nil {
		l := *d.Loudness
		fill(&l.EverySeconds, 10)
		d.Loudness = &l
		errs = append(errs, positive("detect.loudness.every_seconds", l.EverySeconds))
	}
	return d, first(errs...)
}

func fill(value *float64, otherwise float64) {
	if *value == 0 {
		*value = otherwise
	}
}

func share(field string, v float64) error {
	if v < 0 || v > 1 {
		return fault(field, "%v must be from 0 to 1", v)
	}
	return nil
}

func decibels(field string, v float64) error {
	if v > 0 || v < -200 {
		return fault(field, "%v must be from -200 to 0 decibels", v)
	}
	return nil
}

// video and audio report whether picture and sound are looked at.
func (d Detect) video() bool { return d.Black != nil || d.Freeze != nil }
func (d Detect) audio() bool { return d.Silence != nil || d.Loudness != nil }

// args are ffmpeg's. What is found in the picture is written to descriptor 3,
// what is found in the sound to 4.
func (p analysis) args(major int) []string {
	var args []string
	if p.Realtime {
		args = append(args, "-re")
	}
	args = append(args, p.input.input(major)...)
	if p.Detect.video() {
		args = append(args, "-map", p.streams.videoMap(), "-vf", p.Detect.pictureFilters())
	}
	if p.Detect.audio() {
		args = append(args, "-map", p.streams.audioMaps(TracksOne)[0], "-af", joined(p.streams.unarranged(), p.Detect.soundFilters()))
	}
	if p.DurationSeconds > 0 {
		args = append(args, "-t", seconds(p.DurationSeconds))
	}
	return append(args, "-f", "null", "-")
}

func (d Detect) pictureFilters() string {
	var filters []string
	if b := d.Black; b != nil {
		filters = append(filters, fmt.Sprintf("blackdetect=d=%s:pix_th=%s:pic_th=%s", seconds(b.MinSeconds), seconds(b.Pixel), seconds(b.Picture)))
	}
	if f := d.Freeze; f != nil {
		filters = append(filters, fmt.Sprintf("freezedetect=n=%sdB:d=%s", seconds(f.NoiseDB), seconds(f.MinSeconds)))
	}
	// Each frame is written, so that a start is reported while it is still black.
	return strings.Join(append(filters, `metadata=mode=add:key=frame:value=1,metadata=mode=print:direct=1:file='pipe\:3'`), ",")
}

func (d Detect) soundFilters() string {
	var filters []string
	if s := d.Silence; s != nil {
		filters = append(filters, fmt.Sprintf("silencedetect=n=%sdB:d=%s", seconds(s.NoiseDB), seconds(s.MinSeconds)))
	}
	if d.Loudness != nil {
		filters = append(filters, "ebur128=metadata=1:peak=true")
	}
	return strings.Join(append(filters, `ametadata=mode=print:direct=1:file='pipe\:4'`), ",")
}
