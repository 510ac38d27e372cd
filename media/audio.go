package media

import (
	"cmp"
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
	switch {
	case s.unarranged() != "":
		return joined(l.filter, filter)
	case filter == "" || l.filter != "":
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

// aacLayouts are the arrangements that ffmpeg's AAC knows.
var aacLayouts = []string{
	"2.1", "3.0", "3.0(back)", "3.1", "4.0", "4.1", "quad", "quad(side)", "5.0", "5.0(side)", "5.1", "5.1(side)", "6.0", "6.0(front)", "hexagonal",
	"6.1", "6.1(back)", "6.1(front)", "7.0", "7.0(front)", "7.1", "7.1(wide)", "7.1(wide-side)", "octagonal", "hexadecagonal",
}

// takes reports whether the encoder knows the arrangement of a track.
func (a Audio) takes(s *StreamInfo) bool {
	switch {
	case s.Channels < 3:
		return true
	case a.Codec == "aac":
		return slices.Contains(aacLayouts, s.Layout) || s.Layout == "" && s.Channels == 16 // ffmpeg takes it for hexadecagonal
	}
	return a.Codec == "opus" && s.Channels < len(layouts) && s.Layout == layouts[s.Channels]
}

func (a Audio) layout(s *StreamInfo) layout {
	switch {
	case a.takes(s):
		return layout{max(1, s.Channels), ""}
	case a.Codec != "mp3" && s.Channels < len(layouts):
		return layout{s.Channels, "aformat=channel_layouts=" + layouts[s.Channels]}
	}
	return layout{2, cmp.Or(s.unarranged(), "aformat=channel_layouts=stereo")}
}

// unarranged is a filter for channels of which neither the file nor ffmpeg says
// where they belong: nothing can be made of them but their first two. It is "" for
// others.
func (s *StreamInfo) unarranged() string {
	if s.Layout != "" || s.Channels < len(layouts) {
		return ""
	}
	return "channelmap=0|1:stereo"
}

// unarranged is that of the first track of sound.
func (p picked) unarranged() string {
	if len(p.audio) == 0 {
		return ""
	}
	return p.audio[0].unarranged()
}

// loses warns of channels that are mixed together.
func (a Audio) loses(tracks []*StreamInfo, warn *warnings) {
	if a.Codec == Copy || a.Codec == None {
		return
	}
	for _, s := range tracks {
		switch l := a.layout(s); {
		case l.channels >= s.Channels:
		case s.unarranged() != "":
			warn.add(WarnChannels, "of the %d channels of stream %d the first 2 were taken: the input does not say where they belong", s.Channels, s.Index)
		default:
			warn.add(WarnChannels, "the %d channels of stream %d were mixed into %d: %s has no more", s.Channels, s.Index, l.channels, a.Codec)
		}
	}
}
