package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestTranscodeMakesAllRungs(t *testing.T) {
	t.Parallel()
	in, out := clip(t, 1), t.TempDir()
	w := mustDo(t, Transcode, fmt.Sprintf(`{"input": %q, "output": %q, "speed": "fastest", "ladder": [
		{"height": 120}, {"height": 60, "bitrate": "100k", "fps": 10}, {"width": 48, "height": 48, "codec": "h265"}]}`, in, out))
	if got := filesIn(t, out); !slices.Equal(got, []string{"clip-120p.mp4", "clip-48p.mp4", "clip-60p.mp4"}) {
		t.Fatalf("made %q", got)
	}
	big, small, other := look(t, filepath.Join(out, "clip-120p.mp4")), look(t, filepath.Join(out, "clip-60p.mp4")), look(t, filepath.Join(out, "clip-48p.mp4"))
	looksLike(t, big, "h264", 160, 120)
	looksLike(t, small, "h264", 80, 60)
	looksLike(t, other, "h265", 48, 48)
	for _, p := range []*Probe{big, small, other} {
		lasts(t, p, 1)
		if p.Audio() == nil || p.Audio().Codec != "aac" {
			t.Errorf("has the sound %+v", p.Audio())
		}
	}
	if fps := small.Video().FPS; fps != 10 {
		t.Errorf("has %v frames a second, not 10", fps)
	}
	d, ok := w.last().Detail.(transcodeDetail)
	if !ok || w.last().Share != 1 || len(d.Outputs) != 3 || d.Frames == 0 {
		t.Errorf("the last report is %+v", w.last())
	}
}

func TestTranscodeIntoWebmWithoutSound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := generate(t, filepath.Join(dir, "mute.mp4"), slices.Concat(moving("160x120", 1), coded)...)
	out := filepath.Join(dir, "new", "{name}_{codec}.webm")
	mustDo(t, Transcode, fmt.Sprintf(`{"input": %q, "output": %q, "speed": "fastest", "ladder": [{"height": 60, "codec": "vp8"}, {"height": 60}]}`, in, out))
	looksLike(t, look(t, filepath.Join(dir, "new", "mute_vp8.webm")), "vp8", 80, 60)
	looksLike(t, look(t, filepath.Join(dir, "new", "mute_vp9.webm")), "vp9", 80, 60)
}

func TestTranscodeAPart(t *testing.T) {
	t.Parallel()
	in, out := clip(t, 4), filepath.Join(t.TempDir(), "part.mkv")
	mustDo(t, Transcode, fmt.Sprintf(`{"input": %q, "output": %q, "speed": "fastest", "start_seconds": 1, "duration_seconds": 1.5,
		"audio": {"codec": "none"}, "ladder": [{"height": 60}]}`, in, out))
	p := look(t, out)
	lasts(t, p, 1.5)
	if p.Audio() != nil {
		t.Error("the sound was not left out")
	}
}

// A file that is there already is never harmed by accident.
func TestTranscodeAndExistingFiles(t *testing.T) {
	t.Parallel()
	in, out := clip(t, 1), filepath.Join(t.TempDir(), "out.mp4")
	spec := func(existing string) string {
		return fmt.Sprintf(`{"input": %q, "output": %q, "speed": "fastest", "existing": %q, "ladder": [{"height": 60}]}`, in, out, existing)
	}
	write(t, out, "precious")
	_, err := do(t, Transcode, spec("refuse"))
	if !errors.Is(err, errExists) || !strings.Contains(err.Error(), "output: ") || read(t, out) != "precious" {
		t.Errorf("refuse: %v; the file has %d bytes", err, len(read(t, out)))
	}
	if _, err := do(t, Transcode, spec("keep")); err == nil || !strings.Contains(err.Error(), "cannot be kept") || read(t, out) != "precious" {
		t.Errorf("keep of what is no film: %v; the file has %d bytes", err, len(read(t, out)))
	}
	mustDo(t, Transcode, spec("replace"))
	looksLike(t, look(t, out), "h264", 80, 60)
	whole := read(t, out)
	if w := mustDo(t, Transcode, spec("keep")); read(t, out) != whole || w.last().Share != 1 || !w.last().Detail.(transcodeDetail).Kept {
		t.Error("keep: the file was changed, or the task not done")
	}
}

// A result that was made of half an input is not kept as whole: it is a failure, or
// the same warning as when it was made.
func TestKeepOfAShortResult(t *testing.T) {
	for _, kind := range []string{Transcode, Mix, Package, Thumbnails} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			in := filepath.Join(dir, "in.mkv")
			do := func(clip, more string) ([]Warning, error) {
				write(t, in, read(t, clipOf(t, clip)))
				row := tableRow{clip: clip, kind: kind, more: more}
				spec, _ := row.spec(t, in, filepath.Join(dir, "out"))
				w := newWatcher()
				err := workOf(t, kind, Options{}).run(within(t), spec, "n1", w)
				var detail struct{ Warnings []Warning }
				_ = json.Unmarshal([]byte(inJSONText(w.last().Detail)), &detail)
				return detail.Warnings, err
			}
			short := func(all []Warning) bool {
				return slices.ContainsFunc(all, func(w Warning) bool { return w.Name == WarnShort })
			}
			if all, err := do("half.mkv", `"on_short": "warn"`); err != nil || !short(all) {
				t.Fatalf("half of the input: %v, %v", all, err)
			}
			if _, err := do("film.mkv", `"existing": "keep"`); err == nil || !strings.Contains(err.Error(), "is there, but lasts") {
				t.Errorf("keep of half a result is the error %v", err)
			}
			if all, err := do("half.mkv", `"existing": "keep", "on_short": "warn"`); err != nil || !short(all) {
				t.Errorf("keep with on_short warn: %v, %v", all, err)
			}
			if _, err := do("film.mkv", `"existing": "replace"`); err != nil {
				t.Fatal(err)
			}
			if all, err := do("film.mkv", `"existing": "keep"`); err != nil || len(all) > 0 {
				t.Errorf("keep of a whole result: %v, %v", all, err)
			}
		})
	}
}

// An ffmpeg that is killed is a failure, with no file that looks whole; the
// next attempt succeeds and leaves nothing else behind.
func TestTranscodeKilled(t *testing.T) {
	t.Parallel()
	in, out := clip(t, 8), t.TempDir()
	spec := fmt.Sprintf(`{"input": %q, "output": %q, "speed": "fastest", "ladder": [{"height": 120}]}`, in, out)
	write(t, filepath.Join(out, ".clip-120p.mp4.agent_1.partial"), "left behind by this node")
	slow := slowTool(t)
	w, ended := newWatcher(), make(chan error, 1)
	work := workWith(t, slow, Transcode, Options{})
	go func() { ended <- work.run(within(t), []byte(spec), "agent_1", w) }()
	w.await(t, "ffmpeg", func() bool { return len(w.reports) > 0 })
	kill(t, slow)
	err := <-ended
	if failed := new(ToolError); !errors.As(err, &failed) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a killed ffmpeg is the error %v", err)
	}
	if got := filesIn(t, out); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	mustDo(t, Transcode, spec)
	lasts(t, look(t, filepath.Join(out, "clip-120p.mp4")), 8)
}

func TestTranscodeStoppedLeavesNothing(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	spec := fmt.Sprintf(`{"input": %q, "output": %q, "speed": "fastest", "ladder": [{"height": 120}, {"height": 60}]}`, clip(t, 10), out)
	w, end := beginWith(t, slowTool(t), Transcode, spec)
	w.await(t, "progress", func() bool { return len(w.reports) > 0 })
	if err := end(); err == nil {
		t.Error("a stopped transcoding ended as if it were whole")
	}
	if got := filesIn(t, out); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

// Of two attempts at once, which a fleet may make when it takes a node for
// dead, exactly one wins.
func TestTranscodeTwiceAtOnce(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	spec := []byte(fmt.Sprintf(`{"input": %q, "output": %q, "speed": "fastest", "ladder": [{"height": 60}]}`, clip(t, 1), out))
	work, ends := workOf(t, Transcode, Options{}), make(chan error, 2)
	for i := range 2 {
		go func() { ends <- work.run(within(t), spec, fmt.Sprint("agent_", i), newWatcher()) }()
	}
	one, two := <-ends, <-ends
	if (one == nil) == (two == nil) || !errors.Is(errors.Join(one, two), errExists) {
		t.Errorf("two attempts ended with %v and %v", one, two)
	}
	if got := filesIn(t, out); !slices.Equal(got, []string{"clip-60p.mp4"}) {
		t.Errorf("made %q", got)
	}
	lasts(t, look(t, filepath.Join(out, "clip-60p.mp4")), 1)
}

func TestTranscodeFailureHasLastLines(t *testing.T) {
	t.Parallel()
	in := filepath.Join(t.TempDir(), "broken.mp4")
	write(t, in, strings.Repeat("this is not a film\n", 100))
	_, err := do(t, Transcode, fmt.Sprintf(`{"input": %q, "output": %q, "ladder": [{"height": 60}]}`, in, t.TempDir()))
	if err == nil || !strings.Contains(err.Error(), "Invalid data found") {
		t.Errorf("a broken file is the error %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// slowTool is an ffmpeg that takes its time over its input (-re), and writes its
// process id to a file.
func slowTool(t *testing.T) *Tool {
	t.Helper()
	real := tool(t)
	return wrapped(t, `case "$*" in *-progress*) echo $$ >"$0.pid"; exec `+real.FFmpeg+` -readrate 0.5 "$@";; esac
exec `+real.FFmpeg+` "$@"`)
}

// wrapped is an ffmpeg that is a script.
func wrapped(t *testing.T, script string) *Tool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Tool{FFmpeg: path, FFprobe: tool(t).FFprobe, Version: tool(t).Version, tried: map[encoder]bool{}}
}

func kill(t *testing.T, slow *Tool) {
	t.Helper()
	var pid int
	if _, err := fmt.Sscan(read(t, slow.FFmpeg+".pid"), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
