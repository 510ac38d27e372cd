package media

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Probe is what ffprobe says of an input.
type Probe struct {
	// Seconds is how long it lasts; 0 where nobody knows, as of what is live.
	Seconds float64
	// Container is ffprobe's format_name, as "mov,mp4,m4a,3gp,3g2,mj2".
	Container string
	Streams   []StreamInfo
}

// StreamInfo is one stream of an input.
type StreamInfo struct {
	// Kind is "video", "audio", or another of ffprobe's words.
	Kind string
	// Codec is Muster's word where there is one, else ffprobe's.
	Codec string
	// Width and Height are those of a picture, in pixels.
	Width, Height int
	// FPS is the rate of pictures, 0 where it is not known.
	FPS float64
	// Cover is set of a still picture that comes with music.
	Cover bool
}

// Video is the first stream of moving pictures, nil where there is none.
func (p *Probe) Video() *StreamInfo { return p.find("video") }

// Audio is the first stream of sound, nil where there is none.
func (p *Probe) Audio() *StreamInfo { return p.find("audio") }

func (p *Probe) find(kind string) *StreamInfo {
	for i := range p.Streams {
		if s := &p.Streams[i]; s.Kind == kind && !s.Cover {
			return s
		}
	}
	return nil
}

// probeTime is how long ffprobe may look at an input.
const probeTime = 30 * time.Second

// Probe asks ffprobe about a file or a URL.
func (t *Tool) Probe(ctx context.Context, input string) (*Probe, error) {
	p, err := Options{}.source("input", input)
	if err != nil {
		return nil, err
	}
	return t.probe(ctx, p)
}

func (t *Tool) probe(ctx context.Context, p place) (*Probe, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	args := append([]string{"-v", "error", "-of", "json", "-show_format", "-show_streams"}, p.guards(t.major())...)
	out, err := output(ctx, t.FFprobe, append(args, p.name)...)
	if err != nil {
		return nil, fmt.Errorf("ffprobe cannot read %s: %w", redact(p.name), err)
	}
	return parseProbe(out)
}

func parseProbe(out []byte) (*Probe, error) {
	var said struct {
		Format struct {
			Duration string `json:"duration"`
			Name     string `json:"format_name"`
		} `json:"format"`
		Streams []probedStream `json:"streams"`
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return nil, fmt.Errorf("media: what ffprobe says: %w", err)
	}
	p := &Probe{Container: said.Format.Name, Seconds: number(said.Format.Duration)}
	for _, s := range said.Streams {
		p.Streams = append(p.Streams, s.info())
	}
	return p, nil
}

type probedStream struct {
	Kind        string `json:"codec_type"`
	Codec       string `json:"codec_name"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	Rate        string `json:"avg_frame_rate"`
	Disposition struct {
		Cover int `json:"attached_pic"`
	} `json:"disposition"`
}

func (s probedStream) info() StreamInfo {
	name := s.Codec
	for _, c := range codecs {
		if c.name == name {
			name = c.word
		}
	}
	return StreamInfo{Kind: s.Kind, Codec: name, Width: s.Width, Height: s.Height, FPS: fraction(s.Rate), Cover: s.Disposition.Cover == 1}
}

// fraction reads "30000/1001".
func fraction(text string) float64 {
	above, below, _ := strings.Cut(text, "/")
	if n := number(below); n > 0 {
		return number(above) / n
	}
	return number(above)
}

// number reads what ffmpeg writes for a number that counts something. "N/A",
// what is negative and what is not finite are 0.
func number(text string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n > 0 && n < 1e18) {
		return 0
	}
	return n
}
