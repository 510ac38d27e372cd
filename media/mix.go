package media

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/muster-fleet/muster/node"
)

func mix(ctx context.Context, d *desk, p mixing) error {
	files := results{existing: p.Existing, node: d.node}
	if p.file != "" {
		files.paths = []string{p.file}
	} else if p.sink.file() {
		if err := (streaming{StreamSpec: StreamSpec{Existing: p.Existing}, sink: p.sink}).prepare(); err != nil {
			return err
		}
	}
	done, err := files.prepare()
	if err != nil {
		return err
	}
	if done && p.file != "" {
		d.out.Report(node.Progress{Share: 1, Detail: transcodeDetail{Kept: true, Outputs: files.paths}})
		return nil
	}
	defer files.discard()
	return p.run(ctx, d, files)
}

// run is the one run of ffmpeg. A mix that is told to stop is whole: that is
// how a mix of live inputs ends.
func (p mixing) run(ctx context.Context, d *desk, files results) error {
	streams, total, err := p.look(ctx, d)
	if err != nil {
		return err
	}
	output := ""
	if p.file != "" {
		output = files.partial(p.file)
	}
	var last Stats
	err = d.ffmpeg(ctx, p.args(d.tool.major(), streams, output), func(s Stats) {
		last = s
		d.out.Report(node.Progress{Share: s.share(total), Detail: transcodeDetail{Stats: s}})
	})
	if err != nil && !(errors.Is(err, errFinished) && last.Seconds > 0) {
		return err
	}
	if err := files.publish(); err != nil {
		return err
	}
	d.out.Report(node.Progress{Share: last.share(total), Detail: transcodeDetail{Stats: last, Outputs: files.paths}})
	return err
}

// look finds out what the inputs have, and how long the longest is.
func (p mixing) look(ctx context.Context, d *desk) ([]has, float64, error) {
	infos, errs := make([]*Probe, len(p.inputs)), make([]error, len(p.inputs))
	var asked sync.WaitGroup
	for i, in := range p.Inputs {
		if in.Video == nil || in.Audio == nil {
			asked.Go(func() { infos[i], errs[i] = d.tool.probe(ctx, p.inputs[i]) })
		}
	}
	asked.Wait()
	streams := make([]has, len(p.inputs))
	for i, in := range p.Inputs {
		if errs[i] != nil {
			return nil, 0, fmt.Errorf("inputs[%d].url: %w", i, errs[i])
		}
		streams[i] = in.has(infos[i])
		if streams[i] == (has{}) {
			return nil, 0, fault(fmt.Sprintf("inputs[%d].url", i), "has neither picture nor sound")
		}
	}
	if g := (mixGraph{p, streams}); g.pictures()+g.sounds() == 0 {
		return nil, 0, fault("inputs", "have no picture, and audio.codec is none: nothing would be mixed")
	}
	return streams, p.length(infos), nil
}

// has is what the spec says, else what ffprobe found.
func (in MixInput) has(info *Probe) has {
	var h has
	if info != nil {
		h = has{info.Video() != nil, info.Audio() != nil}
	}
	if in.Video != nil {
		h.video = *in.Video
	}
	if in.Audio != nil {
		h.audio = *in.Audio
	}
	return h
}

// length is that of the mix, in seconds; 0 is unknown.
func (p mixing) length(infos []*Probe) float64 {
	longest := 0.0
	for _, info := range infos {
		if info == nil || info.Seconds == 0 {
			longest = 0
			break
		}
		longest = max(longest, info.Seconds)
	}
	if d := p.DurationSeconds; d > 0 && (longest == 0 || d < longest) {
		return d
	}
	return longest
}
