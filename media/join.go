package media

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-fleet/muster/node"
)

// joinSpec asks for a film of its pieces, or, if Clean is set, for their end.
type joinSpec struct {
	Dir   string `json:"dir"`
	Clean bool   `json:"clean"`
}

// joining is a film of pieces that was checked.
type joining struct {
	joinSpec
	splitPlan
	transcoding
	dir string
}

func joinPlan(t *Tool, o Options, s joinSpec) (joining, error) {
	j := joining{joinSpec: s}
	var err error
	if j.dir, err = o.inPieces(s.Dir); err != nil {
		return j, err
	}
	if err := j.read(j.dir); err != nil || s.Clean {
		return j, err
	}
	j.transcoding, err = transcodePlan(t, o, j.splitPlan.Spec)
	return j, err
}

func join(ctx context.Context, env *environment, j joining) error {
	if j.Clean {
		defer removeEmpty(j.Made)
		return os.RemoveAll(j.dir)
	}
	var unsaid warnings
	if err := j.look(ctx, env, &unsaid); err != nil {
		return err
	}
	files := results{paths: j.outputs, existing: j.Existing, node: env.node}
	if _, err := files.prepare(); err != nil {
		return err
	}
	defer files.discard()
	partial := files.partials()
	for i := range j.Ladder {
		if err := j.list(i); err != nil {
			return err
		}
	}
	total := int64(0)
	for _, piece := range j.Pieces {
		total += piece.Frames
	}
	detail := transcodeDetail{Outputs: j.outputs, Warnings: j.Warnings}
	said, err := env.ffmpeg(ctx, j.args(partial), func(s Stats) { detail.Stats = s })
	want := j.promise()
	want.length = func() float64 { return env.longest(ctx, partial) }
	if err == nil {
		err = want.kept(said, detail.Seconds, &unsaid)
	}
	for i := range j.Ladder {
		err = cmp.Or(err, said.has(i, total, i))
	}
	if err != nil {
		return err
	}
	if err := files.publish(); err != nil {
		return err
	}
	detail.Frames, detail.Seconds = total, float64(total)/fraction(j.Rate)
	detail.whole(j.outputs)
	env.out.Report(node.Progress{Share: 1, Detail: detail})
	return os.RemoveAll(j.dir)
}

func (j joining) listFile(rung int) string {
	return filepath.Join(j.dir, fmt.Sprintf("%d.ffconcat", rung))
}

// list writes the list of a rung's pieces, with the length of each by its number
// of pictures: so each begins where it should to a millionth of a second.
func (j joining) list(rung int) error {
	rate := fraction(j.Rate)
	if rate == 0 {
		return fault("rate", "is missing")
	}
	text, done := "ffconcat version 1.0\n", int64(0)
	var head []byte
	for n, piece := range j.Pieces {
		name := pieceFile(j.dir, n, rung)
		own, err := streamHead(name)
		switch {
		case err != nil:
			return fmt.Errorf("split: %w", err)
		case head == nil:
			head = own
		case !slices.Equal(head, own):
			return fmt.Errorf("split: piece %d is coded in another way than those before it: the workers have different encoders: give them the same version of ffmpeg, or leave split out", n)
		}
		at, end := math.Round(float64(done)/rate*1e6), math.Round(float64(done+piece.Frames)/rate*1e6)
		done += piece.Frames
		text += fmt.Sprintf("file %s\nduration %.6f\n", filepath.Base(name), (end-at)/1e6)
	}
	return os.WriteFile(j.listFile(rung), []byte(text), 0o666)
}

// streamStart is what the head of a stream begins with in NUT.
var streamStart = []byte{'N', 'S', 0x11, 0x40, 0x5B, 0xF2, 0xF9, 0xDB}

// streamHead is the part of a file in NUT that says how its stream is coded.
func streamHead(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, err := f.Read(head)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	_, after, found := strings.Cut(string(head[:n]), string(streamStart))
	size := 0
	for i := 0; found && i < len(after); i++ {
		size = size<<7 | int(after[i]&0x7f)
		if after[i] < 0x80 {
			return []byte(after[:min(len(after), i+1+size)]), nil
		}
	}
	return nil, fmt.Errorf("%s: is no piece", filepath.Base(name))
}

func (j joining) args(outputs []string) []string {
	args := []string{"-copyts"}
	for i := range j.Ladder {
		if j.Offset != 0 {
			args = append(args, "-itsoffset", strconv.FormatFloat(j.Offset, 'f', 6, 64))
		}
		args = append(args, "-protocol_whitelist", "file", "-format_whitelist", "concat,nut", "-f", "concat", "-i", j.listFile(i))
	}
	if j.Sound {
		args = append(args, "-protocol_whitelist", "file", "-i", soundFile(j.dir, j.container))
	}
	for i, r := range j.Ladder {
		args = append(args, "-map", fmt.Sprint(i, ":v"))
		if j.Sound {
			args = append(args, "-map", fmt.Sprint(len(j.Ladder), ":a?"), "-map", fmt.Sprint(len(j.Ladder), ":s?"))
		}
		args = append(append(args, "-c", "copy"), appleTag(j.container, r.Codec)...)
		args = append(args, j.container.flags...)
		args = append(args, "-f", j.container.muxer, outputs[i])
	}
	return args
}
