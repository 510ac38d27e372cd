package media

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// errAnnounced ends a run of ffmpeg whose arguments do not suit what it found in the
// input.
var errAnnounced = errors.New("media: the input needs other arguments")

// streamOf reads what ffmpeg says of a stream of an input, as "hevc (Main 10),
// yuv420p10le(tv, bt2020nc/bt2020/smpte2084), 1920x1080, 25 fps".
func streamOf(index int, kind, text string) StreamInfo {
	name, _, _ := strings.Cut(text, " ")
	s := probedStream{Index: index, Kind: kind, Codec: strings.TrimSuffix(name, ",")}
	for _, transfer := range []string{"smpte2084", "arib-std-b67"} {
		if strings.Contains(text, transfer) {
			s.Transfer = transfer
		}
	}
	if m := pictureSize().FindStringSubmatch(text); m != nil {
		s.Width, s.Height = atoi(m[1]), atoi(m[2])
	}
	if m := soundLayout().FindStringSubmatch(text); m != nil {
		s.Channels, s.Layout = channelsOf(m[1]), m[1]
		if strings.HasSuffix(m[1], " channels") {
			s.Layout = ""
		}
	}
	return s.info()
}

var (
	pictureSize = lazily(`, (\d+)x(\d+)`)
	soundLayout = lazily(` Hz, ([^,]+)`)
	digits      = lazily(`\d+`)
)

// channelsOf counts the channels of a layout in ffmpeg's words, as "5.1(side)".
func channelsOf(layout string) (n int) {
	words := map[string]int{"mono": 1, "stereo": 2, "downmix": 2, "quad": 4, "hexagonal": 6, "octagonal": 8, "hexadecagonal": 16}
	name, _, _ := strings.Cut(layout, "(")
	if known := words[name]; known > 0 {
		return known
	}
	for _, part := range digits().FindAllString(name, -1) {
		more, _ := strconv.Atoi(part)
		n += more
	}
	return n
}

// announced picks from what ffmpeg found in an input that was not looked at before,
// and keeps what the arguments must heed: they name tracks as before.
func announced(info *Probe, want wanted, c container, copied bool, a Audio, warn *warnings) (picked, error) {
	p, err := pick(info, want, warn)
	if err != nil {
		return p, err
	}
	if err := p.carries(info, c, copied, a.Codec == Copy); err != nil {
		return p, err
	}
	a.loses(p.audio, warn)
	p.known = false
	if p.video != nil && !copied && !p.video.HDR {
		p.video = nil
	}
	if a.Codec == Copy || !slices.ContainsFunc(p.audio, func(s *StreamInfo) bool { return s.Channels > 2 }) {
		p.audio = nil
	}
	return p, nil
}
