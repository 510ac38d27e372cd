package media

import (
	"fmt"
	"path/filepath"
	"strings"
)

// RecordSpec says what to record, and where to.
type RecordSpec struct {
	// Input is a file or a URL that ffmpeg reads.
	Input string `json:"input"`
	// Output is a directory, or the pattern of the files, as "rec/cam1-%05d.mkv".
	// In a directory they are called "segment-%05d". What is not there is made.
	Output string `json:"output"`
	// SegmentSeconds is how long a file is, 10 where it is 0. A copied picture is
	// cut at the next key frame.
	SegmentSeconds float64 `json:"segment_seconds"`
	// Format is the container: mkv (which stays readable whatever happens), mp4,
	// ts or webm. "" is that of the output's ending, else mkv.
	Format string `json:"format"`
	// DurationSeconds ends the recording; 0 goes on to the end of the input.
	DurationSeconds float64 `json:"duration_seconds"`
	// Video is a codec, "copy" (the default) or "none".
	Video string `json:"video"`
	// Audio is copied where nothing is said.
	Audio Audio `json:"audio"`
	// RetrySeconds is for how long a live input is tried again when it breaks;
	// 0 is not at all.
	RetrySeconds float64 `json:"retry_seconds"`
	// Existing is Refuse, Replace or Append.
	Existing Existing `json:"existing"`
	Handling
	Extra
}

// recording is a spec that was checked.
type recording struct {
	RecordSpec
	input     place
	container container
	// pattern is the path of the segments, with the one %0Nd; list is that of
	// the playlist.
	pattern, list string
	encoder       encoder

	// What follows is known of files, when they were looked at.
	info    *Probe
	streams picked
	fps     string
}

func (r recording) source() place { return r.input }

const defaultSegmentSeconds = 10

func recordPlan(t *Tool, o Options, s RecordSpec) (recording, error) {
	r := recording{RecordSpec: s}
	if s.SegmentSeconds == 0 {
		r.SegmentSeconds = defaultSegmentSeconds
	}
	var err error
	if r.input, err = o.source("input", s.Input); err != nil {
		return r, err
	}
	if r.Existing, err = s.Existing.check(Refuse, Replace, Append); err != nil {
		return r, err
	}
	if s.RetrySeconds != 0 && r.input.file() {
		return r, fault("retry_seconds", "is for live inputs, and the input is a file: leave it out")
	}
	err = first(positive("segment_seconds", s.SegmentSeconds), positive("duration_seconds", s.DurationSeconds),
		positive("retry_seconds", s.RetrySeconds), s.Handling.check(), s.Extra.check(o), r.place(o), r.tracks(t))
	return r, err
}

// numbered is the one place in a pattern where the number goes.
var numbered = lazily(`%0?[0-9]?d`)

// place works out where the segments go.
func (r *recording) place(o Options) error {
	out, err := o.target("output", r.Output)
	if err != nil {
		return err
	}
	dir, base := filepath.Split(out.name)
	if !strings.Contains(base, "%") && ending(base) != "" {
		return fault("output", "%q must be a directory, or a pattern with a number in it, as %%05d", r.Output)
	}
	if r.container, err = chooseContainer("format", r.Format, base, "mkv"); err != nil {
		return err
	}
	if !strings.Contains(base, "%") {
		dir, base = out.name, "segment-%05d."+r.container.word
	}
	around := numbered().Split(base, -1)
	if len(around) != 2 || strings.Contains(around[0]+around[1], "%") {
		return fault("output", "%q must have one number in it, as %%05d", r.Output)
	}
	if ending(base) == "" {
		base += "." + r.container.word
	}
	name := strings.TrimRight(around[0], "-_. ")
	if name == "" || name == "segment" {
		name = "index"
	}
	r.pattern, r.list = filepath.Join(dir, base), filepath.Join(dir, name+".m3u8")
	return nil
}

// tracks works out what becomes of picture and sound.
func (r *recording) tracks(t *Tool) error {
	if r.Video == "" {
		r.Video = Copy
	}
	if r.Audio.Codec == "" && r.Audio.Bitrate == 0 {
		r.Audio.Codec = Copy
	}
	var err error
	if r.Audio, err = r.Audio.in(r.container); err != nil {
		return err
	}
	if r.Video == None && r.Audio.Codec == None {
		return fault("video", "and audio.codec are both none: nothing would be recorded")
	}
	if r.Video == Copy || r.Video == None {
		return nil
	}
	if r.encoder, err = t.encoder("video", r.Video); err != nil {
		return err
	}
	return first(r.container.holds("video", r.Video), r.keeps("video", r.Video))
}

// picture is how the picture is prepared where it is encoded.
func (r recording) picture() picture {
	return picture{from: r.streams.video, fps: r.fps, handling: r.Handling}
}

// args are ffmpeg's, for segments from a number on. left is how many seconds
// are still to be recorded, 0 for all. Descriptor 3 gets a line for each
// segment that is whole.
func (r recording) args(major, from int, left float64) []string {
	args := r.input.input(major)
	args = append(args, r.pictureArgs()...)
	if r.Audio.Codec != None {
		for _, m := range r.streams.audioMaps(TracksAll) {
			args = append(args, "-map", m)
		}
	}
	args = append(args, r.Audio.args(r.streams.audio)...)
	if r.Audio.Codec == Copy {
		// ffmpeg 7 sees no key in a packet of AAC from RTP, and would wait for one.
		args = append(args, "-copyinkf:a")
	}
	if left > 0 {
		args = append(args, "-t", seconds(left))
	}
	args = append(args, "-f", "segment", "-segment_format", r.container.muxer, "-segment_time", seconds(r.SegmentSeconds),
		"-reset_timestamps", "1", "-segment_start_number", fmt.Sprint(from), "-segment_list", "pipe:3", "-segment_list_type", "csv")
	if options := segmentOptions[r.container.word]; options != "" {
		args = append(args, "-segment_format_options", options)
	}
	return append(append(args, r.FFmpegArgs...), r.pattern)
}

// segmentOptions make the muxers of segments write what they have every second
// or so, so that what was recorded before a crash can be played.
var segmentOptions = map[string]string{
	"mp4":  "movflags=+frag_keyframe+empty_moov+default_base_moof:frag_duration=1000000:flush_packets=1",
	"mkv":  "cluster_time_limit=1000:flush_packets=1",
	"webm": "cluster_time_limit=1000:flush_packets=1",
	"ts":   "flush_packets=1",
}

func (r recording) pictureArgs() []string {
	source := r.streams.videoMap()
	switch {
	case r.Video == None || source == "":
		return []string{"-vn"}
	case r.Video == Copy:
		word := ""
		if r.streams.video != nil {
			word = r.streams.video.Codec
		}
		return append([]string{"-map", source, "-c:v", "copy"}, appleTag(r.container, word)...)
	}
	fps := 0.0
	if r.streams.video != nil {
		fps = r.streams.video.FPS
	}
	args := append([]string{"-map", source, "-vf", r.picture().filters()}, r.encoder.args(Fastest)...)
	args = append(args, r.encoder.keys(r.SegmentSeconds, fps)...)
	return append(args, appleTag(r.container, r.Video)...)
}
