package media

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// TranscodeSpec says into what an input is to be transcoded.
type TranscodeSpec struct {
	// Input is a file or a URL that ffmpeg reads.
	Input string `json:"input"`
	// Output is a directory, or the pattern of the files, in which {name} is the
	// input's name without its ending, and {height}, {width}, {codec} and {rung}
	// (from 0) are the rung's. In a directory they are called
	// "{name}-{height}p", or "{name}-{width}w" where rungs have no height.
	Output string `json:"output"`
	// Ladder has a rung for each file.
	Ladder []Rung `json:"ladder"`
	// Audio is that of all rungs.
	Audio Audio `json:"audio"`
	// Container is mp4, mkv, webm or ts. "" is that of the output's ending, else
	// mp4.
	Container string `json:"container"`
	// Speed is Fast where nothing is said.
	Speed Speed `json:"speed"`
	// StartSeconds and DurationSeconds choose a part of the input; 0 is all.
	StartSeconds    float64 `json:"start_seconds"`
	DurationSeconds float64 `json:"duration_seconds"`
	// Existing is Refuse, Replace or Keep.
	Existing Existing `json:"existing"`
	// KeyframeSeconds is the time between key frames, 2 where it is 0.
	KeyframeSeconds float64 `json:"keyframe_seconds"`
	// Upscale lets a rung be larger than the input; else such a rung is skipped,
	// with a warning, and a ladder of which nothing is left fails.
	Upscale bool `json:"upscale"`
	// AudioTracks is "one" (the default: the track with the default flag, else
	// the first) or "all".
	AudioTracks string `json:"audio_tracks"`
	// Languages chooses tracks of sound and subtitles by their codes, as ["de",
	// "en"], in that order: all that have one of them.
	Languages []string `json:"languages"`
	// Subtitles is "none" (the default), "keep" (as tracks) or "burn" (the first
	// track becomes part of the picture).
	Subtitles string `json:"subtitles"`
	// Loudness is how loud the sound is to become; nil leaves it.
	Loudness *LoudnessTarget `json:"loudness"`
	// TwoPass encodes the pictures twice, so that the bitrates are spent where the
	// film needs them. It is for files, and for h264, vp8 and vp9.
	TwoPass bool `json:"two_pass"`
	// Split cuts a long film at key frames, encodes the pieces on all workers, and
	// joins them. It is for files that all workers see, and needs `muster run
	// --wait`, or package job.
	Split bool `json:"split"`
	Handling
	Extra
}

// The words for TranscodeSpec.Subtitles, beside None.
const (
	SubtitlesKeep = "keep"
	SubtitlesBurn = "burn"
)

// Rung is one size and codec of a ladder.
type Rung struct {
	// Height and Width are in pixels and even; where one is 0 it follows from the
	// shape of the picture.
	Height int `json:"height"`
	Width  int `json:"width"`
	// Codec is the container's usual one where it is "": h264, or vp9 in webm.
	Codec string `json:"codec"`
	// Encoder is one of ffmpeg's for the codec, as "h264_nvenc" for that of a device;
	// "" is the first that works, software before devices.
	Encoder string `json:"encoder"`
	// Bitrate is the encoder's choice where it is 0.
	Bitrate Bitrate `json:"bitrate"`
	// FPS is the input's where it is 0.
	FPS float64 `json:"fps"`
	// CRF is the quality in the encoder's own measure, less is better: 0 to 51 for
	// h264 and h265, 0 to 63 for the others. It stands in the place of Bitrate;
	// nil is the encoder's choice.
	CRF *int `json:"crf"`
	// Preset is the encoder's own word for its effort, in the place of Speed:
	// ultrafast to placebo for h264 and h265, 0 to 13 for av1 by SVT.
	Preset string `json:"preset"`
	// PixFmt is how pixels are coded: yuv420p (the default; all players show it),
	// yuv422p, yuv444p, or these with 10 bits, as yuv420p10le.
	PixFmt string `json:"pix_fmt"`
}

// transcoding is a spec that was checked.
type transcoding struct {
	TranscodeSpec
	input     place
	container container
	// encoders and outputs belong to the rungs.
	encoders []encoder
	outputs  []string

	// What follows is known when the input was looked at; info is nil where it
	// cannot be read twice.
	info    *Probe
	streams picked
	// fps is the rate of an input whose own is not to be believed, "" of others.
	fps string
	// levels are filters that change the loudness, of each track of sound.
	levels []string
	// pass is 1 or 2 of two, and passLog where the first keeps what it learnt.
	pass    int
	passLog string
	// before are in front of the input, and cut is the first filter: of a piece.
	before []string
	cut    string
}

func (p transcoding) source() place { return p.input }

// mostRungs bounds what one ffmpeg does at once.
const mostRungs = 16

func transcodePlan(t *Tool, o Options, s TranscodeSpec) (transcoding, error) {
	p := transcoding{TranscodeSpec: s}
	var err error
	if p.input, err = o.source("input", s.Input); err != nil {
		return p, err
	}
	out, err := o.target("output", s.Output)
	if err != nil {
		return p, err
	}
	if p.container, err = chooseContainer("container", s.Container, out.name, "mp4"); err != nil {
		return p, err
	}
	if p.Audio, err = s.Audio.in(p.container); err != nil {
		return p, err
	}
	if p.Existing, err = s.Existing.check(Refuse, Replace, Keep); err != nil {
		return p, err
	}
	fill(&p.KeyframeSeconds, keySeconds)
	err = first(s.Speed.check(), positive("start_seconds", s.StartSeconds), positive("duration_seconds", s.DurationSeconds),
		positive("keyframe_seconds", s.KeyframeSeconds), s.Handling.check(), s.Extra.check(o), p.tracks())
	if err != nil {
		return p, err
	}
	if err := first(p.rungs(t), p.twice(), p.loudness(), p.splittable()); err != nil {
		return p, err
	}
	return p, p.name(out.name)
}

// loudness completes what is said of it.
func (p *transcoding) loudness() error {
	if p.Loudness == nil {
		return nil
	}
	if p.Audio.Codec == Copy || p.Audio.Codec == None {
		return fault("loudness", "changes the sound, but audio.codec is %q: choose a codec", p.Audio.Codec)
	}
	if !p.input.file() {
		return fault("loudness", "is for files: it is measured before the sound is encoded")
	}
	l, err := p.Loudness.complete()
	p.Loudness = &l
	return err
}

// tracks checks which tracks are wanted.
func (p *transcoding) tracks() error {
	if p.AudioTracks == "" {
		p.AudioTracks = TracksOne
	}
	if p.Subtitles == "" {
		p.Subtitles = None
	}
	if err := oneOf("audio_tracks", p.AudioTracks, []string{TracksOne, TracksAll}); err != nil {
		return err
	}
	if p.Subtitles == SubtitlesKeep && subtitleCodecs[p.container.word] == nil {
		return fault("subtitles", "cannot be keep in %s: choose burn, or another container", p.container.word)
	}
	return oneOf("subtitles", p.Subtitles, []string{None, SubtitlesKeep, SubtitlesBurn})
}

// rungs checks the ladder, and finds its encoders.
func (p *transcoding) rungs(t *Tool) error {
	if len(p.Ladder) == 0 || len(p.Ladder) > mostRungs {
		return fault("ladder", `must have from 1 to %d rungs, as [{"height": 720}]`, mostRungs)
	}
	p.Ladder = append([]Rung(nil), p.Ladder...)
	for i := range p.Ladder {
		field := fmt.Sprintf("ladder[%d]", i)
		e, err := p.Ladder[i].check(field, p.container, t)
		if err = first(err, p.keeps(field+".codec", p.Ladder[i].Codec), p.deepEnough(field, p.Ladder[i])); err != nil {
			return err
		}
		p.encoders = append(p.encoders, e)
	}
	return nil
}

// deepEnough checks that HDR is not kept in 8 bits.
func (p *transcoding) deepEnough(field string, r Rung) error {
	if p.HDR == HDRKeep && r.PixFmt != "" && !strings.Contains(r.PixFmt, "10") {
		return fault(field+".pix_fmt", "%s has 8 bits, which is too few for HDR: leave it out, or set hdr to tonemap", r.PixFmt)
	}
	return nil
}

func (r *Rung) check(field string, c container, t *Tool) (encoder, error) {
	if r.Height == 0 && r.Width == 0 {
		return encoder{}, fault(field+".height", "is missing: give height, width or both")
	}
	if r.Codec == "" {
		r.Codec = c.video[0]
	}
	err := first(dimension(field+".height", r.Height), dimension(field+".width", r.Width), frameRate(field+".fps", r.FPS))
	if err != nil {
		return encoder{}, err
	}
	var e encoder
	if r.Encoder != "" {
		e, err = t.named(field+".encoder", r.Codec, r.Encoder)
	} else {
		e, err = t.encoder(field+".codec", r.Codec)
	}
	return e, first(err, c.holds(field+".codec", r.Codec), r.effort(field, e))
}

// name works out the files, which must differ.
func (p *transcoding) name(out string) error {
	dir, base := filepath.Split(out)
	if !strings.Contains(base, "{") && ending(base) == "" {
		dir, base = out, "{name}-{height}p"
		if p.Ladder[0].Height == 0 {
			base = "{name}-{width}w"
		}
	}
	if ending(base) == "" {
		base += "." + p.container.word
	}
	taken := map[string]int{}
	for i, r := range p.Ladder {
		name, err := r.fill(base, i, p.stem())
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		if other, is := taken[path]; is {
			return fault("output", "%s is what ladder[%d] and ladder[%d] would both be called: put {height}, {codec} or {rung} into it", name, other, i)
		}
		if path == p.input.name {
			return fault("output", "%s is the input", path)
		}
		taken[path] = i
		p.outputs = append(p.outputs, path)
	}
	return nil
}

// stem is the name of the input without its ending.
func (p *transcoding) stem() string {
	base := filepath.Base(strings.SplitN(p.input.name, "?", 2)[0])
	if p.input.file() {
		base = filepath.Base(p.input.name)
	}
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// fill puts a rung into the pattern of names.
func (r Rung) fill(pattern string, i int, stem string) (string, error) {
	for word, n := range map[string]int{"{height}": r.Height, "{width}": r.Width} {
		if n == 0 && strings.Contains(pattern, word) {
			return "", fault("output", "has %s, but ladder[%d] has no %s", word, i, strings.Trim(word, "{}"))
		}
	}
	fill := strings.NewReplacer("{name}", stem, "{height}", strconv.Itoa(r.Height), "{width}", strconv.Itoa(r.Width),
		"{codec}", r.Codec, "{rung}", strconv.Itoa(i))
	for _, word := range braced().FindAllString(pattern, -1) {
		if fill.Replace(word) == word {
			return "", fault("output", "%s is unknown: there are {name}, {height}, {width}, {codec} and {rung}", word)
		}
	}
	return fill.Replace(pattern), nil
}

// braced are the words that a pattern has filled in.
var braced = lazily(`{[^{}]*}`)

// pixelFormats are those of encoders that know more than yuv420p.
var pixelFormats = map[string][]string{
	"libx264":    {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"},
	"libx265":    {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"},
	"libvpx-vp9": {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"},
	"libaom-av1": {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"},
	"libsvtav1":  {"yuv420p", "yuv420p10le"},
}

// pixels checks how pixels are coded.
func (r *Rung) pixels(field string, e encoder) error {
	known := pixelFormats[e.name]
	if known == nil || e.profile != "" {
		known = []string{"yuv420p"}
	}
	return oneOfOrNone(field+".pix_fmt", r.PixFmt, known...)
}

// effort checks the quality and the preset, which are in the encoder's words.
func (r *Rung) effort(field string, e encoder) error {
	if err := r.pixels(field, e); err != nil {
		return err
	}
	if r.CRF != nil {
		most, can := crfs[e.name]
		switch {
		case r.Bitrate != 0:
			return fault(field+".crf", "and bitrate say both how much is spent: leave one of them out")
		case !can:
			return fault(field+".crf", "is unknown to the encoder %s: give a bitrate", e.name)
		}
		if err := between(field+".crf", *r.CRF, 0, most); err != nil {
			return err
		}
	}
	if r.Preset == "" {
		return nil
	}
	words := presets(e.name)
	if words == nil {
		return fault(field+".preset", "is unknown to the encoder %s: use speed", e.name)
	}
	return oneOf(field+".preset", r.Preset, words)
}
