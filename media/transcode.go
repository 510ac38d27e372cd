package media

import (
	"context"
	"fmt"

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
}

func transcode(ctx context.Context, d *desk, p transcoding) error {
	files := results{paths: p.outputs, existing: p.Existing, node: d.node}
	done, err := files.prepare()
	if err != nil {
		return err
	}
	detail := transcodeDetail{Kept: done}
	if !done {
		defer files.discard()
		if detail.Stats, err = p.run(ctx, d, files); err != nil {
			return err
		}
		if err := files.publish(); err != nil {
			return err
		}
	}
	detail.Outputs = p.outputs
	d.out.Report(node.Progress{Share: 1, Detail: detail})
	return nil
}

// run is the one run of ffmpeg.
func (p transcoding) run(ctx context.Context, d *desk, files results) (Stats, error) {
	info, err := d.look(ctx, p.input)
	if err != nil {
		return Stats{}, err
	}
	if info != nil && info.Video() == nil {
		return Stats{}, fmt.Errorf("input: %s has no picture", redact(p.input.name))
	}
	partial := make([]string, len(p.outputs))
	for i, path := range p.outputs {
		partial[i] = files.partial(path)
	}
	total := p.length(info)
	var last Stats
	err = d.ffmpeg(ctx, p.args(d.tool.major(), partial), func(s Stats) {
		last = s
		d.out.Report(node.Progress{Share: s.share(total), Detail: transcodeDetail{Stats: s}})
	})
	return last, err
}

// length is how long the result will be, in seconds; 0 is unknown.
func (p transcoding) length(info *Probe) float64 {
	total := 0.0
	if info != nil && info.Seconds > p.StartSeconds {
		total = info.Seconds - p.StartSeconds
	}
	if d := p.DurationSeconds; d > 0 && (total == 0 || d < total) {
		total = d
	}
	return total
}
