package media

import "slices"

// StreamSpec says what to send, and where to.
type StreamSpec struct {
	// Input is a file or a URL that ffmpeg reads.
	Input string `json:"input"`
	// Output is a URL of rtmp, rtmps, rtsp, srt, udp, rtp or tcp, or a file or an
	// HTTP URL that ends in .m3u8, for HLS.
	Output string `json:"output"`
	// Loop begins again at the end of a file, for ever.
	Loop bool `json:"loop"`
	// Realtime sends a file as fast as it plays; that is the default, and false
	// is as fast as it can be read. Live inputs set their own pace.
	Realtime *bool `json:"realtime"`
	// Video is "copy" (the default), "none" or a codec.
	Video string `json:"video"`
	// Height, Width, FPS and Bitrate are for a picture that is encoded; 0 is as
	// in the input, or the encoder's choice.
	Height  int     `json:"height"`
	Width   int     `json:"width"`
	FPS     float64 `json:"fps"`
	Bitrate Bitrate `json:"bitrate"`
	// Audio is copied where nothing is said.
	Audio Audio `json:"audio"`
	// SegmentSeconds (4 where it is 0) and Segments are for HLS: how long a
	// segment is, and how many of the last ones are kept. 0 keeps all.
	SegmentSeconds float64 `json:"segment_seconds"`
	Segments       int     `json:"segments"`
	// DurationSeconds ends the stream; 0 goes on to the end of the input.
	DurationSeconds float64 `json:"duration_seconds"`
	// RetrySeconds is for how long a stream that breaks is begun again; 0 is not
	// at all. It needs a live input, or loop.
	RetrySeconds float64 `json:"retry_seconds"`
	// Existing is Refuse, Replace, or Append, which goes on with the list that is
	// there; for HLS in files.
	Existing Existing `json:"existing"`
	// Upscale lets the picture be larger than that of the input.
	Upscale bool `json:"upscale"`
	Handling
	Extra
}

// streaming is a spec that was checked.
type streaming struct {
	StreamSpec
	input   place
	sink    sink
	encoder encoder

	// What follows is known of files, when they were looked at.
	info    *Probe
	streams picked
	rate    string
}

func (p streaming) source() place { return p.input }

func streamPlan(t *Tool, o Options, s StreamSpec) (streaming, error) {
	p := streaming{StreamSpec: s}
	var err error
	if p.input, err = o.source("input", s.Input); err != nil {
		return p, err
	}
	if p.sink, err = o.sink("output", s.Output); err != nil {
		return p, err
	}
	if p.Existing, err = s.Existing.check(Refuse, Replace, Append); err != nil {
		return p, err
	}
	err = first(positive("duration_seconds", s.DurationSeconds), positive("retry_seconds", s.RetrySeconds),
		s.Handling.check(), s.Extra.check(o), p.pieces(), p.pace(), p.sound(), p.picture(t))
	return p, err
}

// defaultPiece is the length of a segment of HLS, in seconds.
const defaultPiece = 4

// pieces checks the segments of HLS.
func (p *streaming) pieces() error {
	given := p.SegmentSeconds != 0 || p.Segments != 0
	if given && !p.sink.hls {
		return fault("segment_seconds", "and segments are for HLS, and the output does not end in .m3u8: leave them out")
	}
	if p.SegmentSeconds == 0 {
		p.SegmentSeconds = defaultPiece
	}
	p.sink.pieceSeconds, p.sink.pieces, p.sink.goesOn = p.SegmentSeconds, p.Segments, p.RetrySeconds > 0
	return first(positive("segment_seconds", p.SegmentSeconds), between("segments", p.Segments, 0, 100_000))
}

// pace checks what is only for files, and what is not.
func (p *streaming) pace() error {
	file := p.input.file()
	switch {
	case p.Loop && !file:
		return fault("loop", "is for files, and the input is live: leave it out")
	case p.Realtime != nil && *p.Realtime && !file:
		return fault("realtime", "is for files, and the input is live, which sets its own pace: leave it out")
	case p.RetrySeconds > 0 && file && !p.Loop:
		return fault("retry_seconds", "needs a live input, or loop: a file would begin anew")
	}
	return nil
}

func (p *streaming) sound() error {
	if p.Audio == (Audio{}) {
		p.Audio.Codec = Copy
	}
	var err error
	p.Audio, err = p.Audio.in(p.sink.container)
	return err
}

// picture checks what becomes of the picture, and finds the encoder.
func (p *streaming) picture(t *Tool) error {
	if p.Video == "" {
		p.Video = Copy
	}
	coded := p.Video != Copy && p.Video != None
	switch {
	case p.Video == None && p.Audio.Codec == None:
		return fault("video", "and audio.codec are both none: nothing would be sent")
	case !coded && (p.Height != 0 || p.Width != 0 || p.FPS != 0 || p.Bitrate != 0):
		return fault("video", "is %q, which height, width, fps and bitrate do not change: name a codec, or leave them out", p.Video)
	case !coded:
		return nil
	}
	var err error
	if p.encoder, err = t.encoder("video", p.Video); err != nil {
		return err
	}
	return first(p.sink.container.holds("video", p.Video), p.keeps("video", p.Video), dimension("height", p.Height), dimension("width", p.Width), frameRate("fps", p.FPS))
}

// args are ffmpeg's. left is how many seconds are still to be sent, 0 for all.
func (p streaming) args(major int, left float64) []string {
	var args []string
	if p.input.file() && (p.Realtime == nil || *p.Realtime) {
		args = append(args, "-re")
	}
	if p.Loop {
		args = append(args, "-stream_loop", "-1")
	}
	args = append(args, p.input.input(major)...)
	args = append(args, p.videoArgs()...)
	if p.Audio.Codec != None {
		for _, m := range p.streams.audioMaps(TracksOne) {
			args = append(args, "-map", m)
		}
	}
	args = append(args, p.Audio.args(p.streams.audio)...)
	if p.Audio.Codec == Copy {
		args = append(args, "-copyinkf:a")
	}
	if left > 0 {
		args = append(args, "-t", seconds(left))
	}
	return slices.Concat(args, p.FFmpegArgs, p.sink.args())
}

func (p streaming) videoArgs() []string {
	source := p.streams.videoMap()
	switch {
	case p.Video == None || source == "":
		return []string{"-vn"}
	case p.Video == Copy:
		return []string{"-map", source, "-c:v", "copy"}
	}
	fps := p.FPS
	if fps == 0 && p.streams.video != nil {
		fps = p.streams.video.FPS
	}
	args := append([]string{"-map", source, "-vf", p.prepared().filters()}, p.encoder.live()...)
	args = append(args, rate(p.encoder, p.Bitrate)...)
	return append(args, p.encoder.keys(keySeconds, fps)...)
}

// prepared is how the picture is prepared where it is encoded.
func (p streaming) prepared() picture {
	own := picture{from: p.streams.video, width: p.Width, height: p.Height, fps: rateArg(p.FPS), handling: p.Handling}
	if own.fps == "" {
		own.fps = p.rate
	}
	return own
}
