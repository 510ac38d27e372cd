package media

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	real := tool(t)
	if real.Version == "" || real.major() < 4 {
		t.Errorf("the version is %q", real.Version)
	}
	dir := t.TempDir()
	for name, to := range map[string]string{"ffmpeg": real.FFmpeg, "ffprobe": real.FFprobe} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	for _, named := range []string{dir, filepath.Join(dir, "ffmpeg")} {
		t.Setenv("MUSTER_FFMPEG", named)
		got, err := Find(within(t))
		if err != nil || got.FFmpeg != filepath.Join(dir, "ffmpeg") || got.FFprobe != filepath.Join(dir, "ffprobe") {
			t.Errorf("MUSTER_FFMPEG=%s finds %+v, %v", named, got, err)
		}
	}
}

func TestFindSaysHowToGetIt(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for _, c := range []struct{ named, want string }{
		{"", "install"},
		{filepath.Join(dir, "none"), "where MUSTER_FFMPEG says"},
		{dir, "where MUSTER_FFMPEG says"},
	} {
		t.Setenv("MUSTER_FFMPEG", c.named)
		if _, err := Find(within(t)); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("MUSTER_FFMPEG=%s is the error %v", c.named, err)
		}
	}
	alone := wrapped(t, "echo hello")
	t.Setenv("MUSTER_FFMPEG", alone.FFmpeg)
	if _, err := Find(within(t)); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "no ffprobe beside") {
		t.Errorf("an ffmpeg without ffprobe is the error %v", err)
	}
	write(t, filepath.Join(filepath.Dir(alone.FFmpeg), "ffprobe"), "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(filepath.Dir(alone.FFmpeg), "ffprobe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(within(t)); err == nil || !strings.Contains(err.Error(), "is not ffmpeg") {
		t.Errorf("another program is the error %v", err)
	}
}

// What the capacity promises is done: each codec is encoded, and decoded again.
func TestCapacityIsTrue(t *testing.T) {
	t.Parallel()
	capacity := tool(t).Capacity(within(t))
	for _, word := range []string{"vp8", "vp9", "h264", "h264_CB", "h264_H", "h265"} {
		if !slices.Contains(capacity.Encode, word) {
			t.Errorf("Debian's ffmpeg cannot encode %s: it can %q", word, capacity.Encode)
		}
	}
	film, out := clip(t, 0.2), t.TempDir()
	for _, word := range capacity.Encode {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			c, _ := codecOf(word)
			if !slices.Contains(capacity.Decode, c.word) {
				t.Fatal("can be encoded, and not decoded")
			}
			path := filepath.Join(out, word+".mkv")
			mustDo(t, Transcode, `{"input": "`+film+`", "output": "`+path+`", "speed": "fastest", "ladder": [{"height": 120, "codec": "`+word+`"}]}`)
			looksLike(t, look(t, path), c.word, 160, 120)
			colour(t, path, 0, 10, 10) // decodes
		})
	}
}

// An encoder that is listed but does not open does not count, and a spec that
// asks for it is refused.
func TestCapacityWithoutHardware(t *testing.T) {
	t.Parallel()
	real := tool(t)
	lame := wrapped(t, `case "$*" in *"-c:v libx265"*|*"-c:v hevc_"*) echo "no device" >&2; exit 1;; esac
exec `+real.FFmpeg+` "$@"`)
	capacity := lame.Capacity(within(t))
	if slices.Contains(capacity.Encode, "h265") || !slices.Contains(capacity.Encode, "h264") || !slices.Contains(capacity.Decode, "h265") {
		t.Errorf("the capacity is %+v", capacity)
	}
	work, err := New(Transcode, lame, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = work.Check([]byte(`{"input": "tool_test.go", "output": "x", "ladder": [{"height": 72, "codec": "h265"}]}`))
	if err == nil || !strings.HasPrefix(err.Error(), "ladder[0].codec: this ffmpeg (") {
		t.Errorf("a codec that cannot be encoded is the error %v", err)
	}
}

func TestCapacityInNoTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fresh := &Tool{FFmpeg: tool(t).FFmpeg, tried: map[encoder]bool{}}
	if c := fresh.Capacity(ctx); len(c.Encode)+len(c.Decode) != 0 {
		t.Errorf("without time the capacity is %+v", c)
	}
	if c := fresh.Capacity(within(t)); !slices.Contains(c.Encode, "h264") {
		t.Errorf("what was not found out stays so: %+v", c)
	}
}
