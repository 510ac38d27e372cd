package media

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Speed is how much an encoder tries.
type Speed string

// The speeds: Fastest is for live pictures, Good for what is watched often.
const (
	Fastest Speed = "fastest"
	Fast    Speed = "fast"
	Good    Speed = "good"
)

func (s Speed) check() error { return oneOfOrNone("speed", s, Fastest, Fast, Good) }

// args are those that choose the encoder, its profile and its speed.
func (e encoder) args(s Speed) []string {
	args := []string{"-c:v", e.name}
	if e.profile != "" {
		args = append(args, "-profile:v", e.profile)
	}
	return append(args, speedArgs(e.name, s)...)
}

// speedArgs puts a speed into the words of an encoder. Those that are not here
// have one speed for us.
func speedArgs(name string, s Speed) []string {
	i := max(0, slices.Index([]Speed{Fast, Fastest, Good}, s))
	switch name {
	case "libx264", "libx265":
		return []string{"-preset", []string{"veryfast", "ultrafast", "slow"}[i]}
	case "libvpx", "libvpx-vp9":
		return []string{"-deadline", []string{"good", "realtime", "good"}[i], "-cpu-used", []string{"4", "8", "1"}[i]}
	case "libsvtav1":
		return []string{"-preset", []string{"8", "12", "5"}[i]}
	case "libaom-av1":
		return []string{"-cpu-used", []string{"6", "8", "4"}[i], "-row-mt", "1"}
	case "librav1e":
		return []string{"-speed", []string{"8", "10", "5"}[i]}
	}
	return nil
}

// rate are the arguments for a bitrate; 0 is one that the encoder chooses for
// an even quality, where it can.
func rate(e encoder, b Bitrate) []string {
	switch {
	case b > 0 && e.name == "libsvtav1":
		return []string{"-b:v", b.arg()} // its newer versions take a highest rate with a quality only
	case b > 0:
		return []string{"-b:v", b.arg(), "-maxrate", (b * 3 / 2).arg(), "-bufsize", (2 * b).arg()}
	case e.name == "libvpx":
		return []string{"-crf", "20", "-b:v", "8000000"} // the most; the quality decides
	case e.name == "libvpx-vp9", e.name == "libaom-av1":
		return []string{"-crf", "32", "-b:v", "0"}
	}
	return nil
}

// live are the arguments for a picture that is watched while it is encoded.
func (e encoder) live() []string {
	args := e.args(Fastest)
	switch e.name {
	case "libx264", "libx265":
		args = append(args, "-tune", "zerolatency")
	}
	return args
}

// keySeconds is the time between key frames: at the same times in all that is
// made of an input, so that a player can change between them.
const keySeconds = 2

// usualFPS stands for a rate that is not known.
const usualFPS = 25

// keys are the arguments for a key frame every s seconds. Encoders of AV1 count
// pictures: SVT 1.4 does not heed times, libaom makes two key frames of one.
// A player can begin at a key frame of H.265 only where it is an IDR.
func (e encoder) keys(s, fps float64) []string {
	if e.counts() {
		every := strconv.Itoa(picturesIn(s, fps))
		if e.name == "libsvtav1" {
			return []string{"-g", every}
		}
		return []string{"-g", every, "-keyint_min", every}
	}
	return e.forced(fmt.Sprintf("t,n_forced*%s", seconds(s)))
}

// counts reports whether key frames are by the number of pictures, not by times.
func (e encoder) counts() bool {
	return slices.Contains([]string{"libsvtav1", "libaom-av1", "librav1e"}, e.name)
}

// picturesIn is how many pictures some seconds have.
func picturesIn(s, fps float64) int {
	if fps == 0 {
		fps = usualFPS
	}
	return max(1, int(math.Round(s*fps)))
}

// forced are key frames where the first of two values reaches the second.
func (e encoder) forced(reaches string) []string {
	args := []string{"-force_key_frames", "expr:gte(" + reaches + ")"}
	if e.name == "libx265" {
		args = append(args, "-forced-idr", "1")
	}
	return args
}

// appleTag is what players of Apple look for in an mp4 file with H.265.
func appleTag(c container, word string) []string {
	if c.word == "mp4" && word == "h265" {
		return []string{"-tag:v", "hvc1"}
	}
	return nil
}

// crfs are the encoders that have a measure of quality, and its highest value.
var crfs = map[string]int{"libx264": 51, "libx265": 51, "libvpx": 63, "libvpx-vp9": 63, "libaom-av1": 63, "libsvtav1": 63}

// quality are the arguments for a measure of quality.
func (e encoder) quality(crf int) []string {
	args := []string{"-crf", strconv.Itoa(crf)}
	switch e.name {
	case "libvpx":
		return append(args, "-b:v", "50000000") // the most; the quality decides
	case "libvpx-vp9", "libaom-av1":
		return append(args, "-b:v", "0")
	}
	return args
}

// presets are an encoder's own words for its effort; nil where it has none.
func presets(name string) []string {
	switch name {
	case "libx264", "libx265":
		return []string{"ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"}
	case "libsvtav1":
		words := make([]string, 14)
		for i := range words {
			words[i] = strconv.Itoa(i)
		}
		return words
	}
	return nil
}
