package media

import (
	"fmt"
	"slices"
	"strings"
)

// MixSpec says what to mix, and where to.
type MixSpec struct {
	// Inputs are mixed from their beginnings, until the last one ends. What ended
	// before leaves a black tile.
	Inputs []MixInput `json:"inputs"`
	// Output is a file, or where a stream can go (see StreamSpec.Output).
	Output string `json:"output"`
	// Layout is "grid", also where it is "".
	Layout string `json:"layout"`
	// Width and Height are those of the whole picture: 1280 and 720 where they
	// are 0.
	Width  int `json:"width"`
	Height int `json:"height"`
	// FPS is 25 where it is 0.
	FPS float64 `json:"fps"`
	// Video is a codec; where it is "", the container's usual one.
	Video   string  `json:"video"`
	Bitrate Bitrate `json:"bitrate"`
	// Audio cannot be copied, since it is mixed.
	Audio Audio `json:"audio"`
	// Container is that of a file, as in TranscodeSpec.
	Container string `json:"container"`
	// Speed is Fast for a file; for a stream always Fastest.
	Speed Speed `json:"speed"`
	// DurationSeconds ends the mix; 0 goes on to the end of the longest input.
	DurationSeconds float64 `json:"duration_seconds"`
	// Existing is Refuse, Replace or Keep.
	Existing Existing `json:"existing"`
	Handling
	Extra
}

// MixInput is one input of a mix.
type MixInput struct {
	// URL is a file or a URL that ffmpeg reads.
	URL string `json:"url"`
	// Video and Audio say whether it has a picture and sound. Where one of them is
	// not given, ffprobe is asked, which takes a look at the input of its own: say
	// both of what can be read only once.
	Video *bool `json:"video"`
	Audio *bool `json:"audio"`
	// Volume is how loud it is, 1 where it is not given.
	Volume *float64 `json:"volume"`
	// StartSeconds is when in the mix it begins; before, there is black and silence.
	StartSeconds float64 `json:"start_seconds"`
}

// mixing is a spec that was checked.
type mixing struct {
	MixSpec
	inputs    []place
	container container
	encoder   encoder
	// file is the path of a file to write, sink where a stream goes.
	file string
	sink sink
}

func (p mixing) source() place { return p.inputs[0] }

// mostInputs bounds what one ffmpeg does at once.
const mostInputs = 64

func mixPlan(t *Tool, o Options, s MixSpec) (mixing, error) {
	p := mixing{MixSpec: s}
	if err := oneOfOrNone("layout", s.Layout, "grid"); err != nil {
		return p, err
	}
	if err := p.sources(o); err != nil {
		return p, err
	}
	if err := p.target(o); err != nil {
		return p, err
	}
	var err error
	if p.Existing, err = s.Existing.check(Refuse, Replace, Keep); err != nil {
		return p, err
	}
	if p.Audio, err = s.Audio.in(p.container); err != nil {
		return p, err
	}
	if p.Audio.Codec == Copy {
		return p, fault("audio.codec", "cannot be copy, since the sound is mixed: choose %s", p.container.audio[0])
	}
	return p, first(p.picture(t), s.Speed.check(), positive("duration_seconds", s.DurationSeconds), s.Handling.check(), s.Extra.check(o), p.noHDR())
}

// noHDR refuses what a mix cannot be.
func (p *mixing) noHDR() error {
	if p.HDR == HDRKeep {
		return fault("hdr", "cannot be keep, since pictures of all kinds are mixed: leave it out, or set it to refuse")
	}
	return nil
}

func (p *mixing) sources(o Options) error {
	if len(p.Inputs) == 0 || len(p.Inputs) > mostInputs {
		return fault("inputs", `must have from 1 to %d inputs, as [{"url": "a.mp4"}, {"url": "b.mp4"}]`, mostInputs)
	}
	for i, in := range p.Inputs {
		field := fmt.Sprintf("inputs[%d]", i)
		source, err := o.source(field+".url", in.URL)
		if err != nil {
			return err
		}
		if v := in.Volume; v != nil && (*v < 0 || *v > 16) {
			return fault(field+".volume", "%v must be from 0 to 16", *v)
		}
		if in.StartSeconds < 0 {
			return fault(field+".start_seconds", "%v must not be negative", in.StartSeconds)
		}
		if in.Video != nil && in.Audio != nil && !*in.Video && !*in.Audio {
			return fault(field+".video", "and audio are both false: leave the input out")
		}
		p.inputs = append(p.inputs, source)
	}
	return nil
}

// target finds out whether the output is a file or a stream.
func (p *mixing) target(o Options) error {
	out, err := o.place("output", p.Output, senders)
	if err != nil {
		return err
	}
	if !out.file() || strings.HasSuffix(out.name, ".m3u8") {
		return p.stream(o)
	}
	if p.container, err = chooseContainer("container", p.Container, out.name, ""); err != nil {
		return err
	}
	if slices.ContainsFunc(p.inputs, func(in place) bool { return in.file() && in.name == out.name }) {
		return fault("output", "%s is an input", out.name)
	}
	p.file = out.name
	return nil
}

func (p *mixing) stream(o Options) error {
	var err error
	if p.sink, err = o.sink("output", p.Output); err != nil {
		return err
	}
	p.sink.pieceSeconds = defaultPiece
	p.container, p.Speed = p.sink.container, Fastest
	if p.Container != "" {
		return fault("container", "is for files, and the output is a stream: leave it out")
	}
	return nil
}

// picture fills in what is left out of the picture, and checks the rest.
func (p *mixing) picture(t *Tool) error {
	if p.Width == 0 && p.Height == 0 {
		p.Width, p.Height = 1280, 720
	}
	if p.Width == 0 || p.Height == 0 {
		return fault("width", "and height must be given together, or not at all for 1280 by 720")
	}
	if p.FPS == 0 {
		p.FPS = 25
	}
	if p.Video == "" {
		p.Video = p.container.video[0]
	}
	if err := first(dimension("width", p.Width), dimension("height", p.Height), frameRate("fps", p.FPS)); err != nil {
		return err
	}
	var err error
	p.encoder, err = t.encoder("video", p.Video)
	return first(err, p.container.holds("video", p.Video))
}

// has are the streams of an input; streams are what is known of them.
type has struct {
	video, audio bool
	streams      picked
}

// args are ffmpeg's; has belongs to the inputs, output is the file to write
// where it is not a stream.
func (p mixing) args(major int, has []has, output string) []string {
	var args []string
	for _, in := range p.inputs {
		// A graph that is made anew when an input changes its size would end the
		// pictures of the others: the filters cope with it.
		args = append(args, "-reinit_filter", "0")
		args = append(args, in.input(major)...)
	}
	graph := mixGraph{p, has}
	args = append(args, "-filter_complex", graph.text())
	if graph.pictures() > 0 {
		args = append(args, "-map", "[v]")
		args = append(args, p.encoder.args(p.Speed)...)
		args = append(args, rate(p.encoder, p.Bitrate)...)
		args = append(args, p.encoder.keys(keySeconds, p.FPS)...)
		args = append(args, appleTag(p.container, p.Video)...)
	}
	if graph.sounds() > 0 {
		args = append(args, "-map", "[a]")
		args = append(args, p.Audio.args([]*StreamInfo{{Channels: 2, Layout: "stereo"}})...)
	}
	if p.DurationSeconds > 0 {
		args = append(args, "-t", seconds(p.DurationSeconds))
	}
	if p.file == "" {
		return append(append(args, p.FFmpegArgs...), p.sink.args()...)
	}
	args = append(append(args, p.container.flags...), p.FFmpegArgs...)
	return append(args, "-f", p.container.muxer, output)
}
