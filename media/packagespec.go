package media

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
)

// The formats of a package.
const (
	HLS  = "hls"
	DASH = "dash"
)

// PackageSpec says into what an input is to be packaged for players that choose
// among sizes while they play: one set of segments (CMAF), with the playlists of
// HLS and the manifest of DASH on top.
type PackageSpec struct {
	// Input is a file or a URL that ffmpeg reads.
	Input string `json:"input"`
	// Output is a directory, which the package becomes.
	Output string `json:"output"`
	// Formats are "hls", "dash", or both, which is the default. The playlist of all
	// is master.m3u8, the manifest is manifest.mpd.
	Formats []string `json:"formats"`
	// Ladder has a rung for each size; the key frames of all are at the same times.
	Ladder []Rung `json:"ladder"`
	// Audio is encoded once, and shared by all sizes.
	Audio Audio `json:"audio"`
	// SegmentSeconds is how long a segment is, 4 where it is 0.
	SegmentSeconds float64 `json:"segment_seconds"`
	// Speed is Fast where nothing is said.
	Speed Speed `json:"speed"`
	// StartSeconds and DurationSeconds choose a part of the input; 0 is all.
	StartSeconds    float64 `json:"start_seconds"`
	DurationSeconds float64 `json:"duration_seconds"`
	// Existing is Refuse, Replace or Keep.
	Existing Existing `json:"existing"`
	// Upscale, AudioTracks, Languages and Loudness are as in TranscodeSpec.
	Upscale     bool            `json:"upscale"`
	AudioTracks string          `json:"audio_tracks"`
	Languages   []string        `json:"languages"`
	Loudness    *LoudnessTarget `json:"loudness"`
	Handling
}

// packaging is a spec that was checked.
type packaging struct {
	PackageSpec
	transcoding
	dir string
}

func packagePlan(t *Tool, o Options, s PackageSpec) (packaging, error) {
	p := packaging{PackageSpec: s}
	out, err := o.target("output", s.Output)
	if err != nil {
		return p, err
	}
	p.dir = out.name
	if len(s.Formats) == 0 {
		p.Formats = []string{HLS, DASH}
	}
	fill(&p.PackageSpec.SegmentSeconds, 4)
	for _, f := range p.Formats {
		if err := oneOf("formats", f, []string{HLS, DASH}); err != nil {
			return p, err
		}
	}
	if err := positive("segment_seconds", p.SegmentSeconds); err != nil {
		return p, err
	}
	if s.Audio.Codec == Copy {
		return p, fault("audio.codec", "must not be copy: the segments of sound have to begin with those of the pictures")
	}
	if ending(filepath.Base(out.name)) != "" || strings.HasSuffix(out.name, ".m3u8") || strings.HasSuffix(out.name, ".mpd") {
		return p, fault("output", "%s is the name of a file: a package is a directory", s.Output)
	}
	p.transcoding, err = transcodePlan(t, o, TranscodeSpec{
		Input: s.Input, Output: filepath.Join(out.name, "{rung}.mp4"), Ladder: s.Ladder, Audio: s.Audio, Speed: s.Speed,
		StartSeconds: s.StartSeconds, DurationSeconds: s.DurationSeconds, Existing: s.Existing, KeyframeSeconds: keysWithin(p.SegmentSeconds),
		Upscale: s.Upscale, AudioTracks: s.AudioTracks, Languages: s.Languages, Loudness: s.Loudness, Handling: s.Handling,
	})
	return p, err
}

// keysWithin divides a segment into equal parts of about two seconds, each of
// which begins with a key frame.
func keysWithin(segment float64) float64 {
	return segment / max(1, math.Round(segment/keySeconds))
}

// noMoreKeys keeps an encoder from key frames of its own, at which sizes would
// be cut apart.
func (e encoder) noMoreKeys() []string {
	switch e.name {
	case "libx264":
		return []string{"-sc_threshold", "0"}
	case "libx265":
		return []string{"-x265-params", "scenecut=0"}
	}
	return nil
}

// args are ffmpeg's; the package is written into dir.
func (p packaging) args(major int, dir string) []string {
	t := p.transcoding
	before, after := t.part()
	args := append(before, t.input.input(major)...)
	args = append(args, "-filter_complex", t.graph())
	for i, r := range t.Ladder {
		args = append(args, "-map", fmt.Sprintf("[v%d]", i))
		own := append(t.encode(i), t.encoders[i].noMoreKeys()...)
		args = append(args, ofTrack(append(own, appleTag(t.container, r.Codec)...), i)...)
	}
	args = append(args, t.sound()...)
	args = append(args, after...)
	sets := "id=0,streams=v"
	if t.Audio.Codec != None && (!t.streams.known || len(t.streams.audio) > 0) {
		sets += " id=1,streams=a"
	}
	// The muxer cuts at the first key frame past that time from the last cut. A size
	// with fewer pictures a second may have cut a picture late before.
	return append(args, "-f", "dash", "-dash_segment_type", "mp4", "-seg_duration", seconds(p.SegmentSeconds-min(aligned, p.SegmentSeconds/10)), "-use_template", "1", "-use_timeline", "1",
		"-init_seg_name", "init-$RepresentationID$.m4s", "-media_seg_name", "segment-$RepresentationID$-$Number%05d$.m4s",
		"-adaptation_sets", sets, "-hls_playlist", "1", "-hls_master_name", masterName, filepath.Join(dir, manifestName))
}

// ofTrack makes options of all pictures, in pairs of name and value, those of one
// track of an output.
func ofTrack(args []string, track int) []string {
	own := slices.Clone(args)
	for i := 0; i < len(own); i += 2 {
		own[i] = fmt.Sprintf("%s:v:%d", strings.TrimSuffix(own[i], ":v"), track)
	}
	return own
}
