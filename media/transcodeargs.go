package media

import (
	"fmt"
	"slices"
	"strings"
)

// args are ffmpeg's; outputs are the names to write under.
func (p transcoding) args(major int, outputs []string) []string {
	args := slices.Clone(p.before)
	if p.StartSeconds > 0 {
		args = append(args, "-ss", seconds(p.StartSeconds))
	}
	args = append(args, p.input.input(major)...)
	args = append(args, "-filter_complex", p.graph())
	for i, r := range p.Ladder {
		args = append(args, "-map", fmt.Sprintf("[v%d]", i))
		args = append(args, p.encode(i)...)
		if p.pass > 0 {
			args = append(args, p.encoders[i].patient()...)
			args = append(args, "-pass", fmt.Sprint(p.pass), "-passlogfile", p.passLog)
		}
		args = append(args, appleTag(p.container, r.Codec)...)
		args = append(args, p.sound()...)
		args = append(args, p.subtitles()...)
		if p.DurationSeconds > 0 {
			args = append(args, "-t", seconds(p.DurationSeconds))
		}
		if p.pass == 1 {
			args = append(append(args, p.FFmpegArgs...), "-f", "null", outputs[i])
			continue
		}
		args = append(append(args, p.container.flags...), p.FFmpegArgs...)
		args = append(args, "-f", p.container.muxer, outputs[i])
	}
	return args
}

// encode are the arguments for the encoder of a rung.
func (p transcoding) encode(i int) []string {
	r, e := p.Ladder[i], p.encoders[i]
	args := e.args(p.Speed)
	if r.Preset != "" {
		args = append(args, "-preset", r.Preset) // the last one counts
	}
	if r.CRF != nil {
		args = append(args, e.quality(*r.CRF)...)
	} else {
		args = append(args, rate(e, r.Bitrate)...)
	}
	return append(args, p.keys(i)...)
}

// keys are the arguments for the key frames of a rung. Where an encoder in the ladder
// counts pictures all do, or they would drift apart: two seconds of 29.97 pictures are
// no whole number of them. Rungs of different rates have no such number.
func (p transcoding) keys(i int) []string {
	e, rate := p.encoders[i], p.rate(p.Ladder[i])
	same := rate > 0 && !slices.ContainsFunc(p.Ladder, func(r Rung) bool { return p.rate(r) != rate })
	if same && !e.counts() && slices.ContainsFunc(p.encoders, encoder.counts) {
		return e.forced(fmt.Sprintf("n,n_forced*%d", picturesIn(p.KeyframeSeconds, rate)))
	}
	return e.keys(p.KeyframeSeconds, rate)
}

// rate is how many pictures a second a rung has, 0 where that is not known.
func (p transcoding) rate(r Rung) float64 {
	switch {
	case r.FPS > 0:
		return r.FPS
	case p.streams.video != nil:
		return p.streams.video.FPS
	}
	return 0
}

func (p transcoding) sound() []string {
	var args []string
	if p.Audio.Codec != None {
		for _, m := range p.streams.audioMaps(p.AudioTracks) {
			args = append(args, "-map", m)
		}
	}
	return append(args, p.Audio.levelled(p.streams.audio, p.levels)...)
}

// subtitleCodecs are those in which a container holds subtitles; that of
// Matroska holds most as they are.
var subtitleCodecs = map[string][]string{"mp4": {"mov_text"}, "mkv": {"copy"}, "webm": {"webvtt"}}

// imageSubtitles are pictures, which cannot become text.
var imageSubtitles = []string{"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"}

func (p transcoding) subtitles() []string {
	if p.Subtitles != SubtitlesKeep || len(p.streams.subtitles) == 0 {
		return nil
	}
	var args []string
	codec := subtitleCodecs[p.container.word][0]
	for i, s := range p.streams.subtitles {
		own := codec
		if codec == Copy && s.Codec == "mov_text" {
			own = "subrip"
		}
		args = append(args, "-map", fmt.Sprint("0:", s.Index), fmt.Sprint("-c:s:", i), own)
	}
	return args
}

// graph decodes the picture once, and makes one of each size.
func (p transcoding) graph() string {
	var b strings.Builder
	source := p.streams.videoMap()
	if !p.streams.known {
		source = "0:V:0"
	}
	fmt.Fprintf(&b, "[%s]%s%ssplit=%d", source, p.cut, p.burn(), len(p.Ladder))
	for i := range p.Ladder {
		fmt.Fprintf(&b, "[s%d]", i)
	}
	for i, r := range p.Ladder {
		fmt.Fprintf(&b, ";[s%d]%s[v%d]", i, p.picture(r).filters(), i)
	}
	return b.String()
}

// burn draws subtitles into the picture before it is split.
func (p transcoding) burn() string {
	if p.Subtitles != SubtitlesBurn || len(p.streams.subtitles) == 0 {
		return ""
	}
	s := p.streams.subtitles[0]
	if isImage(s) {
		return fmt.Sprintf("[0:%d]overlay,", s.Index)
	}
	number := 0
	for _, other := range p.info.Streams {
		if other.Kind == "subtitle" && other.Index < s.Index {
			number++
		}
	}
	text := fmt.Sprintf("subtitles=filename=%s:si=%d,", filterPath(p.input.name), number)
	if p.StartSeconds > 0 { // the filter counts from the beginning of the file
		at := seconds(p.StartSeconds)
		return "setpts=PTS+" + at + "/TB," + text + "setpts=PTS-" + at + "/TB,"
	}
	return text
}

// filterPath quotes a path for a filter, whose text is read twice: as that of a
// graph and as that of options.
func filterPath(path string) string {
	option := strings.NewReplacer(`\`, `\\`, `'`, `\'`, `:`, `\:`).Replace(path)
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`, `[`, `\[`, `]`, `\]`, `,`, `\,`, `;`, `\;`, ` `, `\ `).Replace(option)
}

// picture is that of a rung.
func (p transcoding) picture(r Rung) picture {
	own := picture{from: p.streams.video, width: r.Width, height: r.Height, fps: rateArg(r.FPS), handling: p.Handling, pixels: r.PixFmt}
	if own.fps == "" {
		own.fps = p.fps
	}
	return own
}
