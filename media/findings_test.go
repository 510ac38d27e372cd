package media

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A node does not ask ffmpeg what its agent found out, unless ffmpeg is another
// by then.
func TestFindingsAreHandedOn(t *testing.T) {
	real := tool(t)
	counted := wrapped(t, `echo run >>"$0.runs"; exec `+real.FFmpeg+` "$@"`)
	ffprobe := filepath.Join(filepath.Dir(counted.FFmpeg), "ffprobe")
	if err := os.Symlink(real.FFprobe, ffprobe); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MUSTER_FFMPEG", counted.FFmpeg)
	runs := func() int {
		text, _ := os.ReadFile(counted.FFmpeg + ".runs")
		return strings.Count(string(text), "run")
	}
	agents, err := Find(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agents.encoder("video", "h264"); err != nil {
		t.Fatal(err)
	}
	before := runs()
	for _, variable := range agents.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	nodes, err := Find(within(t))
	if err != nil || nodes.Version != real.Version || nodes.FFprobe != ffprobe {
		t.Fatalf("a node finds %+v, %v", nodes, err)
	}
	if e, err := nodes.encoder("video", "h264"); err != nil || e.name == "" {
		t.Errorf("a node has the encoder %+v, %v", e, err)
	}
	if after := runs(); after != before {
		t.Errorf("a node ran ffmpeg %d times", after-before)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(counted.FFmpeg, later, later); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(within(t)); err != nil || runs() == before {
		t.Errorf("an ffmpeg that changed was not asked: %v", err)
	}
}
