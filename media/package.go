package media

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/muster-fleet/muster/node"
)

const (
	masterName   = "master.m3u8"
	manifestName = "manifest.mpd"
)

// packageDetail is the detail of a package's report.
type packageDetail struct {
	Stats
	// Outputs are what players open, once the package is whole.
	Outputs []string `json:"outputs,omitempty"`
	// Segments are all files of pictures and sound.
	Segments int       `json:"segments,omitempty"`
	Kept     bool      `json:"kept,omitempty"`
	Warnings []Warning `json:"warnings,omitempty"`
}

func pack(ctx context.Context, env *environment, p packaging) error {
	var warn warnings
	if err := p.look(ctx, env, &warn); err != nil {
		return err
	}
	dir := resultDir{path: p.dir, existing: p.transcoding.Existing, node: env.node}
	done, err := dir.prepare()
	if err != nil {
		return err
	}
	detail := packageDetail{Kept: done}
	if !done {
		defer dir.discard()
		if detail, err = p.run(ctx, env, dir.partial(), &warn); err == nil {
			err = dir.publish()
		}
		if err != nil {
			return err
		}
	}
	if done && len(p.Formats) == 2 { // a package of one format lacks the other's list
		made, err := readPackage(p.dir, len(p.Ladder))
		if err == nil {
			err = p.promised().stands(p.dir, made.seconds, &warn)
		} else {
			err = fault("output", "%s is there, but cannot be kept: set existing to replace: %w", p.dir, err)
		}
		if err != nil {
			return err
		}
	}
	detail.Outputs, detail.Warnings = p.entries(), warn
	env.out.Report(node.Progress{Share: 1, Detail: detail})
	return nil
}

// entries are what players open.
func (p packaging) entries() []string {
	var names []string
	if slices.Contains(p.Formats, HLS) {
		names = append(names, filepath.Join(p.dir, masterName))
	}
	if slices.Contains(p.Formats, DASH) {
		names = append(names, filepath.Join(p.dir, manifestName))
	}
	return names
}

// promised is what a package has to be: its segments are as long as the pictures.
func (p packaging) promised() promise {
	t := p.transcoding
	want := t.promise()
	want.extent = t.streams.pictures(t.info).from(t.StartSeconds).upTo(t.DurationSeconds)
	return want
}

// run is the one run of ffmpeg, and the check of what it made.
func (p packaging) run(ctx context.Context, env *environment, dir string, warn *warnings) (packageDetail, error) {
	t := p.transcoding
	want := p.promised()
	if t.streams.known {
		want.outputs = []tracksOf{{len(t.Ladder), len(t.streams.audio)}}
	}
	var detail packageDetail
	var made packaged
	want.length = func() float64 { return made.seconds }
	total := want.longest
	said, err := env.ffmpeg(ctx, p.args(env.tool.major(), dir), func(s Stats) {
		detail.Stats = s
		env.out.Report(node.Progress{Share: s.share(total), Detail: packageDetail{Stats: s}})
	})
	if err != nil {
		return detail, err
	}
	if made, err = readPackage(dir, len(t.Ladder)); err != nil {
		return detail, fmt.Errorf("output: %w", err)
	}
	if err := want.kept(said, made.seconds, warn); err != nil {
		return detail, err
	}
	detail.Segments = len(made.segments)
	detail.whole(made.segments)
	return detail, p.strip(dir, made)
}

// strip removes what belongs to a format that is not wanted.
func (p packaging) strip(dir string, made packaged) error {
	var surplus []string
	if !slices.Contains(p.Formats, HLS) {
		surplus = append(made.playlists, filepath.Join(dir, masterName))
	}
	if !slices.Contains(p.Formats, DASH) {
		surplus = append(surplus, filepath.Join(dir, manifestName))
	}
	for _, path := range surplus {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	return nil
}
