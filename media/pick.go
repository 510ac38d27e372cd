package media

import (
	"fmt"
	"slices"
	"strings"
)

// picked are the streams of an input that a result is made of.
type picked struct {
	// known is not set where the input was not probed: then ffmpeg is asked
	// for its first picture that is no cover, and for sound.
	known     bool
	video     *StreamInfo
	audio     []*StreamInfo
	subtitles []*StreamInfo
}

// wanted is what a spec asks of an input.
type wanted struct {
	video, audio bool
	// tracks is TracksOne or TracksAll.
	tracks    string
	languages []string
	// subtitles is set where they are wanted too.
	subtitles bool
}

// The words for TranscodeSpec.AudioTracks.
const (
	TracksOne = "one"
	TracksAll = "all"
)

// pick chooses streams, and says which are left out. info may be nil.
func pick(info *Probe, want wanted, warn *warnings) (picked, error) {
	if info == nil {
		return picked{}, nil
	}
	p := picked{known: true}
	for _, s := range info.Streams {
		if s.Encrypted && (s.Kind == "video" && want.video || s.Kind == "audio" && want.audio) {
			return p, atInput(fault("input", "stream %d (%s) is encrypted: decrypt it first", s.Index, s.Kind))
		}
	}
	if want.video {
		p.video = info.Video()
		if n := len(info.all("video")); n > 1 {
			warn.add(WarnVideo, "stream %d was taken, %d other pictures were left out", p.video.Index, n-1)
		}
	}
	if want.audio {
		if err := p.sounds(info, want, warn); err != nil {
			return p, err
		}
	}
	subtitles := info.all("subtitle")
	if want.subtitles {
		p.subtitles = inLanguages(subtitles, want.languages)
	}
	if n := len(subtitles) - len(p.subtitles); n > 0 && want.video {
		warn.add(WarnSubtitles, "%s left out: set subtitles to keep or burn", counted(n, "track of subtitles was", "tracks of subtitles were"))
	}
	return p, nil
}

// sounds chooses tracks of sound.
func (p *picked) sounds(info *Probe, want wanted, warn *warnings) error {
	all := info.all("audio")
	p.audio = inLanguages(all, want.languages)
	for _, language := range want.languages {
		if len(all) > 0 && !slices.ContainsFunc(all, func(s *StreamInfo) bool { return sameLanguage(s.Language, language) }) {
			warn.add(WarnLanguage, "the input has no sound in %q: it has %s", language, languagesOf(all))
		}
	}
	if len(all) > 0 && len(p.audio) == 0 {
		return atInput(fault("languages", "has none that the input has: it has %s", languagesOf(all)))
	}
	if want.tracks == TracksOne && len(p.audio) > 1 && len(want.languages) == 0 {
		p.audio = p.audio[:1]
	}
	if n := len(all) - len(p.audio); n > 0 {
		warn.add(WarnAudio, "stream %d was taken, %s left out: set audio_tracks to all, or name languages", p.audio[0].Index, counted(n, "other track of sound was", "other tracks of sound were"))
	}
	return nil
}

// inLanguages are the streams in some languages, in the order of these; all
// where none is named.
func inLanguages(streams []*StreamInfo, languages []string) []*StreamInfo {
	if len(languages) == 0 {
		return streams
	}
	var some []*StreamInfo
	for _, language := range languages {
		for _, s := range streams {
			if sameLanguage(s.Language, language) && !slices.Contains(some, s) {
				some = append(some, s)
			}
		}
	}
	return some
}

// sameLanguage compares codes, of which German, French and some others have two
// of three letters and one of two.
func sameLanguage(a, b string) bool { return threeLetters(a) == threeLetters(b) }

var languageCodes = map[string]string{
	"de": "deu", "ger": "deu", "en": "eng", "fr": "fra", "fre": "fra", "es": "spa", "it": "ita", "pt": "por", "nl": "nld", "dut": "nld",
	"pl": "pol", "ru": "rus", "ja": "jpn", "zh": "zho", "chi": "zho", "ko": "kor", "cs": "ces", "cze": "ces", "sv": "swe", "da": "dan",
	"fi": "fin", "no": "nor", "tr": "tur", "ar": "ara", "el": "ell", "gre": "ell", "hu": "hun", "ro": "ron", "rum": "ron", "uk": "ukr",
}

func threeLetters(code string) string {
	code = strings.ToLower(code)
	if long := languageCodes[code]; long != "" {
		return long
	}
	return code
}

func languagesOf(streams []*StreamInfo) string {
	var names []string
	for _, s := range streams {
		name := s.Language
		if name == "" {
			name = "one that it does not name"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", more)
}

// videoMap and audioMaps are values of -map. V is a picture that is no cover.
func (p picked) videoMap() string {
	switch {
	case !p.known:
		return "0:V:0?"
	case p.video == nil:
		return ""
	}
	return fmt.Sprint("0:", p.video.Index)
}

func (p picked) audioMaps(tracks string) []string {
	if !p.known {
		if tracks == TracksAll {
			return []string{"0:a?"}
		}
		return []string{"0:a:0?"}
	}
	maps := make([]string, len(p.audio))
	for i, s := range p.audio {
		maps[i] = fmt.Sprint("0:", s.Index)
	}
	return maps
}

// extent is what an input announces of the streams that were picked.
type extent struct {
	// longest and shortest are when the last and the first of them end, in
	// seconds from the beginning; 0 is not known.
	longest, shortest float64
	// exact is set where that is of exactly these streams, and not of an input
	// of which parts were left out.
	exact bool
	// lacks is what the input lacks of what its head announces, "" for nothing.
	lacks string
}

func (p picked) lasts(info *Probe) extent {
	if info == nil || !info.announces() {
		return extent{}
	}
	some := p.audio
	if p.video != nil {
		some = append([]*StreamInfo{p.video}, some...)
	}
	e := extent{exact: true, lacks: info.lacks}
	for _, s := range some {
		if s.Seconds == 0 {
			all := len(some) == len(info.all("video"))+len(info.all("audio"))
			return extent{info.Seconds, info.Seconds, all, info.lacks}
		}
		e.longest = max(e.longest, s.Seconds)
		if e.shortest == 0 || s.Seconds < e.shortest {
			e.shortest = s.Seconds
		}
	}
	if info.Seconds > 0 {
		e.longest, e.shortest = min(e.longest, info.Seconds), min(e.shortest, info.Seconds)
	}
	return e
}

// pictures is what is announced of the pictures alone, where it is known: by these the
// lengths of segments are measured. Sound may go on behind them.
func (p picked) pictures(info *Probe) extent {
	if p.video == nil || p.video.Seconds == 0 {
		return p.lasts(info)
	}
	p.audio = nil
	return p.lasts(info)
}

// from is what is left behind a start.
func (e extent) from(start float64) extent {
	if e.longest > 0 {
		e.longest, e.shortest = max(0, e.longest-start), max(0, e.shortest-start)
	}
	return e
}

// upTo ends it after some seconds, 0 for not at all.
func (e extent) upTo(seconds float64) extent {
	if seconds > 0 {
		e.longest, e.shortest = min(e.longest, seconds), min(e.shortest, seconds)
	}
	return e
}

// announces reports whether the container has a length in its head, which is
// there also where the rest of the file is not. Of others ffprobe guesses.
func (p *Probe) announces() bool {
	return slices.ContainsFunc([]string{"mov", "matroska", "avi", "wav", "flv", "asf", "mxf"}, p.is)
}
