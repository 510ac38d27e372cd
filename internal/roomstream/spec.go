package roomstream

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/muster-fleet/muster/internal/compose"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/media"
)

// Spec says which room to stream, and where to.
type Spec struct {
	// Room is its name.
	Room string `json:"room"`
	// Output is that of a stream (media.StreamSpec).
	Output string `json:"output"`
	// Layout is a compose.Layout; "" is grid.
	Layout string `json:"layout,omitempty"`
	// Width, Height and FPS are those of the picture; 0 is 1280, 720 and 25.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
	FPS    int `json:"fps,omitempty"`
	// Bitrate is that of the picture; 0 is 2.5 Mbit/s at 1280x720 and 25 a second,
	// and in proportion.
	Bitrate media.Bitrate `json:"bitrate,omitempty"`
	// Audio is AAC with 128 kbit/s where nothing is said.
	Audio media.Audio `json:"audio,omitzero"`
	// SegmentSeconds and Segments are for HLS, as in media.StreamSpec.
	SegmentSeconds float64 `json:"segment_seconds,omitempty"`
	Segments       int     `json:"segments,omitempty"`
	// RetrySeconds is for how long an output that breaks is tried again; 0 is a
	// minute.
	RetrySeconds float64 `json:"retry_seconds,omitempty"`
	// Existing is for HLS in files, as in media.StreamSpec; "" is Append.
	Existing media.Existing `json:"existing,omitempty"`
	// Wished: the stream ends when the room no longer wishes it, or another task
	// streams it.
	Wished bool `json:"wished,omitempty"`
	// Cluster is the cluster of the room; "" is the usual one.
	Cluster string `json:"cluster,omitempty"`
}

// The defaults, and the most that a picture may be.
const (
	defaultWidth, defaultHeight, defaultFPS = 1280, 720, 25

	defaultBitrate      = 2_500_000
	defaultRetrySeconds = 60

	leastSize, mostWidth, mostHeight, mostFPS = 64, 3840, 2160, 60
)

// readSpec checks a spec, and fills in what it leaves open.
func readSpec(raw json.RawMessage) (s Spec, err error) {
	if err := roomsub.ReadSpec(raw, &s, `"output": URL`); err != nil {
		return s, err
	}
	if err := room.CheckName("room", s.Room); err != nil {
		return s, err
	}
	if err := compose.Layout(s.Layout).Check(); err != nil {
		return s, err
	}
	s.Width, s.Height, s.FPS = cmp.Or(s.Width, defaultWidth), cmp.Or(s.Height, defaultHeight), cmp.Or(s.FPS, defaultFPS)
	for _, one := range []struct {
		field       string
		value       int
		least, most int
		even        bool
	}{{"width", s.Width, leastSize, mostWidth, true}, {"height", s.Height, leastSize, mostHeight, true}, {"fps", s.FPS, 1, mostFPS, false}} {
		if one.value < one.least || one.value > one.most || one.even && one.value%2 != 0 {
			return s, fmt.Errorf("%s: %d must be from %d to %d%s", one.field, one.value, one.least, one.most, map[bool]string{true: ", and even"}[one.even])
		}
	}
	if s.Bitrate == 0 {
		s.Bitrate = media.Bitrate(defaultBitrate * s.Width * s.Height / (defaultWidth * defaultHeight) * s.FPS / defaultFPS)
	}
	s.Audio.Codec = cmp.Or(s.Audio.Codec, "aac")
	if s.Audio.Codec == media.Copy || s.Audio.Codec == media.None {
		return s, fmt.Errorf("audio.codec: %q is not possible: the sound is mixed, and goes along", s.Audio.Codec)
	}
	s.RetrySeconds = cmp.Or(s.RetrySeconds, defaultRetrySeconds)
	s.Existing = cmp.Or(s.Existing, media.Append)
	return s, nil
}

// stream is the spec of what encodes and sends.
func (s Spec) stream(input string) (json.RawMessage, error) {
	return json.Marshal(media.StreamSpec{
		Input: input, Output: s.Output, Video: "h264", FPS: float64(s.FPS), Bitrate: s.Bitrate, Audio: s.Audio,
		SegmentSeconds: s.SegmentSeconds, Segments: s.Segments, RetrySeconds: s.RetrySeconds, Existing: s.Existing,
	})
}

// mostTarget is the longest output, in bytes.
const mostTarget = 2000

// CheckTarget says what is wrong with a target, as far as that can be known without
// a worker.
func CheckTarget(t room.Target) error {
	switch {
	case t.Output == "":
		return errors.New("output: is missing: give a URL of RTMP, or a file that ends in .m3u8 for HLS")
	case len(t.Output) > mostTarget:
		return fmt.Errorf("output: has %d bytes; %d is the limit", len(t.Output), mostTarget)
	}
	scheme, _, isURL := strings.Cut(t.Output, "://")
	if isURL && !strings.HasPrefix(strings.ToLower(scheme), "http") {
		if u, err := url.Parse(t.Output); err != nil || u.Host == "" {
			return fmt.Errorf("output: this is not a URL: write %s://HOST/PATH", scheme)
		}
	} else if name, _, _ := strings.Cut(t.Output, "?"); !strings.HasSuffix(name, ".m3u8") {
		return errors.New("output: a file, or what is sent by HTTP, must end in .m3u8, for HLS")
	}
	return compose.Layout(t.Layout).Check()
}
