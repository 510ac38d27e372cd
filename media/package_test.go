package media

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A package is read alike through HLS and DASH; a second task keeps it, refuses
// it, or puts its own in its place; and what is broken in it is found.
func TestPackage(t *testing.T) {
	t.Parallel()
	in, out := clip(t, 3), filepath.Join(t.TempDir(), "new", "film")
	spec := `{"input": "` + in + `", "output": "` + out + `", "segment_seconds": 1, "speed": "fastest", "existing": "EXISTING",
		"ladder": [{"height": 120}, {"height": 60, "fps": 12.5}]}`
	with := func(existing string) string { return strings.Replace(spec, "EXISTING", existing, 1) }
	w := mustDo(t, Package, with("refuse"))
	facts := map[string]string{}
	for _, entry := range []string{masterName, manifestName} {
		measure(t, filepath.Join(out, entry), facts, "")
		if got := facts["v"] + " " + facts["frames"] + " " + facts["videos"] + " " + facts["a"]; got != "h264 75 2 aac" {
			t.Errorf("%s has %s", entry, got)
		}
	}
	if text := inJSONText(w.last()); !strings.Contains(text, masterName) || !strings.Contains(text, manifestName) {
		t.Errorf("the report is %s", text)
	}
	made, err := readPackage(out, 2)
	if err != nil || len(made.playlists) != 3 || made.seconds < 2.9 || made.seconds > 3.1 {
		t.Errorf("read as %+v, %v", made, err)
	}
	if _, err := do(t, Package, with("refuse")); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a second one is the error %v", err)
	}
	if w := mustDo(t, Package, with("keep")); !strings.Contains(inJSONText(w.last()), `"kept":true`) {
		t.Errorf("kept: %s", inJSONText(w.last()))
	}
	mustDo(t, Package, strings.Replace(with("replace"), `{"height": 120}, `, "", 1))
	if _, err := readPackage(out, 1); err != nil {
		t.Error(err)
	}
	if left := filesIn(t, filepath.Dir(out)); !slices.Equal(left, []string{"film"}) {
		t.Errorf("beside it are %q", left)
	}
	if _, err := readPackage(out, 2); err == nil {
		t.Error("one size counts as two")
	}
	segments, _ := filepath.Glob(filepath.Join(out, "segment-*"))
	if err := os.Truncate(segments[1], 0); err != nil {
		t.Fatal(err)
	}
	if _, err := readPackage(out, 1); err == nil || !strings.Contains(err.Error(), "missing or empty") {
		t.Errorf("an empty segment is the error %v", err)
	}
}

// Sizes whose segments begin at other times are no package: a player that
// changes between them would jump.
func TestPackageOutOfStep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	list := func(lengths ...string) string {
		text := "#EXTM3U\n"
		for _, length := range lengths {
			text += "#EXTINF:" + length + ",\nx.m4s\n"
		}
		return text + "#EXT-X-ENDLIST\n"
	}
	for name, text := range map[string]string{
		masterName: "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n", manifestName: "x", "x.m4s": "x",
		"a.m3u8": list("2.000", "2.000"), "b.m3u8": list("2.080", "1.920"),
	} {
		write(t, filepath.Join(dir, name), text)
	}
	if p, err := readPackage(dir, 2); err != nil || p.seconds != 4 {
		t.Errorf("in step: %+v, %v", p, err)
	}
	for lengths, want := range map[string]string{"2.500 1.500": "same times", "4.000": "same times", "": "same times"} {
		write(t, filepath.Join(dir, "b.m3u8"), list(strings.Fields(lengths)...))
		if _, err := readPackage(dir, 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is the error %v", lengths, err)
		}
	}
	write(t, filepath.Join(dir, "b.m3u8"), strings.TrimSuffix(list("2", "2"), "#EXT-X-ENDLIST\n"))
	if _, err := readPackage(dir, 2); err == nil || !strings.Contains(err.Error(), "no end") {
		t.Errorf("without an end: %v", err)
	}
}

// Each small picture is of the time that the list says.
func TestThumbnailsAreOfTheirTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	film := generate(t, filepath.Join(dir, "rgb.mp4"), "-f", "lavfi", "-i",
		"color=red:size=160x90:rate=25:duration=5,drawbox=color=lime:t=fill:enable='between(t,1,1.99)',drawbox=color=blue:t=fill:enable='between(t,2,2.99)',drawbox=color=white:t=fill:enable='gte(t,3)'",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
	out := filepath.Join(dir, "out")
	mustDo(t, Thumbnails, `{"input": "`+film+`", "output": "`+out+`", "every_seconds": 1, "width": 80, "height": 46, "columns": 2, "rows": 2, "format": "png"}`)
	list, err := os.ReadFile(filepath.Join(out, listName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nsheet-00000.png#xywh=0,0,80,46\n", "00:00:03.000 --> 00:00:04.000\nsheet-00000.png#xywh=80,46,80,46\n",
		"00:00:04.000 --> 00:00:05.000\nsheet-00001.png#xywh=0,0,80,46\n",
	} {
		if !strings.Contains(string(list), want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	if got := filesIn(t, out); !slices.Equal(got, []string{"sheet-00000.png", "sheet-00001.png", listName}) {
		t.Errorf("there are %q", got)
	}
	sheet := filepath.Join(out, "sheet-00000.png")
	for i, want := range []string{"100", "010", "001", "111"} {
		r, g, b := colour(t, sheet, 0, 40+i%2*80, 22+i/2*46)
		bit := func(v int) string {
			if v > 128 {
				return "1"
			}
			return "0"
		}
		if got := bit(r) + bit(g) + bit(b); got != want {
			t.Errorf("picture %d has the colours %s, not %s", i, got, want)
		}
	}
}
