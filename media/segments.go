package media

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// readSegments reads the list that ffmpeg's segment muxer writes, a line for
// each segment that is whole: name, start and end in seconds. It reads to the
// end also when tell fails, so that ffmpeg is not held up.
func readSegments(in io.Reader, tell func(Segment) error) error {
	lines := csv.NewReader(in)
	lines.FieldsPerRecord, lines.LazyQuotes = -1, true
	var failed []error
	for {
		line, err := lines.Read()
		switch {
		case errors.Is(err, io.EOF):
			return errors.Join(failed...)
		case err != nil:
			_, _ = io.Copy(io.Discard, in)
			return errors.Join(append(failed, err)...)
		case len(line) == 3:
			if err := tell(Segment{File: line[0], Start: number(line[1]), End: number(line[2])}); err != nil && len(failed) == 0 {
				failed = append(failed, err)
			}
		}
	}
}

// segmentsOf finds the segments of a pattern that are there already, and the
// number after the highest.
func segmentsOf(pattern string) (paths []string, next int, err error) {
	dir, base := filepath.Split(pattern)
	around := numbered().Split(base, 2)
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		middle, begins := strings.CutPrefix(e.Name(), around[0])
		middle, ends := strings.CutSuffix(middle, around[1])
		n, wrong := strconv.Atoi(middle)
		if begins && ends && wrong == nil && n >= 0 {
			paths, next = append(paths, filepath.Join(dir, e.Name())), max(next, n+1)
		}
	}
	return paths, next, err
}

func removeAll(paths []string) error {
	var errs []error
	for _, p := range paths {
		errs = append(errs, os.Remove(p))
	}
	return errors.Join(errs...)
}

// playlist is the list of the segments that are whole, an M3U8 file. It is
// written anew with each segment, and changes as a whole.
type playlist struct {
	path  string
	lines []string
	// longest is the length of the longest segment, in seconds.
	longest float64
	broken  bool
}

// load takes over the segments of an earlier recording. There may be none.
func (p *playlist) load() error {
	text, err := os.ReadFile(p.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("output: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if length, ok := strings.CutPrefix(line, "#EXTINF:"); ok {
			p.longest = max(p.longest, number(strings.TrimSuffix(length, ",")))
		} else if strings.HasPrefix(line, "#") && line != "#EXT-X-DISCONTINUITY" {
			continue
		}
		if line != "" {
			p.lines = append(p.lines, line)
		}
	}
	p.gap()
	return nil
}

// gap says that what follows does not go on where the last segment ended.
func (p *playlist) gap() { p.broken = len(p.lines) > 0 }

func (p *playlist) add(name string, length float64) error {
	if p.broken {
		p.lines = append(p.lines, "#EXT-X-DISCONTINUITY")
		p.broken = false
	}
	p.lines = append(p.lines, fmt.Sprintf("#EXTINF:%.6f,", length), name)
	p.longest = max(p.longest, length)
	return p.write("")
}

// end says that no more segments come.
func (p *playlist) end() error {
	if len(p.lines) == 0 {
		return nil
	}
	return p.write("#EXT-X-ENDLIST\n")
}

func (p *playlist) write(last string) error {
	text := fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:%d\n%s\n%s",
		int(p.longest+0.999), strings.Join(p.lines, "\n"), last)
	if err := replaceFile(p.path, text); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
