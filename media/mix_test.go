package media

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMixOfThree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wide := generate(t, filepath.Join(dir, "wide.mp4"), slices.Concat(moving("320x90", 2), sound(2), coded)...)
	tall := generate(t, filepath.Join(dir, "tall.mkv"), slices.Concat(moving("90x160", 1), coded)...)
	odd := generate(t, filepath.Join(dir, "odd.mp4"), slices.Concat([]string{"-f", "lavfi", "-i", "color=red:size=162x122:rate=10:duration=3"}, sound(3), coded)...)
	out := filepath.Join(dir, "mixed.mp4")
	w := mustDo(t, Mix, fmt.Sprintf(`{"inputs": [{"url": %q}, {"url": %q}, {"url": %q, "volume": 0.5}], "output": %q,
		"width": 320, "height": 240, "fps": 20, "speed": "fastest"}`, wide, tall, odd, out))
	p := look(t, out)
	looksLike(t, p, "h264", 320, 240)
	lasts(t, p, 3) // as long as the longest
	if p.Audio() == nil || p.Video().FPS != 20 {
		t.Errorf("has the streams %+v", p.Streams)
	}
	if d := w.last().Detail.(transcodeDetail); !slices.Equal(d.Outputs, []string{out}) {
		t.Errorf("the last report is %+v", w.last())
	}
	// The third tile is in the middle of the second row; that of the first row
	// is black once its input has ended.
	if r, g, b := colour(t, out, 2.5, 160, 180); r < 200 || g > 60 || b > 60 {
		t.Errorf("the third tile has the colour %d %d %d, not red", r, g, b)
	}
	if r, g, b := colour(t, out, 2.8, 240, 60); r+g+b > 90 {
		t.Errorf("the tile of what has ended has the colour %d %d %d, not black", r, g, b)
	}
	if r, g, b := colour(t, out, 0.5, 240, 60); r+g+b < 90 {
		t.Errorf("the second tile is black from the beginning")
	}
}

func TestMixOfSoundAndPicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mute := generate(t, filepath.Join(dir, "mute.mp4"), slices.Concat(moving("160x120", 1), coded)...)
	song := generate(t, filepath.Join(dir, "song.m4a"), append(sound(1), "-c:a", "aac")...)
	out := filepath.Join(dir, "both.webm")
	mustDo(t, Mix, fmt.Sprintf(`{"inputs": [{"url": %q}, {"url": %q}], "output": %q, "width": 160, "height": 120, "video": "vp8", "speed": "fastest"}`, mute, song, out))
	p := look(t, out)
	looksLike(t, p, "vp8", 160, 120)
	if p.Audio() == nil || p.Audio().Codec != "opus" {
		t.Errorf("has the sound %+v", p.Audio())
	}
	only := filepath.Join(dir, "only.mp4")
	mustDo(t, Mix, fmt.Sprintf(`{"inputs": [{"url": %q}, {"url": %q}], "output": %q}`, song, song, only))
	if p := look(t, only); p.Video() != nil || p.Audio() == nil {
		t.Errorf("of two songs comes %+v", p.Streams)
	}
}

// A mix that is stopped on request is whole: that is how one of live inputs ends.
func TestMixStoppedIsPlayable(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "live.mp4")
	cam := live(t, clip(t, 15))
	w, end := begin(t, Mix, fmt.Sprintf(`{"inputs": [{"url": %q, "video": true, "audio": true}, {"url": %q, "video": true, "audio": false}],
		"output": %q, "width": 160, "height": 120, "speed": "fastest"}`, cam, cam, out))
	w.awaitFrames(t)
	_ = end()
	looksLike(t, look(t, out), "h264", 160, 120)
	if got := filesIn(t, filepath.Dir(out)); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
}

func TestMixNamesTheInputThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.mp4"), "no film")
	_, err := do(t, Mix, fmt.Sprintf(`{"inputs": [{"url": %q}, {"url": "%s/bad.mp4"}], "output": "%s/x.mp4"}`, clip(t, 1), dir, dir))
	if err == nil || !strings.HasPrefix(err.Error(), "inputs[1].url: ") {
		t.Errorf("a bad input is the error %v", err)
	}
}

// colour is that of a pixel of a film at some second.
func colour(t *testing.T, film string, at float64, x, y int) (r, g, b int) {
	t.Helper()
	out, err := output(within(t), tool(t).FFmpeg, "-loglevel", "error", "-nostdin", "-ss", fmt.Sprint(at), "-i", film, "-frames:v", "1",
		"-vf", fmt.Sprintf("crop=2:2:%d:%d,scale=1:1", x, y), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1")
	if err != nil || len(out) != 3 {
		t.Fatalf("no picture at %v s: %d bytes, %v", at, len(out), err)
	}
	return int(out[0]), int(out[1]), int(out[2])
}
