package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-fleet/muster/node"
)

// listName is the list of where each picture is.
const listName = "thumbnails.vtt"

// thumbnailsDetail is the detail of the report of thumbnails.
type thumbnailsDetail struct {
	Stats
	// Outputs is the list, once all is whole.
	Outputs []string `json:"outputs,omitempty"`
	// Pictures and Sheets are how many there are.
	Pictures int       `json:"pictures"`
	Sheets   int       `json:"sheets"`
	Kept     bool      `json:"kept,omitempty"`
	Warnings []Warning `json:"warnings,omitempty"`
}

func makeThumbnails(ctx context.Context, env *environment, p thumbnails) error {
	var warn warnings
	if err := p.look(ctx, env, &warn); err != nil {
		return err
	}
	dir := resultDir{path: p.dir, existing: p.Existing, node: env.node}
	done, err := dir.prepare()
	if err != nil {
		return err
	}
	detail := thumbnailsDetail{Kept: done}
	if !done {
		defer dir.discard()
		if detail, err = p.run(ctx, env, dir.partial(), &warn); err == nil {
			err = dir.publish()
		}
		if err != nil {
			return err
		}
	}
	if done {
		text, err := os.ReadFile(filepath.Join(p.dir, listName))
		if err == nil {
			err = p.promise().stands(p.dir, float64(strings.Count(string(text), "#xywh="))*p.EverySeconds, &warn)
		}
		if err != nil {
			return err
		}
	}
	detail.Outputs, detail.Warnings = []string{filepath.Join(p.dir, listName)}, warn
	env.out.Report(node.Progress{Share: 1, Detail: detail})
	return nil
}

func (p *thumbnails) look(ctx context.Context, env *environment, warn *warnings) error {
	var err error
	if p.info, err = env.look(ctx, p.input); err != nil {
		return err
	}
	if p.streams, err = pick(p.info, wanted{video: true}, warn); err != nil {
		return err
	}
	if p.streams.video == nil {
		return atInput(fmt.Errorf("input: %s has no picture", redact(p.input.name)))
	}
	return first(env.toneMaps(p.picture()), p.picture().suits(warn))
}

// promise is what the thumbnails are made from.
func (p thumbnails) promise() promise {
	return promise{input: p.input, onShort: p.OnShort, extent: p.streams.lasts(p.info)}
}

// run makes the sheets and the list, and checks that they are as many as they
// should be.
func (p thumbnails) run(ctx context.Context, env *environment, dir string, warn *warnings) (thumbnailsDetail, error) {
	var detail thumbnailsDetail
	want := p.promise()
	total := want.longest
	last := 0.0
	said, err := env.ffmpeg(ctx, p.args(env.tool.major(), dir), func(s Stats) {
		detail.Stats = s
		env.out.Report(node.Progress{Share: s.share(total), Detail: thumbnailsDetail{Stats: s}})
	}, func(in io.Reader) {
		eachLine(in, longLine, func(line string) {
			if at, is := frameTime(line); is {
				detail.Pictures, last = detail.Pictures+1, at
			}
		})
	})
	if err != nil {
		return detail, err
	}
	if detail.Pictures == 0 {
		return detail, atInput(errors.New("output: there is no picture in the input"))
	}
	// What was read ends within the step after the last picture.
	made := last + p.EverySeconds
	want.length = func() float64 { return 0 }
	if err := want.kept(said, made, warn); err != nil {
		return detail, err
	}
	end := min(made, want.longest)
	if end <= last {
		end = made
	}
	if detail.Sheets, err = p.list(dir, detail.Pictures, end); err != nil {
		return detail, fmt.Errorf("output: %w", err)
	}
	return detail, nil
}

// list writes where each picture is, and checks that the sheets are there.
func (p thumbnails) list(dir string, pictures int, end float64) (sheets int, err error) {
	width, height := p.picture().size()
	each := p.Columns * p.Rows
	var b strings.Builder
	b.WriteString("WEBVTT\n")
	for i := range pictures {
		from, to := float64(i)*p.EverySeconds, min(end, float64(i+1)*p.EverySeconds)
		at := i % each
		fmt.Fprintf(&b, "\n%s --> %s\nsheet-%05d.%s#xywh=%d,%d,%d,%d\n", vttTime(from), vttTime(to), i/each, p.Format,
			at%p.Columns*width, at/p.Columns*height, width, height)
	}
	sheets = (pictures + each - 1) / each
	for i := range sheets {
		name := filepath.Join(dir, fmt.Sprintf("sheet-%05d.%s", i, p.Format))
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			return sheets, fmt.Errorf("the sheet %s is missing or empty", filepath.Base(name))
		}
	}
	return sheets, os.WriteFile(filepath.Join(dir, listName), []byte(b.String()), 0o666)
}

// vttTime writes seconds as 00:01:02.500.
func vttTime(s float64) string {
	ms := int64(s*1000 + 0.5)
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
