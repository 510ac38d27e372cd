package media

import "fmt"

// Warning says in what a result differs from the input where the spec did not
// ask for it, or what was wrong with the input. It is in "warnings" of a
// report's detail.
type Warning struct {
	// Name is one of the constants below.
	Name string `json:"name"`
	// Text says it in words.
	Text string `json:"text"`
}

// The names of warnings.
const (
	WarnShort     = "short"             // the input ended before the time that it announces, or its playlist lacks segments
	WarnDamaged   = "damaged"           // parts of the input could not be decoded
	WarnAudio     = "audio_dropped"     // tracks of sound were left out
	WarnSubtitles = "subtitles_dropped" // tracks of subtitles were left out
	WarnVideo     = "video_dropped"     // more pictures than one: others were left out
	WarnAlpha     = "alpha_dropped"     // what was transparent is not
	WarnRung      = "rung_skipped"      // a rung is larger than the input
	WarnTonemap   = "tonemapped"        // HDR became SDR
	WarnChannels  = "channels_mixed"    // fewer channels of sound than in the input
	WarnEmpty     = "empty_track"       // a track has nothing in the part that was asked for
	WarnLoudness  = "loudness"          // the sound is not as loud as it should be
	WarnSplit     = "not_split"         // split was asked for, and the film was encoded in one piece
	WarnLanguage  = "language_missing"  // the input has no track of a language
)

// warnings collects what is to be said of a result.
type warnings []Warning

func (w *warnings) add(name, format string, args ...any) {
	*w = append(*w, Warning{name, fmt.Sprintf(format, args...)})
}
