package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/node"
)

// The kinds of work that a split transcoding asks for.
const (
	pieceKind = "piece"
	joinKind  = "join"
)

// Pieces are so long that about mostPieces make a film, within these bounds, in
// seconds.
const (
	mostPieces    = 24
	shortestPiece = 10.0
	longestPiece  = 120.0
)

// piecesAge is how old pieces are that were left behind: no film is made of them any
// more.
const piecesAge = 24 * time.Hour

// piecesDir is what the directory of pieces is called, beside the first output.
var piecesDir = lazily(`^\..+\.[^.]+\.pieces$`)

// splittable checks what cannot be with split.
func (p *transcoding) splittable() error {
	if !p.Split {
		return nil
	}
	switch {
	case !p.input.file():
		return fault("split", "is for files that all workers see, and the input is a URL: leave it out")
	case p.container.word == "ts":
		return fault("split", "cannot be with ts: choose mp4, mkv or webm")
	case p.StartSeconds > 0 || p.DurationSeconds > 0:
		return fault("split", "cannot be with start_seconds or duration_seconds: leave one of them out")
	case p.TwoPass || p.Loudness != nil:
		return fault("split", "cannot be with two_pass or loudness, which look at the whole film: leave one of them out")
	case p.Subtitles == SubtitlesBurn:
		return fault("split", "cannot be with subtitles burn: choose keep or none")
	case len(p.FFmpegArgs) > 0:
		return fault("split", "cannot be with ffmpeg_args, of which nobody knows what they do to a piece: leave one of them out")
	case p.OnShort == ShortWarns:
		return fault("split", "cannot be with on_short warn: a piece that is short has no place in the film")
	}
	for i, r := range p.Ladder {
		if r.FPS != 0 {
			return fault(fmt.Sprintf("ladder[%d].fps", i), "cannot be with split, whose pieces keep the pictures of the input: leave it out")
		}
		if r.Codec == "vp8" {
			return fault(fmt.Sprintf("ladder[%d].codec", i), "vp8 cannot be with split: choose another")
		}
	}
	return nil
}

// splitPlan is what all pieces of a film have in common. It lies beside them: the
// plan of a task has room for little.
type splitPlan struct {
	Spec TranscodeSpec `json:"spec"`
	cut
	Sound    bool      `json:"sound"`
	Warnings []Warning `json:"warnings"`
	// Made are directories that were made for the results.
	Made []string `json:"made"`
}

func planFile(dir string) string { return filepath.Join(dir, "plan.json") }

// read reads the plan in a directory of pieces. A worker that does not see it
// lacks the film, too.
func (p *splitPlan) read(dir string) error {
	raw, err := os.ReadFile(planFile(dir))
	if err == nil {
		err = json.Unmarshal(raw, p)
	}
	return sorted(err, place{})
}

// splitDetail is the detail of a transcoding that is to go on in pieces.
type splitDetail struct {
	Plan     muster.TaskPlan `json:"plan"`
	Warnings []Warning       `json:"warnings,omitempty"`
}

// split works out the pieces; false is that there is nothing to cut.
func (p *transcoding) split(ctx context.Context, env *environment, made []string, warn *warnings) (bool, error) {
	if !p.Split {
		return false, nil
	}
	if !env.parts {
		warn.add(WarnSplit, "the task was not begun by a run that waits for its end, and that could run the pieces")
		return false, nil
	}
	c, err := p.cuts(ctx, env)
	if err != nil || len(c.Pieces) < 2 {
		return false, err
	}
	sweepPieces(filepath.Dir(p.outputs[0]))
	plan := splitPlan{Spec: p.TranscodeSpec, cut: c, Sound: len(p.streams.audio)+len(p.streams.subtitles) > 0, Warnings: *warn, Made: made}
	raw, err := json.Marshal(plan)
	if err != nil {
		return false, err
	}
	name := "." + filepath.Base(p.outputs[0]) + "." + env.node + ".pieces"
	dir := filepath.Join(filepath.Dir(p.outputs[0]), name)
	if err := first(os.RemoveAll(dir), os.Mkdir(dir, 0o777), os.WriteFile(planFile(dir), raw, 0o666)); err != nil {
		return false, fmt.Errorf("output: %w", err)
	}
	d := splitDetail{Warnings: *warn}
	d.Plan, err = plan.tasks(p.beside(name))
	if err == nil {
		env.out.Report(node.Progress{Share: 0, Detail: d})
	}
	return true, err
}

// beside is a name beside the first output, as the spec has it: other workers may
// see that elsewhere.
func (p *transcoding) beside(name string) string {
	raw, _ := json.Marshal(p.TranscodeSpec)
	output := filepath.ToSlash(append(transcodeOutputs(raw), "")[0])
	if scheme, rest, is := strings.Cut(output, ":"); is && scheme == mountScheme {
		return mountScheme + ":" + path.Join(path.Dir(rest), name)
	}
	return path.Join(path.Dir(output), name)
}

// tasks are the pieces, the sound first, as it takes longest, and what follows.
func (p splitPlan) tasks(dir string) (plan muster.TaskPlan, err error) {
	add := func(kind string, s any) json.RawMessage {
		raw, wrong := json.Marshal(map[string]any{kind: s})
		err = errors.Join(err, wrong)
		return raw
	}
	if p.Sound {
		plan.Parts = append(plan.Parts, add(pieceKind, pieceSpec{Dir: dir, Sound: true}))
	}
	for i := range p.Pieces {
		plan.Parts = append(plan.Parts, add(pieceKind, pieceSpec{Dir: dir, Number: i}))
	}
	plan.Then, plan.Otherwise = add(joinKind, joinSpec{Dir: dir}), add(joinKind, joinSpec{Dir: dir, Clean: true})
	return plan, err
}

// sweepPieces removes what was left of films that were not made.
func sweepPieces(above string) {
	entries, _ := os.ReadDir(above)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() && piecesDir().MatchString(e.Name()) && time.Since(info.ModTime()) > piecesAge {
			_ = os.RemoveAll(filepath.Join(above, e.Name()))
		}
	}
}

// inPieces finds and checks the directory of pieces.
func (o Options) inPieces(name string) (string, error) {
	dir, err := o.target("dir", name)
	if err == nil && (!dir.file() || !piecesDir().MatchString(filepath.Base(dir.name))) {
		err = fault("dir", "%q is no directory of pieces", name)
	}
	return dir.name, err
}
