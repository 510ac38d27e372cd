package clips

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

// Every clip can be made.
func TestNames(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(ffmpeg)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		path, err := m.Get(context.Background(), name)
		if err != nil {
			t.Error(err)
		} else if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
