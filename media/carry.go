package media

import (
	"slices"
	"strings"
)

// carriers are the codecs, in ffprobe's words but for ours, that a container
// holds as they are, so that others can read them. What is not here becomes
// data without a name, or a file that no player takes, without an error of ffmpeg.
var carriers = map[string]struct{ video, audio []string }{
	"mp4":  {[]string{"h264", "h265", "av1", "vp9", "mpeg4", "mpeg2video"}, []string{"aac", "mp3", "opus", "ac3", "eac3", "alac", "flac", "mp2"}},
	"ts":   {[]string{"h264", "h265", "mpeg2video", "mpeg1video"}, []string{"aac", "mp3", "mp2", "ac3", "eac3", "opus"}},
	"webm": {[]string{"vp8", "vp9", "av1"}, []string{"opus", "vorbis"}},
	"rtmp": {[]string{"h264"}, []string{"aac", "mp3"}},
	"rtsp": {[]string{"h264", "h265", "vp8", "vp9", "mpeg4", "mpeg2video"}, []string{"aac", "opus", "mp3", "pcm_mulaw", "pcm_alaw", "ac3", "vorbis"}},
}

// turners are the containers in which a rotation is kept.
var turners = []string{"mp4"}

// carries checks that picture and sound can be copied into a container.
func (p picked) carries(info *Probe, c container, video, audio bool) error {
	can, limited := carriers[c.word]
	if p.video != nil && video {
		if err := p.video.copies(info, c, can.video, limited); err != nil {
			return err
		}
	}
	if !audio {
		return nil
	}
	for _, s := range p.audio {
		switch {
		case limited && !slices.Contains(can.audio, s.Codec):
			return atInput(fault("audio.codec", "is copy, but %s cannot carry %s: choose one of %s", c.word, s.Codec, strings.Join(codedIn(c.audio), ", ")))
		case c.word == "rtsp" && s.Codec == "aac" && (info.is("mpegts") || info.is("aac")):
			return atInput(fault("audio.codec", "is copy, but aac from %s lacks the header that RTSP needs: set it to aac", info.Container))
		}
	}
	return nil
}

// codedIn leaves out what needs no encoder.
func codedIn(words []string) []string {
	var some []string
	for _, w := range words {
		if audioEncoders[w] != "" {
			some = append(some, w)
		}
	}
	return some
}

func (s *StreamInfo) copies(info *Probe, c container, can []string, limited bool) error {
	switch {
	case limited && !slices.Contains(can, s.Codec):
		return atInput(fault("video", "is copy, but %s cannot carry %s: choose one of %s", c.word, s.Codec, strings.Join(c.video, ", ")))
	case s.Rotation != 0 && !slices.Contains(turners, c.word):
		return atInput(fault("video", "is copy, but %s cannot say that the picture is turned by %d degrees: choose %s, which turns it, or mp4", c.word, s.Rotation, c.video[0]))
	case info.is("avi") && s.reordered:
		return atInput(fault("video", "is copy, but avi has no times for pictures in another order (B-frames): choose %s", c.video[0]))
	}
	return nil
}
