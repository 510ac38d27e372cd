package media

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/muster-fleet/muster/node"
)

// pieceSpec asks for some of the pictures of a transcoding, or for its sound.
type pieceSpec struct {
	// Dir is where the pieces and their plan are.
	Dir string `json:"dir"`
	// Number is the piece's, from 0; Sound is set in the place of it.
	Number int  `json:"number"`
	Sound  bool `json:"sound"`
}

// nut holds all codecs with exact times.
var nut = container{word: "nut", muxer: "nut"}

func pieceFile(dir string, number, rung int) string {
	return filepath.Join(dir, fmt.Sprintf("%05d-%d.nut", number, rung))
}

func soundFile(dir string, c container) string { return filepath.Join(dir, "sound."+c.word) }

// piecing is a piece that was checked.
type piecing struct {
	pieceSpec
	span
	transcoding
	dir string
}

func piecePlan(t *Tool, o Options, s pieceSpec) (piecing, error) {
	p := piecing{pieceSpec: s}
	var err error
	if p.dir, err = o.inPieces(s.Dir); err != nil {
		return p, err
	}
	var plan splitPlan
	if err := plan.read(p.dir); err != nil {
		return p, err
	}
	if !s.Sound {
		if s.Number < 0 || s.Number >= len(plan.Pieces) {
			return p, fault("number", "%d is that of no piece", s.Number)
		}
		p.span = plan.Pieces[s.Number]
	}
	p.transcoding, err = transcodePlan(t, o, plan.Spec)
	return p, err
}

func piece(ctx context.Context, env *environment, p piecing) error {
	var unsaid warnings // they are said of the whole
	if err := p.look(ctx, env, &unsaid); err != nil {
		return err
	}
	files := results{existing: Replace, node: env.node}
	for i := range p.Ladder {
		files.paths = append(files.paths, pieceFile(p.dir, p.Number, i))
	}
	if p.Sound {
		files.paths = []string{soundFile(p.dir, p.container)}
	}
	if _, err := files.prepare(); err != nil {
		return err
	}
	defer files.discard()
	partial := files.partials()
	total := float64(p.Frames) / max(1, p.streams.video.FPS)
	want := promise{input: p.input, mayBeEmpty: map[string]bool{"subtitle": true}}
	var args []string
	if !p.Sound {
		args = p.pictures(env.tool.major(), partial)
	} else {
		total = p.info.Seconds
		sound := p.streams
		sound.video = nil
		want.extent = sound.lasts(p.info)
		want.length = func() float64 { return env.longest(ctx, partial) }
		args = p.soundAlone(env.tool.major(), partial[0])
	}
	var last Stats
	said, err := env.ffmpeg(ctx, args, func(s Stats) {
		last = s
		env.out.Report(node.Progress{Share: s.share(total), Detail: transcodeDetail{Stats: s}})
	})
	if err == nil {
		err = want.kept(said, last.Seconds, &unsaid)
	}
	if err == nil && !p.Sound {
		for i := range p.Ladder {
			err = cmp.Or(err, said.has(i, p.Frames, p.Number))
		}
	}
	if err != nil {
		return err
	}
	env.out.Report(node.Progress{Share: 1, Detail: transcodeDetail{Stats: last}})
	return files.publish()
}

// has checks how many pictures an output has.
func (j *journal) has(output int, want int64, number int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range j.tracks {
		if t.output == output && t.kind == "video" && t.packets != want {
			return atInput(fmt.Errorf("split: piece %d has %d pictures, not %d: leave split out", number, t.packets, want))
		}
	}
	return nil
}

// pictures are the arguments for a piece. What lies before From is decoded, and
// left out: the pictures that are shown before a key frame may refer to it.
func (p piecing) pictures(major int, outputs []string) []string {
	t := p.transcoding
	t.container, t.Audio, t.streams.audio, t.Subtitles = nut, Audio{Codec: None}, nil, None
	var trim []string
	if p.From != 0 {
		t.before = []string{"-copyts", "-noaccurate_seek", "-seek_timestamp", "1", "-ss", seconds(p.Seek)}
		trim = append(trim, fmt.Sprint("start_pts=", p.From))
	} else {
		t.before = []string{"-copyts"}
	}
	if p.To != 0 {
		trim = append(trim, fmt.Sprint("end_pts=", p.To))
	}
	if len(trim) > 0 {
		t.cut = "trim=" + strings.Join(trim, ":") + ","
	}
	t.cut += "setpts=PTS-STARTPTS,"
	return t.args(major, outputs)
}

func (p piecing) soundAlone(major int, output string) []string {
	args := append(p.input.input(major), "-vn")
	args = append(append(args, p.sound()...), p.subtitles()...)
	return append(args, "-f", p.container.muxer, output)
}
