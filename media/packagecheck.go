package media

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// packaged is what a package has.
type packaged struct {
	// seconds is how long the pictures last.
	seconds float64
	// segments and playlists are the paths of their files.
	segments, playlists []string
}

// aligned is by how many seconds the segments of two sizes may differ: their
// rates may differ, and a segment begins with a whole picture.
const aligned = 0.15

var mediaURI = lazily(`URI="([^"]+)"`)

// readPackage reads the playlists of a package as a player does, and checks that
// all sizes are there, that their segments are as long as each other, and that
// no file is missing or empty.
func readPackage(dir string, sizes int) (packaged, error) {
	var p packaged
	text, err := os.ReadFile(filepath.Join(dir, masterName))
	if err != nil {
		return p, err
	}
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err != nil {
		return p, err
	}
	var pictures, sounds []string
	follows := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#EXT-X-MEDIA:"):
			if m := mediaURI().FindStringSubmatch(line); m != nil {
				sounds = append(sounds, m[1])
			}
		case strings.HasPrefix(line, "#EXT-X-STREAM-INF"):
			follows = true
		case follows && line != "":
			pictures, follows = append(pictures, line), false
		}
	}
	if len(pictures) != sizes {
		return p, fmt.Errorf("%s has %d sizes, not %d", masterName, len(pictures), sizes)
	}
	var first []float64
	for i, name := range slices.Concat(pictures, sounds) {
		lengths, err := p.playlist(dir, name)
		if err != nil {
			return p, err
		}
		switch {
		case i == 0:
			first = lengths
		case i >= len(pictures):
		case !sameLengths(first, lengths):
			return p, fmt.Errorf("the segments of %s and %s do not begin at the same times", pictures[0], name)
		}
	}
	for _, s := range first {
		p.seconds += s
	}
	return p, nil
}

func sameLengths(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(a, b float64) bool { return math.Abs(a-b) <= aligned })
}

// playlist reads the one of a size or a track, and returns the lengths of its
// segments.
func (p *packaged) playlist(dir, name string) ([]float64, error) {
	path := filepath.Join(dir, filepath.Base(name))
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p.playlists = append(p.playlists, path)
	if !strings.Contains(string(text), "#EXT-X-ENDLIST") {
		return nil, fmt.Errorf("%s has no end", name)
	}
	var lengths []float64
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		file := line
		if m := mediaURI().FindStringSubmatch(line); strings.HasPrefix(line, "#EXT-X-MAP") && m != nil {
			file = m[1]
		} else if length, is := strings.CutPrefix(line, "#EXTINF:"); is {
			lengths = append(lengths, number(strings.TrimSuffix(length, ",")))
			continue
		} else if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		file = filepath.Join(dir, filepath.Base(file))
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			return nil, fmt.Errorf("%s names %s, which is missing or empty", name, filepath.Base(file))
		}
		if !slices.Contains(p.segments, file) {
			p.segments = append(p.segments, file)
		}
	}
	return lengths, nil
}
