package media

import (
	"bufio"
	"io"
	"strings"
)

// Stats are what ffmpeg says of its progress; a report's detail has them.
type Stats struct {
	// Frames are the pictures written, Dropped those left out, Duplicated those
	// written again, to keep the frame rate.
	Frames     int64 `json:"frames"`
	Dropped    int64 `json:"dropped"`
	Duplicated int64 `json:"duplicated"`
	// FPS is how many pictures a second are written.
	FPS float64 `json:"fps"`
	// Kbps is the bitrate of what is written, in thousands of bits a second; 0
	// where ffmpeg does not know, as with several outputs.
	Kbps float64 `json:"bitrate_kbps"`
	// Speed is 1 where a second of media takes a second.
	Speed float64 `json:"speed"`
	// Seconds is how much media is written.
	Seconds float64 `json:"out_seconds"`
	// Bytes is the size of what is written, where ffmpeg knows.
	Bytes int64 `json:"bytes"`
}

// longLine is more than any line of ffmpeg's progress has.
const longLine = 1024

// readProgress reads what -progress writes, and calls tell at the end of each
// block. It reads until the end of r, whatever comes.
func readProgress(r io.Reader, tell func(Stats)) {
	var s Stats
	eachLine(r, longLine, func(line string) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && key == "progress" {
			tell(s)
			return
		}
		s.set(key, strings.TrimSpace(value))
	})
}

func (s *Stats) set(key, value string) {
	switch key {
	case "frame":
		s.Frames = int64(number(value))
	case "fps":
		s.FPS = number(value)
	case "bitrate":
		s.Kbps = number(strings.TrimSuffix(value, "kbits/s"))
	case "total_size":
		s.Bytes = int64(number(value))
	case "out_time_us":
		s.Seconds = number(value) / 1e6
	case "dup_frames":
		s.Duplicated = int64(number(value))
	case "drop_frames":
		s.Dropped = int64(number(value))
	case "speed":
		s.Speed = number(strings.TrimSuffix(value, "x"))
	}
}

// eachLine calls tell with each line of r, until its end. What is longer than
// most bytes is cut off.
func eachLine(r io.Reader, most int, tell func(string)) {
	in := bufio.NewReaderSize(r, most)
	for {
		line, more, err := in.ReadLine()
		if err != nil {
			return
		}
		text := string(line)
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
		tell(text)
	}
}

// splitLines adds written to a line that has begun, calls tell with each line that is
// whole then, and returns the beginning of the next. Of a line it keeps most bytes.
func splitLines(begun, written []byte, most int, tell func(string)) []byte {
	for _, c := range written {
		switch {
		case c == '\n' || c == '\r':
			tell(string(begun))
			begun = begun[:0]
		case len(begun) < most:
			begun = append(begun, c)
		}
	}
	return begun
}

// share is how much of an input of some seconds is done; -1 is unknown.
func (s Stats) share(of float64) float64 {
	if of <= 0 {
		return -1
	}
	return min(1, s.Seconds/of)
}
