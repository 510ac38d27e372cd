package media

import (
	"context"
	"fmt"
	"slices"

	"github.com/muster-fleet/muster/node"
)

// transcodeDetail is the detail of the report of a transcoding, and of a mix
// into a file.
type transcodeDetail struct {
	Stats
	// Outputs are the files, once they are whole.
	Outputs []string `json:"outputs,omitempty"`
	// Kept is set when they were there already.
	Kept bool `json:"kept,omitempty"`
	// Warnings say in what the result is not what one might expect.
	Warnings []Warning `json:"warnings,omitempty"`
}

func transcode(ctx context.Context, env *environment, p transcoding) error {
	var warn warnings
	if err := p.look(ctx, env, &warn); err != nil {
		return err
	}
	files := results{paths: p.outputs, existing: p.Existing, node: env.node}
	done, err := files.prepare()
	if err != nil {
		return err
	}
	detail := transcodeDetail{Kept: done}
	if !done {
		defer files.discard()
		if split, err := p.split(ctx, env, files.made, &warn); split || err != nil {
			return err
		}
		if detail.Stats, err = p.run(ctx, env, files, &warn); err != nil {
			return err
		}
		if err := files.publish(); err != nil {
			return err
		}
	}
	if done {
		if err := env.stand(ctx, p.outputs, p.promise(), &warn); err != nil {
			return err
		}
	}
	detail.Outputs, detail.Warnings = p.outputs, warn
	detail.whole(p.outputs)
	env.out.Report(node.Progress{Share: 1, Detail: detail})
	return nil
}

// look asks what the input has, and settles what follows from it.
func (p *transcoding) look(ctx context.Context, env *environment, warn *warnings) error {
	var err error
	if p.info, err = env.look(ctx, p.input); err != nil {
		return err
	}
	want := wanted{video: true, audio: p.Audio.Codec != None, tracks: p.AudioTracks, languages: p.Languages, subtitles: p.Subtitles != None}
	if p.streams, err = pick(p.info, want, warn); err != nil || p.info == nil {
		return err
	}
	if p.streams.video == nil {
		return atInput(fmt.Errorf("input: %s has no picture", redact(p.input.name)))
	}
	if total := p.info.Seconds; total > 0 && p.StartSeconds >= total {
		return atInput(fault("start_seconds", "%v is past the end of the input, which lasts %.2f s", p.StartSeconds, total))
	}
	if p.Audio.Codec == Copy {
		if err := p.streams.carries(p.info, p.container, false, true); err != nil {
			return err
		}
	}
	if err := first(p.fitting(warn), p.texts()); err != nil {
		return err
	}
	p.Audio.loses(p.streams.audio, warn)
	if err := p.measure(ctx, env, warn); err != nil {
		return err
	}
	p.fps, err = env.trueRate(ctx, p.input, p.streams.video)
	return first(err, env.toneMaps(p.picture(p.Ladder[0])), p.picture(p.Ladder[0]).suits(warn))
}

// fitting leaves the rungs out that are larger than the input.
func (p *transcoding) fitting(warn *warnings) error {
	if p.Upscale {
		return nil
	}
	width, height := p.streams.video.display()
	var ladder []Rung
	var encoders []encoder
	var outputs []string
	for i, r := range p.Ladder {
		if p.picture(r).enlarges() {
			warn.add(WarnRung, "ladder[%d] is larger than the input (%.0f x %.0f): upscale would make it", i, width, height)
			continue
		}
		ladder, encoders, outputs = append(ladder, r), append(encoders, p.encoders[i]), append(outputs, p.outputs[i])
	}
	if len(ladder) == 0 {
		return atInput(fault("ladder", "has only rungs that are larger than the input, which is %.0f x %.0f: add a smaller one, or set upscale to true", width, height))
	}
	p.Ladder, p.encoders, p.outputs = ladder, encoders, outputs
	return nil
}

func isImage(s *StreamInfo) bool { return slices.Contains(imageSubtitles, s.Codec) }

// texts checks the subtitles.
func (p *transcoding) texts() error {
	if p.Subtitles != SubtitlesKeep || p.container.word == "mkv" {
		return nil
	}
	for _, s := range p.streams.subtitles {
		if isImage(s) {
			return atInput(fault("subtitles", "is keep, but stream %d (%s) is made of pictures, which only mkv holds: choose burn or mkv", s.Index, s.Codec))
		}
	}
	return nil
}

// run is the one run of ffmpeg.
func (p transcoding) run(ctx context.Context, env *environment, files results, warn *warnings) (Stats, error) {
	partial := files.partials()
	want := p.promise()
	want.length = func() float64 { return env.longest(ctx, partial) }
	total := want.longest
	if total == 0 {
		total = p.DurationSeconds
	}
	if p.TwoPass {
		log, remove, err := p.firstPass(ctx, env, func(s Stats) {
			env.out.Report(node.Progress{Share: s.share(2 * total), Detail: transcodeDetail{Stats: s}})
		})
		if remove != nil {
			defer remove()
		}
		if err != nil {
			return Stats{}, err
		}
		p.pass, p.passLog = 2, log
	}
	var last Stats
	said, err := env.ffmpeg(ctx, p.args(env.tool.major(), partial), func(s Stats) {
		last = s
		done := s
		of := total
		if p.pass == 2 {
			done.Seconds, of = s.Seconds+total, 2*total
		}
		env.out.Report(node.Progress{Share: done.share(of), Detail: transcodeDetail{Stats: s}})
	})
	if err == nil {
		err = want.kept(said, last.Seconds, warn)
	}
	if err != nil {
		return last, err
	}
	return last, p.loud(ctx, env, partial[0], warn)
}

// promise is what the files have to be.
func (p transcoding) promise() promise {
	w := promise{input: p.input, onShort: p.OnShort, mayBeEmpty: map[string]bool{"subtitle": true}}
	w.extent = p.streams.lasts(p.info).from(p.StartSeconds).upTo(p.DurationSeconds)
	if !p.streams.known {
		return w
	}
	for range p.outputs {
		w.outputs = append(w.outputs, tracksOf{1, len(p.streams.audio)})
	}
	for _, s := range p.streams.audio {
		if s.Seconds > 0 && s.Seconds <= p.StartSeconds || p.DurationSeconds > 0 && s.Start >= p.StartSeconds+p.DurationSeconds {
			w.mayBeEmpty["audio"] = true
		}
	}
	return w
}
