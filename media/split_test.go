package media

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
)

// planner is a watcher of a caller that runs parts.
type planner struct{ *watcher }

func (planner) RunsParts() bool { return true }

// long is a film of 30 s.
func long(t *testing.T, name string, picture ...string) string {
	t.Helper()
	args := slices.Concat(moving("160x120", 30), sound(30), picture, []string{"-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"})
	return generate(t, filepath.Join(t.TempDir(), name), args...)
}

// runParts runs a split transcoding as package job would; between is told of each
// part.
func runParts(t *testing.T, with *Tool, spec string, root string) (*watcher, int) {
	t.Helper()
	work, err := NewAny(Transcode, with, Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	do := func(raw json.RawMessage) *watcher {
		w := newWatcher()
		if err := work.Check(raw); err != nil {
			t.Fatal(err)
		}
		kind, own := work.(anyKind).split(raw)
		if err := work.(anyKind).kinds[kind].(runner).run(within(t), own, "n1", planner{w}); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return w
	}
	w := do(json.RawMessage(spec))
	var detail struct{ Plan muster.TaskPlan }
	if err := json.Unmarshal([]byte(inJSONText(w.last().Detail)), &detail); err != nil {
		t.Fatal(err)
	}
	if detail.Plan.Then == nil {
		return w, 0
	}
	for _, part := range slices.Backward(detail.Plan.Parts) {
		do(part)
	}
	return do(detail.Plan.Then), len(detail.Plan.Parts)
}

// hashes are those of all pictures and of all samples of sound.
func hashes(t *testing.T, path string) (pictures []string, samples string) {
	t.Helper()
	for line := range strings.Lines(string(decoded(t, "-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "framehash"))) {
		if !strings.HasPrefix(line, "#") {
			fields := strings.Split(strings.TrimSpace(line), ",")
			pictures = append(pictures, strings.TrimSpace(fields[2])+" "+fields[len(fields)-1])
		}
	}
	return pictures, string(decoded(t, "-i", path, "-map", "0:a", "-f", "hash"))
}

// A film in pieces has the pictures, at their times, and the sound of one that was
// encoded at once.
func TestSplitHasNoSeam(t *testing.T) {
	for _, with := range tools(t) {
		const (
			toMP4 = `"ladder": [{"height": 120, "crf": 0, "preset": "ultrafast"}]`
			toMKV = `"container": "mkv", "audio": {"codec": "opus"}, "ladder": [{"height": 120, "crf": 0, "preset": "ultrafast"}, {"height": 60}]`
		)
		for name, c := range map[string]struct{ input, picture, more, word string }{
			// Before their key frames are pictures that refer to them, as broadcasters have it.
			"open mp4": {"film.mp4", "-c:v libx264 -g 50 -bf 3 -x264-params open-gop=1", toMP4, ".mp4"},
			"open ts":  {"film.ts", "-c:v libx264 -g 50 -bf 3 -x264-params open-gop=1", toMKV, ".mkv"},
			// What is called a key frame is the first of those that refresh the picture by and by.
			"refresh mp4": {"film.mp4", "-c:v libx264 -g 50 -x264-params intra-refresh=1", toMP4, ".mp4"},
			"closed mp4":  {"film.mp4", "-c:v libx264 -g 50 -bf 3", toMP4, ".mp4"},
			"closed h265": {"film.mp4", "-c:v libx265 -g 50 -tag:v hvc1 -x265-params log-level=error:open-gop=0", toMP4, ".mp4"},
			"open h265":   {"film.mp4", "-c:v libx265 -g 50 -tag:v hvc1 -x265-params log-level=error:open-gop=1", toMP4, ".mp4"},
		} {
			t.Run(with.Version+"/"+name, func(t *testing.T) {
				t.Parallel()
				in := long(t, c.input, strings.Fields(c.picture)...)
				out := filepath.Dir(in)
				spec := func(name string) string {
					return fmt.Sprintf(`{"input": %q, "output": %q, "split": true, %s}`, in, filepath.Join(out, name, "{name}-{height}"), c.more)
				}
				one := newWatcher()
				if err := workWith(t, with, Transcode, Options{}).run(within(t), json.RawMessage(spec("one")), "n1", one); err != nil {
					t.Fatal(err)
				}
				if text := inJSONText(one.last()); !strings.Contains(text, WarnSplit) {
					t.Errorf("without a caller that runs parts: %s", text)
				}
				w, parts := runParts(t, with, spec("many"), out)
				if parts != 4 {
					t.Errorf("%d parts, not the sound and 3 pieces", parts)
				}
				want, wantSound := hashes(t, filepath.Join(out, "one", "film-120"+c.word))
				got, gotSound := hashes(t, filepath.Join(out, "many", "film-120"+c.word))
				if len(want) != 750 || !slices.Equal(want, got) {
					t.Errorf("%d pictures, and %d in pieces; first %q and %q", len(want), len(got), first3(want), first3(got))
				}
				if wantSound != gotSound {
					t.Errorf("the sound is %s, not %s", gotSound, wantSound)
				}
				if left := filesIn(t, filepath.Join(out, "many")); len(left) != strings.Count(c.more, "height") {
					t.Errorf("there are %q", left)
				}
				if text := inJSONText(w.last()); !strings.Contains(text, `"frames":750`) || !strings.Contains(text, `"out_seconds":30,`) || strings.Contains(text, `"warnings"`) {
					t.Errorf("the report is %s", text)
				}
			})
		}
	}
}

func first3(all []string) []string { return all[:min(3, len(all))] }

// What is short is not cut, what has pieces is joined of the same encoder's, and
// a piece that is not there is missed.
func TestSplitOfAShortFilm(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	w, parts := runParts(t, tool(t), fmt.Sprintf(`{"input": %q, "output": %q, "split": true, "ladder": [{"height": 90}]}`, clipOf(t, "film.mp4"), out), "")
	if parts != 0 || len(filesIn(t, out)) != 1 || strings.Contains(inJSONText(w.last()), WarnSplit) {
		t.Errorf("%d parts, %s", parts, inJSONText(w.last()))
	}
	dir := filepath.Join(out, ".x.n1.pieces")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, pieceFile(dir, 0, 0), "N"+string(streamStart)+"\x03abcdef")
	write(t, pieceFile(dir, 1, 0), "N"+string(streamStart)+"\x03abdef")
	j := joining{dir: dir, splitPlan: splitPlan{cut: cut{Pieces: []span{{Frames: 1}, {Frames: 1}}, Rate: "25/1"}}}
	if err := j.list(0); err == nil || !strings.Contains(err.Error(), "piece 1 is coded in another way") {
		t.Errorf("of two encoders: %v", err)
	}
	if _, err := joinPlan(nil, Options{}, joinSpec{Dir: out, Clean: true}); err == nil {
		t.Error("a directory that is none of pieces would be removed")
	}
}

// Pieces are named as other workers see them.
func TestPiecesAreBesideTheOutput(t *testing.T) {
	for output, want := range map[string]string{"mount:films/out/{name}": "mount:films/out/.x", "mount:films/out": "mount:films/out/.x", "mount:films/a.mp4": "mount:films/.x", "out/a.mp4": "out/.x", "/srv/a.mp4": "/srv/.x"} {
		p := transcoding{TranscodeSpec: TranscodeSpec{Input: "mount:films/a.mov", Output: output, Ladder: []Rung{{Height: 90}}}}
		if got := p.beside(".x"); got != want {
			t.Errorf("%s: %s", output, got)
		}
	}
}

// Cuts are at key frames, and every picture is in one piece.
func TestCuts(t *testing.T) {
	var b strings.Builder
	for i := range 1000 { // in the order in which they are stored
		flags := "___"
		if i%50 == 3 {
			flags = "K__"
		}
		fmt.Fprintf(&b, "packet|pts=%d|flags=%s\n", i*512, flags)
	}
	b.WriteString("stream|r_frame_rate=25/1|time_base=1/12800\nformat|start_time=-0.5\n")
	refresh := map[int64]bool{(500 + 3) * 512: true}
	c, err := cutAt([]byte(b.String()), false, refresh)
	if err != nil || c.Offset != 0.5 || len(c.Pieces) != 4 {
		t.Fatalf("%+v, %v", c, err)
	}
	total := int64(0)
	for i, p := range c.Pieces {
		total += p.Frames
		if i > 0 && (p.From != c.Pieces[i-1].To || p.From/512%50 != 3) {
			t.Errorf("%+v", p)
		}
		// Reading begins a key frame earlier, unless that is not needed.
		if earlier := p.Seek < float64(p.From)/12800; i > 0 && earlier == refresh[p.From] {
			t.Errorf("%+v, needs the pictures before: %v", p, !refresh[p.From])
		}
	}
	if total != 1000 {
		t.Errorf("%d pictures", total)
	}
	if _, err := cutAt([]byte(strings.Replace(b.String(), "pts=5120|", "pts=5200|", 1)), false, nil); err == nil {
		t.Error("a varying rate is not refused")
	}
}
