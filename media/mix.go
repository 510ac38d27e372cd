package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/muster-fleet/muster/node"
)

func mix(ctx context.Context, env *environment, p mixing) error {
	files := results{existing: p.Existing, node: env.node}
	if p.file != "" {
		files.paths = []string{p.file}
	} else if p.sink.file() {
		made, err := streaming{StreamSpec: StreamSpec{Existing: p.Existing}, sink: p.sink}.prepare()
		defer removeEmpty(made)
		if err != nil {
			return err
		}
	}
	done, err := files.prepare()
	if err != nil {
		return err
	}
	if done && p.file != "" {
		var warn warnings
		streams, infos, err := p.look(ctx, env, &warn)
		if err == nil {
			err = env.stand(ctx, files.paths, p.promise(streams, infos), &warn)
		}
		if err != nil {
			return err
		}
		env.out.Report(node.Progress{Share: 1, Detail: transcodeDetail{Kept: true, Outputs: files.paths, Warnings: warn}})
		return nil
	}
	defer files.discard()
	return errors.Join(p.run(ctx, env, files), p.sink.end())
}

// run is the one run of ffmpeg. A mix that is stopped on request is whole: that is
// how a mix of live inputs ends.
func (p mixing) run(ctx context.Context, env *environment, files results) error {
	var warn warnings
	streams, infos, err := p.look(ctx, env, &warn)
	if err != nil {
		return err
	}
	output := ""
	if p.file != "" {
		output = files.partial(p.file)
	}
	want := p.promise(streams, infos)
	if p.file != "" {
		want.length = func() float64 { return env.longest(ctx, []string{output}) }
	}
	var last Stats
	said, err := env.ffmpeg(ctx, p.args(env.tool.major(), streams, output), func(s Stats) {
		last = s
		env.out.Report(node.Progress{Share: s.share(want.longest), Detail: transcodeDetail{Stats: s}})
	})
	if err == nil {
		err = want.kept(said, last.Seconds, &warn)
	} else if errors.Is(err, errFinished) {
		said.stopped(&warn)
	}
	if err != nil && !(errors.Is(err, errFinished) && last.Seconds > 0) {
		return err
	}
	if err := files.publish(); err != nil {
		return err
	}
	if len(files.paths) > 0 {
		last.whole(files.paths)
	}
	env.out.Report(node.Progress{Share: last.share(want.longest), Detail: transcodeDetail{Stats: last, Outputs: files.paths, Warnings: warn}})
	return err
}

// look finds out what the inputs have.
func (p mixing) look(ctx context.Context, env *environment, warn *warnings) ([]has, []*Probe, error) {
	infos, errs := make([]*Probe, len(p.inputs)), make([]error, len(p.inputs))
	var asked sync.WaitGroup
	for i, in := range p.Inputs {
		// A file can be looked at; of what can be read only once the spec says all.
		if in.Video == nil || in.Audio == nil || p.inputs[i].file() {
			asked.Go(func() {
				infos[i], errs[i] = env.tool.probe(ctx, p.inputs[i])
			})
		}
	}
	asked.Wait()
	streams := make([]has, len(p.inputs))
	for i, in := range p.Inputs {
		field := fmt.Sprintf("inputs[%d].url", i)
		err := errs[i]
		if err == nil {
			streams[i], err = in.has(infos[i], p, warn)
		}
		if err == nil && !streams[i].video && !streams[i].audio {
			err = errors.New("has neither picture nor sound")
		}
		if err == nil && streams[i].video {
			err = env.toneMaps(picture{from: streams[i].streams.video, handling: p.Handling})
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", field, err)
		}
	}
	if g := (mixGraph{p, streams}); g.pictures()+g.sounds() == 0 {
		return nil, nil, fault("inputs", "have no picture, and audio.codec is none: nothing would be mixed")
	}
	return streams, infos, nil
}

// has is what the spec says, else what ffprobe found.
func (in MixInput) has(info *Probe, p mixing, warn *warnings) (has, error) {
	var h has
	if info != nil {
		h = has{video: info.Video() != nil, audio: info.Audio() != nil}
	}
	if in.Video != nil {
		h.video = *in.Video
	}
	if in.Audio != nil {
		h.audio = *in.Audio
	}
	var err error
	h.streams, err = pick(info, wanted{video: h.video, audio: h.audio && p.Audio.Codec != None, tracks: TracksOne}, warn)
	if err != nil {
		return h, err
	}
	if h.streams.known && h.video && h.streams.video == nil {
		return h, errors.New("has no picture, and video is true")
	}
	return h, picture{from: h.streams.video, handling: p.Handling}.suits(warn)
}

// promise is what the mix has to be: as long as the longest input.
func (p mixing) promise(streams []has, infos []*Probe) promise {
	w := promise{input: p.inputs[0], onShort: p.OnShort, mayBeEmpty: map[string]bool{}}
	w.exact = true
	for i, info := range infos {
		e := streams[i].streams.lasts(info)
		w.lacks = cmp.Or(w.lacks, e.lacks)
		if e.longest == 0 {
			w.longest = 0
			break
		}
		w.longest = max(w.longest, e.longest+p.Inputs[i].StartSeconds)
	}
	if d := p.DurationSeconds; d > 0 && (w.longest == 0 || d < w.longest) {
		w.longest, w.open = d, true
		w.exact = !slices.Contains(infos, nil)
	}
	w.shortest = w.longest
	return w
}
