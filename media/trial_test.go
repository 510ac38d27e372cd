package media

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// Somebody kills the ffmpeg that tries an encoder: that is no verdict.
func TestATrialThatIsKilledIsBegunAgain(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\ncd " + dir + "\ntest -e killed || { touch killed; kill -9 $$; }\n"
	program := filepath.Join(dir, "ffmpeg")
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	tool := &Tool{FFmpeg: program, names: map[string]bool{"libx264": true}, tried: map[encoder]bool{}}
	if !tool.opens(context.Background(), encoder{name: "libx264"}) {
		t.Error("the encoder counts as one that does not work")
	}
	if _, err := os.Stat(filepath.Join(dir, "killed")); err != nil {
		t.Error("nothing was killed")
	}
}
