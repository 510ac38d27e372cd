package media

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// twoPassEncoders are those whose first pass ffmpeg keeps in a file.
var twoPassEncoders = []string{"libx264", "libvpx", "libvpx-vp9"}

// twice checks that all rungs can be encoded in two passes.
func (p *transcoding) twice() error {
	if !p.TwoPass {
		return nil
	}
	if !p.input.file() {
		return fault("two_pass", "is for files: what comes over the network is read once")
	}
	for i, r := range p.Ladder {
		if r.Bitrate == 0 {
			return fault("two_pass", "needs a bitrate, which ladder[%d] lacks: two passes spread it over the film", i)
		}
		if !slices.Contains(twoPassEncoders, p.encoders[i].name) {
			return fault("two_pass", "is known of h264, vp8 and vp9, but ladder[%d] is encoded by %s", i, p.encoders[i].name)
		}
	}
	return nil
}

// patient are the arguments with which an encoder has two passes: libvpx has one
// where it is to be as fast as the film.
func (e encoder) patient() []string {
	if strings.HasPrefix(e.name, "libvpx") {
		return []string{"-deadline", "good"}
	}
	return nil
}

// firstPass encodes the pictures once, and returns where what it learnt is kept.
// ffmpeg numbers these files by the tracks of all outputs, and in the second
// pass there are tracks of sound between those of pictures.
func (p transcoding) firstPass(ctx context.Context, env *environment, tell func(Stats)) (log string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "muster-passes-")
	if err != nil {
		return "", nil, fmt.Errorf("two_pass: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	log = filepath.Join(dir, "log")
	only := p
	only.Audio, only.passLog, only.pass = Audio{Codec: None}, log, 1
	if p.Subtitles == SubtitlesKeep {
		only.Subtitles = None
	}
	if _, err := env.ffmpeg(ctx, only.args(env.tool.major(), slices.Repeat([]string{os.DevNull}, len(p.outputs))), tell); err != nil {
		return "", remove, err
	}
	return log, remove, renumber(dir, p.tracksOfOutput())
}

// tracksOfOutput is how many tracks each output has.
func (p transcoding) tracksOfOutput() int {
	n := 1
	if p.Audio.Codec != None {
		n += len(p.streams.audioMaps(p.AudioTracks))
	}
	if p.Subtitles == SubtitlesKeep {
		n += len(p.streams.subtitles)
	}
	return n
}

// renumber gives log-1... the number that the track has where each output has so
// many, the last one first.
func renumber(dir string, tracks int) error {
	files, err := filepath.Glob(filepath.Join(dir, "log-*"))
	if err != nil {
		return fmt.Errorf("two_pass: %w", err)
	}
	slices.SortFunc(files, func(a, b string) int { return numberOf(b) - numberOf(a) })
	for _, path := range files {
		n := numberOf(path)
		to := filepath.Join(dir, strings.Replace(filepath.Base(path), fmt.Sprintf("log-%d.", n), fmt.Sprintf("log-%d.", n*tracks), 1))
		if err := os.Rename(path, to); err != nil {
			return fmt.Errorf("two_pass: %w", err)
		}
	}
	return nil
}

// numberOf is the number in log-12.log.mbtree.
func numberOf(path string) int {
	number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), "log-"), ".")
	return atoi(number)
}
