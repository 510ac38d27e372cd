package media

import "slices"

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
	// Bitrate is 128k where it is 0.
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
	case coded && a.Bitrate == 0:
		a.Bitrate = 128_000
	}
	return a, nil
}

// args are those that encode, copy or leave out the sound.
func (a Audio) args() []string {
	switch a.Codec {
	case None:
		return []string{"-an"}
	case Copy:
		return []string{"-c:a", "copy"}
	}
	return []string{"-c:a", audioEncoders[a.Codec], "-b:a", a.Bitrate.arg()}
}
