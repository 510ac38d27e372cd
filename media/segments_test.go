package media

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// keyTimes are when the pictures are shown at which a player can begin, in seconds.
func keyTimes(t *testing.T, with *Tool, path string) []string {
	t.Helper()
	out, err := output(within(t), with.FFprobe, "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", path)
	if err != nil {
		t.Fatal(err)
	}
	var times []string
	for line := range strings.Lines(string(out)) {
		at, flags, _ := strings.Cut(line, ",")
		if strings.Contains(flags, "K") {
			times = append(times, fmt.Sprintf("%.2f", number(at)))
		}
	}
	slices.Sort(times)
	return times
}

// All rungs of a ladder have their key frames at the same times, whatever encodes
// them, also after a minute of a rate that is no whole number.
func TestLaddersAreAligned(t *testing.T) {
	long := generate(t, filepath.Join(t.TempDir(), "long.mp4"), "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30000/1001:duration=60", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
	for _, with := range tools(t) {
		t.Run(with.Version, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			spec := fmt.Sprintf(`{"input": %q, "output": "%s/{rung}.mkv", "speed": "fastest", "upscale": true, "ladder": [{"height": 64}, {"height": 64, "codec": "h265"}, {"height": 64, "codec": "vp9"},
				{"height": 64, "codec": "av1", "encoder": "libsvtav1", "bitrate": "100k"}, {"height": 64, "codec": "av1", "encoder": "libaom-av1", "bitrate": "100k"}]}`, long, out)
			if err := workWith(t, with, Transcode, Options{}).run(within(t), []byte(spec), "n1", newWatcher()); err != nil {
				t.Fatal(err)
			}
			want := keyTimes(t, with, filepath.Join(out, "0.mkv"))
			if len(want) < 30 {
				t.Errorf("there are %d key frames in a minute: %v", len(want), want)
			}
			for i := 1; i < 5; i++ {
				got := keyTimes(t, with, filepath.Join(out, fmt.Sprintf("%d.mkv", i)))
				for _, at := range want { // more do no harm
					if !slices.Contains(got, at) {
						t.Errorf("rung %d has no key frame at %s s: %v", i, at, got)
						break
					}
				}
			}
		})
	}
}

// Each segment has all its pictures when it is played by itself.
func TestSegmentsPlayAlone(t *testing.T) {
	for _, with := range tools(t) {
		for _, video := range []string{"h264", "h265", "av1"} {
			for kind, spec := range map[string]string{
				Record: `{"input": %q, "output": "%s/x-%%05d.mkv", "segment_seconds": 1, "video": %q, "audio": {"codec": "none"}}`,
				Stream: `{"input": %q, "output": "%s/x.m3u8", "segment_seconds": 2, "video": %q, "audio": {"codec": "none"}, "realtime": false}`,
			} {
				if kind == Stream && video == "av1" {
					continue // TS has no place for it
				}
				t.Run(with.Version+"/"+kind+"/"+video, func(t *testing.T) {
					t.Parallel()
					out := t.TempDir()
					if err := workWith(t, with, kind, Options{}).run(within(t), fmt.Appendf(nil, spec, clipOf(t, "film.mp4"), out, video), "n1", newWatcher()); err != nil {
						t.Fatal(err)
					}
					segments, _ := filepath.Glob(out + "/x-*")
					frames := 0
					for _, s := range segments {
						frames += len(decoded(t, "-i", s, "-vf", "scale=2:2", "-pix_fmt", "gray", "-fps_mode", "passthrough", "-f", "rawvideo")) / 4
					}
					if len(segments) < 2 || frames != 75 {
						t.Errorf("%d segments have %d pictures, not 75", len(segments), frames)
					}
				})
			}
		}
	}
}

// What is said of a result is said of all its files.
func TestReportsAreOfAllFiles(t *testing.T) {
	for _, with := range tools(t) {
		t.Run(with.Version, func(t *testing.T) {
			t.Parallel()
			for kind, spec := range map[string]string{
				Transcode: `{"input": %q, "output": "%s/{height}.mp4", "ladder": [{"height": 180}, {"height": 90}]}`,
				Record:    `{"input": %q, "output": %q, "segment_seconds": 1}`,
				Stream:    `{"input": %q, "output": "%s/x.m3u8", "segment_seconds": 1, "realtime": false}`,
			} {
				out := t.TempDir()
				w := newWatcher()
				if err := workWith(t, with, kind, Options{}).run(within(t), fmt.Appendf(nil, spec, clipOf(t, "film.mp4"), out), "n1", w); err != nil {
					t.Fatal(err)
				}
				bytes := int64(0)
				for _, name := range filesIn(t, out) {
					if info, err := os.Stat(filepath.Join(out, name)); err == nil && filepath.Ext(name) != ".m3u8" {
						bytes += info.Size()
					}
				}
				said := inJSONText(w.last().Detail)
				if !strings.Contains(said, fmt.Sprintf(`"bytes":%d,`, bytes)) || strings.Contains(said, `"bitrate_kbps":0,`) {
					t.Errorf("%s: of %d bytes the report says %s", kind, bytes, said)
				}
			}
		})
	}
}
