package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Tool is an ffmpeg that is installed. It is safe for concurrent use.
type Tool struct {
	// FFmpeg and FFprobe are the paths of the programs.
	FFmpeg, FFprobe string
	// Version is what ffmpeg says of itself, as "5.1.9".
	Version string

	mu sync.Mutex
	// names are the encoders that are listed; tried says which of them open.
	names map[string]bool
	tried map[encoder]bool
}

// ErrNotFound is the reason when ffmpeg or ffprobe is not there.
var ErrNotFound = errors.New("ffmpeg is not installed")

// Find looks for ffmpeg and ffprobe: where MUSTER_FFMPEG says (the path of
// ffmpeg, or of a directory that has both), else in PATH. Where they are not
// there the error is ErrNotFound and says how to get them.
func Find(ctx context.Context) (*Tool, error) {
	ffmpeg, err := locate()
	if err != nil {
		return nil, err
	}
	if t := known(ffmpeg); t != nil {
		return t, nil
	}
	return at(ctx, ffmpeg)
}

// at is the ffmpeg of a path.
func at(ctx context.Context, ffmpeg string) (*Tool, error) {
	ffprobe, err := beside(ffmpeg)
	if err != nil {
		return nil, err
	}
	version, err := version(ctx, ffmpeg)
	if err != nil {
		return nil, err
	}
	return &Tool{FFmpeg: ffmpeg, FFprobe: ffprobe, Version: version, tried: map[encoder]bool{}}, nil
}

func locate() (string, error) {
	named := os.Getenv("MUSTER_FFMPEG")
	if named == "" {
		path, err := exec.LookPath("ffmpeg")
		if err != nil {
			return "", fmt.Errorf("%w: %s, or set MUSTER_FFMPEG to its path", ErrNotFound, howToInstall())
		}
		return path, nil
	}
	if info, err := os.Stat(named); err == nil && info.IsDir() {
		named = filepath.Join(named, "ffmpeg")
	}
	path, err := exec.LookPath(named)
	if err != nil {
		return "", fmt.Errorf("%w where MUSTER_FFMPEG says: %w", ErrNotFound, err)
	}
	return path, nil
}

// beside finds the ffprobe that belongs to an ffmpeg.
func beside(ffmpeg string) (string, error) {
	dir, name := filepath.Split(ffmpeg)
	if path, err := exec.LookPath(filepath.Join(dir, strings.Replace(name, "ffmpeg", "ffprobe", 1))); err == nil && path != ffmpeg {
		return path, nil
	}
	path, err := exec.LookPath("ffprobe")
	if err != nil {
		return "", fmt.Errorf("%w completely: there is no ffprobe beside %s; %s", ErrNotFound, ffmpeg, howToInstall())
	}
	return path, nil
}

func howToInstall() string {
	switch runtime.GOOS {
	case "darwin":
		return "install it with `brew install ffmpeg`"
	case "windows":
		return "install it with `winget install ffmpeg`"
	}
	return "install it with `apt install ffmpeg` (Debian, Ubuntu), `dnf install ffmpeg-free` (Fedora), `apk add ffmpeg` (Alpine) or `pacman -S ffmpeg` (Arch)"
}

func version(ctx context.Context, ffmpeg string) (string, error) {
	out, err := output(ctx, ffmpeg, "-version")
	if err != nil {
		return "", fmt.Errorf("media: %s cannot be run: %w", ffmpeg, err)
	}
	words := strings.Fields(string(out))
	if len(words) < 3 || words[0] != "ffmpeg" || words[1] != "version" {
		return "", fmt.Errorf("media: %s is not ffmpeg: it does not say its version", ffmpeg)
	}
	number, _, _ := strings.Cut(words[2], "-")
	return number, nil
}

// major is the first number of the version. What is built from a snapshot has
// none and counts as new.
func (t *Tool) major() int {
	first, _, _ := strings.Cut(strings.TrimPrefix(t.Version, "n"), ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 99
	}
	return n
}
