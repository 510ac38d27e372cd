package stage

import (
	"path/filepath"
	"strings"
	"testing"
)

// People see their own paths, not the URLs with the key, also in the words of errors
// of HTTP.
func TestShown(t *testing.T) {
	s, err := Listen("127.0.0.1:0", "caller:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	dir := t.TempDir()
	out := s.Output(filepath.Join(dir, "film.mp4"), false)
	over := strings.Replace(out, "stage://", "http://", 1)
	if got, want := s.Shown(out+" and "+over+": refused"), filepath.Join(dir, "film.mp4"); got != want+" and "+want+": refused" {
		t.Errorf("shown is %q", got)
	}
}
