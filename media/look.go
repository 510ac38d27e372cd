package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/muster-fleet/muster"
)

// look asks ffprobe about an input that can be read twice: a file, or what comes
// from a web server. nil is for others, as of a camera that takes one viewer.
func (env *environment) look(ctx context.Context, p place) (*Probe, error) {
	switch p.scheme {
	case "", "http", "https":
		return env.tool.probe(ctx, p)
	}
	return nil, nil
}

// longest is the length of the longest of some files, in seconds.
func (env *environment) longest(ctx context.Context, paths []string) (seconds float64) {
	for _, path := range paths {
		if info, err := env.tool.probe(ctx, place{name: path}); err == nil {
			seconds = max(seconds, info.Seconds)
		}
	}
	return seconds
}

// usualRates are those to which a mean rate is rounded up.
var usualRates = []float64{1, 5, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 120}

// trueRate is the mean rate of pictures where that which the file suggests
// cannot be: a browser's recorder writes none, and its times jitter, from which
// ffmpeg takes a rate of up to 1000. It is "" where the file's own is good.
func (env *environment) trueRate(ctx context.Context, p place, s *StreamInfo) (string, error) {
	if s == nil || s.FPS > 0 && s.FPS <= 240 && s.peak <= 3*s.FPS {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	args := append([]string{"-v", "error", "-of", "json", "-select_streams", fmt.Sprint(s.Index), "-read_intervals", p.sample(), "-show_entries", "packet=pts_time"},
		p.guards(env.tool.major())...)
	out, err := output(ctx, env.tool.FFprobe, append(args, p.name)...)
	if err != nil {
		return "", fmt.Errorf("input: ffprobe cannot read %s: %w", redact(p.name), err)
	}
	if mean := meanRate(out); mean > 0 {
		s.FPS = mean
		return rateArg(mean), nil
	}
	return "", nil
}

// sample is how many packets are looked at: fewer of what may come at the pace at
// which it plays.
func (p place) sample() string {
	if p.file() {
		return "%+#400"
	}
	return "%+#100"
}

func meanRate(out []byte) float64 {
	var said struct {
		Packets []struct {
			At string `json:"pts_time"`
		} `json:"packets"`
	}
	if json.Unmarshal(out, &said) != nil || len(said.Packets) < 2 {
		return 0
	}
	least, most, n := math.Inf(1), 0.0, 0
	for _, p := range said.Packets {
		if p.At != "" {
			at := number(p.At)
			least, most, n = min(least, at), max(most, at), n+1
		}
	}
	if n < 2 || most <= least {
		return 0
	}
	mean := float64(n-1) / (most - least)
	for _, usual := range usualRates {
		if usual >= mean*0.97 {
			return usual
		}
	}
	return usualRates[len(usualRates)-1]
}

// toneMaps checks that this ffmpeg can make SDR of HDR, where that is needed.
func (env *environment) toneMaps(p picture) error {
	if p.from == nil || !p.from.HDR || p.handling.HDR == HDRKeep || p.handling.HDR == HDRRefuse || env.tool.filters("zscale", "tonemap") {
		return nil
	}
	return caused(errors.New("hdr: this ffmpeg lacks the filters zscale or tonemap, with which HDR becomes SDR: install one with libzimg, or set hdr to keep or refuse"), muster.CauseWorker)
}

// filters reports whether ffmpeg lists all of some filters.
func (t *Tool) filters(names ...string) bool {
	out, err := output(context.Background(), t.FFmpeg, "-hide_banner", "-filters")
	for _, name := range names {
		if !strings.Contains(string(out), " "+name+" ") {
			return false
		}
	}
	return err == nil
}
