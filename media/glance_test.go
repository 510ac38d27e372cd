package media

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/muster-fleet/muster/media/clips"
)

// What is read without ffprobe is what ffprobe says, of every clip and of the
// results of this package; and the commonest files are read.
func TestAGlanceSaysWhatFFprobeSays(t *testing.T) {
	read := map[string]bool{}
	dir := t.TempDir()
	files := map[string]string{
		"x264.mp4": generate(t, filepath.Join(dir, "x264.mp4"), slices.Concat(moving("322x182", 1), sound(1), []string{"-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2"})...),
		"tagged.mp4": generate(t, filepath.Join(dir, "tagged.mp4"), slices.Concat(moving("160x90", 1), sound(1), coded,
			[]string{"-color_trc", "bt709", "-color_primaries", "bt709", "-colorspace", "bt709", "-metadata:s:a:0", "language=ger", "-metadata", "title=x"})...),
		"fields.mp4": generate(t, filepath.Join(dir, "fields.mp4"), slices.Concat(moving("160x96", 1), []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-flags", "+ilme+ildct"})...),
	}
	for _, name := range clips.Names() {
		files[name] = clipOf(t, name)
	}
	for name, path := range files {
		got := glance(path)
		read[name] = got != nil
		if got == nil {
			continue
		}
		want, err := tool(t).ask(within(t), place{name: path})
		if err != nil {
			t.Errorf("%s: read, and ffprobe refuses it: %v", name, err)
			continue
		}
		same := func(have, want float64, what string) {
			if math.Abs(have-want) > 0.05 {
				t.Errorf("%s: %s is %v, not %v", name, what, have, want)
			}
		}
		same(got.Seconds, want.Seconds, "the length")
		for i := range min(len(got.Streams), len(want.Streams)) {
			g, w := &got.Streams[i], &want.Streams[i]
			same(g.Seconds, w.Seconds, "a stream's length")
			same(g.Start, w.Start, "a start")
			same(g.FPS, w.FPS, "a rate")
			same(g.peak, w.peak, "a peak rate")
			g.Seconds, g.Start, g.FPS, g.peak = w.Seconds, w.Start, w.FPS, w.peak
			g.reordered = w.reordered // of use for avi only
		}
		got.Seconds = want.Seconds
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
	for _, name := range []string{"x264.mp4", "tagged.mp4", "film.mp4", "mute.mp4", "half.mp4"} {
		if !read[name] {
			t.Errorf("%s is not read", name)
		}
	}
	for _, name := range []string{"fields.mp4", "pal.mp4", "turned.mp4", "locked.mp4", "broken.mp4", "film.mkv"} {
		if read[name] {
			t.Errorf("%s is read, and needs ffprobe", name)
		}
	}
}

// No file can do more than send the caller to ffprobe.
func FuzzGlance(f *testing.F) {
	for _, name := range []string{"film.mp4", "mute.mp4", "turned.mp4"} {
		b, err := os.ReadFile(clipOf(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.mp4")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if p := glance(path); p != nil && (p.Seconds <= 0 || len(p.Streams) == 0) {
			t.Errorf("read as %+v", p)
		}
	})
}
