package media

import (
	"slices"
	"strconv"
)

// Words for what is to become of a stream, beside the names of codecs.
const (
	// Copy takes it as it is, without encoding it.
	Copy = "copy"
	// None leaves it out.
	None = "none"
)

// Audio says what is to become of the sound.
type Audio struct {
	// Codec is "aac", "opus", "mp3", Copy or None; "" is what suits the container.
	Codec string `json:"codec"`
	// Bitrate is 64k for each channel where it is 0.
	Bitrate Bitrate `json:"bitrate"`
}

// audioEncoders are ffmpeg's names for the codecs that a spec may name.
var audioEncoders = map[string]string{"aac": "aac", "opus": "libopus", "mp3": "libmp3lame"}

var audioWords = []string{"aac", "opus", "mp3", Copy, None}

// in fills in what suits a container, and checks that it can hold the codec.
func (a Audio) in(c container) (Audio, error) {
	if a.Codec == "" {
		a.Codec = c.audio[0]
	}
	if err := oneOf("audio.codec", a.Codec, audioWords); err != nil {
		return a, err
	}
	coded := a.Codec != Copy && a.Codec != None
	switch {
	case !coded && a.Bitrate != 0:
		return a, fault("audio.bitrate", "says nothing where audio.codec is %q: leave it out", a.Codec)
	case coded && !slices.Contains(c.audio, a.Codec):
		return a, fault("audio.codec", "%s has no place in %s: choose %s", a.Codec, c.word, c.audio[0])
	}
	return a, nil
}

// perChannel is the bitrate of a channel where nothing is said.
const perChannel = 64_000

// args are those that encode, copy or leave out the tracks of sound; none are
// known where ffmpeg finds them by itself.
func (a Audio) args(tracks []*StreamInfo) []string { return a.levelled(tracks, nil) }

// levelled are args with filters that change the loudness of each track.
func (a Audio) levelled(tracks []*StreamInfo, levels []string) []string {
	switch {
	case a.Codec == None:
		return []string{"-an"}
	case a.Codec == Copy:
		return []string{"-c:a", "copy"}
	case len(tracks) == 0 && a.Bitrate == 0:
		return []string{"-c:a", audioEncoders[a.Codec], "-b:a", Bitrate(2 * perChannel).arg()}
	case len(tracks) == 0:
		return []string{"-c:a", audioEncoders[a.Codec], "-b:a", a.Bitrate.arg()}
	}
	args := []string{"-c:a", audioEncoders[a.Codec]}
	for i, s := range tracks {
		rate, n := a.Bitrate, strconv.Itoa(i)
		layout := a.layout(s)
		if rate == 0 {
			rate = Bitrate(max(1, layout.channels) * perChannel)
		}
		args = append(args, "-b:a:"+n, rate.arg())
		filters := layout.filter
		if i < len(levels) {
			filters = joined(filters, leveller(levels[i], s, layout))
		}
		if filters != "" {
			args = append(args, "-filter:a:"+n, filters)
		}
	}
	return args
}

// leveller is a filter that changes the loudness. ffmpeg 5.1 forgets the layout
// of mono behind loudnorm, so that it is said again.
func leveller(filter string, s *StreamInfo, l layout) string {
	if filter == "" || l.filter != "" {
		return joined(filter, l.filter)
	}
	name := s.Layout
	if name == "" && s.Channels < len(layouts) {
		name = layouts[s.Channels]
	}
	if name == "" {
		return filter
	}
	return filter + ",aformat=channel_layouts=" + name
}

// joined are two filters, either of which may be "", one after the other.
func joined(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "," + second
}

// layout is how the channels of a track are encoded.
type layout struct {
	channels int
	// filter is "" where they stay as they are.
	filter string
}

// layouts are the arrangements of speakers that Opus knows, by the number of
// channels.
var layouts = []string{"", "mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"}

// mostChannels are those of an encoder; more are mixed into two.
func (a Audio) mostChannels() int {
	switch a.Codec {
	case "mp3":
		return 2
	case "opus":
		return len(layouts) - 1
	}
	return 16
}

func (a Audio) layout(s *StreamInfo) layout {
	switch {
	case s.Channels > a.mostChannels():
		return layout{2, "aformat=channel_layouts=stereo"}
	case a.Codec != "opus" || s.Channels < 3 || s.Layout == layouts[s.Channels]:
		return layout{max(1, s.Channels), ""}
	}
	return layout{s.Channels, "aformat=channel_layouts=" + layouts[s.Channels]}
}

// loses warns of channels that are mixed together.
func (a Audio) loses(tracks []*StreamInfo, warn *warnings) {
	if a.Codec == Copy || a.Codec == None {
		return
	}
	for _, s := range tracks {
		if l := a.layout(s); l.channels < s.Channels {
			warn.add(WarnChannels, "the %d channels of stream %d were mixed into %d: %s has no more", s.Channels, s.Index, l.channels, a.Codec)
		}
	}
}
