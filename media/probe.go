package media

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Probe is what ffprobe says of an input.
type Probe struct {
	// Seconds is how long it lasts; 0 where it is unknown, as of live inputs.
	Seconds float64
	// Container is ffprobe's format_name, as "mov,mp4,m4a,3gp,3g2,mj2".
	Container string
	Streams   []StreamInfo

	// lacks says what the file lacks of what its head announces, "" for nothing.
	lacks string
}

// StreamInfo is one stream of an input.
type StreamInfo struct {
	// Index is its number in the input, from 0.
	Index int
	// Kind is "video", "audio", "subtitle", or another of ffprobe's words.
	Kind string
	// Codec is Muster's word where there is one, else ffprobe's.
	Codec string
	// Width and Height are the coded size of a picture, in pixels.
	Width, Height int
	// Shape is the width of a pixel divided by its height, 1 where it is square
	// or not known.
	Shape float64
	// Rotation is by how many degrees a player turns the picture, from 0 to 359,
	// clockwise.
	Rotation int
	// FPS is the mean rate of pictures, 0 where it is not known.
	FPS float64
	// Cover is set of a still picture that comes with music or a film.
	Cover bool
	// Default is set where the file says that a player takes this one.
	Default bool
	// Language is a code of three letters, "" where it is not known.
	Language string
	// Channels and Layout are those of sound, as 6 and "5.1(side)".
	Channels int
	Layout   string
	// Start and Seconds are when it begins and how long it lasts; Seconds is 0
	// where the container does not say it of each stream.
	Start, Seconds float64
	// Interlaced is set where each picture is two fields.
	Interlaced bool
	// HDR is set of pictures in PQ or HLG.
	HDR bool
	// Alpha is set of pictures that are transparent in places.
	Alpha bool
	// Encrypted is set where nothing can be decoded without a key.
	Encrypted bool

	// peak is the highest rate that two pictures next to each other suggest.
	peak float64
	// transfer is ffmpeg's word for how brightness is coded.
	transfer string
	// reordered is set where pictures are stored in another order than shown.
	reordered bool
}

// display is the size of a picture as it is shown: with square pixels, turned.
func (s *StreamInfo) display() (width, height float64) {
	width, height = float64(s.Width)*s.Shape, float64(s.Height)
	if s.Rotation%180 == 90 {
		return height, width
	}
	return width, height
}

// Video is the stream of moving pictures that a player takes: the first with the
// default flag, else the first. It is nil where there is none.
func (p *Probe) Video() *StreamInfo { return p.find("video") }

// Audio is the stream of sound that a player takes, nil where there is none.
func (p *Probe) Audio() *StreamInfo { return p.find("audio") }

func (p *Probe) find(kind string) *StreamInfo {
	all := p.all(kind)
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// all are the streams of a kind but for covers, those with the default flag
// first.
func (p *Probe) all(kind string) []*StreamInfo {
	var first, rest []*StreamInfo
	for i := range p.Streams {
		s := &p.Streams[i]
		switch {
		case s.Kind != kind || s.Cover:
		case s.Default:
			first = append(first, s)
		default:
			rest = append(rest, s)
		}
	}
	return append(first, rest...)
}

// probeTime is how long ffprobe may look at an input.
const probeTime = time.Minute

// Probe asks ffprobe about a file or a URL.
func (t *Tool) Probe(ctx context.Context, input string) (*Probe, error) {
	p, err := Options{}.source("input", input)
	if err != nil {
		return nil, err
	}
	return t.probe(ctx, p)
}

func (t *Tool) probe(ctx context.Context, p place) (*Probe, error) {
	if !p.file() {
		return t.ask(ctx, p)
	}
	info := glance(p.name)
	if info == nil {
		var err error
		if info, err = t.ask(ctx, p); err != nil {
			return nil, err
		}
	}
	info.lacks = lacking(p.name, info)
	return info, nil
}

// ask starts ffprobe.
func (t *Tool) ask(ctx context.Context, p place) (*Probe, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	args := append([]string{"-v", "error", "-of", "json", "-show_format", "-show_streams", "-show_packets", "-read_intervals", "%+#8"}, p.guards(t.major())...)
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
			Start    string `json:"start_time"`
			Name     string `json:"format_name"`
		} `json:"format"`
		Streams []probedStream `json:"streams"`
		Packets []struct {
			Stream   int `json:"stream_index"`
			SideData []struct {
				Type string `json:"side_data_type"`
			} `json:"side_data_list"`
		} `json:"packets"`
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return nil, fmt.Errorf("media: cannot parse what ffprobe wrote: %w", err)
	}
	p := &Probe{Container: said.Format.Name, Seconds: number(said.Format.Duration)}
	if p.is("matroska") {
		p.Seconds = max(0, p.Seconds-number(said.Format.Start)) // Matroska counts from 0, others from their start
	}
	for _, s := range said.Streams {
		p.Streams = append(p.Streams, s.info())
	}
	for _, packet := range said.Packets {
		for _, d := range packet.SideData {
			if i := packet.Stream; d.Type == "Encryption info" && i >= 0 && i < len(p.Streams) {
				p.Streams[i].Encrypted = true
			}
		}
	}
	p.covers()
	return p, nil
}

// stills are codecs of single pictures.
var stills = []string{"png", "mjpeg", "bmp", "tiff", "webp", "gif"}

// covers marks still pictures beside moving ones, which Matroska may have
// without a flag.
func (p *Probe) covers() {
	moving := slices.ContainsFunc(p.Streams, func(s StreamInfo) bool { return s.Kind == "video" && !s.Cover && !slices.Contains(stills, s.Codec) })
	for i := range p.Streams {
		if s := &p.Streams[i]; moving && s.Kind == "video" && slices.Contains(stills, s.Codec) {
			s.Cover = true
		}
	}
}

// is reports whether a word is among the names of the container.
func (p *Probe) is(word string) bool { return slices.Contains(strings.Split(p.Container, ","), word) }

type probedStream struct {
	Index       int    `json:"index"`
	Kind        string `json:"codec_type"`
	Codec       string `json:"codec_name"`
	Tag         string `json:"codec_tag_string"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	Shape       string `json:"sample_aspect_ratio"`
	Mean        string `json:"avg_frame_rate"`
	Peak        string `json:"r_frame_rate"`
	PixelFormat string `json:"pix_fmt"`
	Transfer    string `json:"color_transfer"`
	Fields      string `json:"field_order"`
	Reordered   int    `json:"has_b_frames"`
	Channels    int    `json:"channels"`
	Layout      string `json:"channel_layout"`
	Start       string `json:"start_time"`
	Seconds     string `json:"duration"`
	Disposition struct {
		Cover   int `json:"attached_pic"`
		Default int `json:"default"`
	} `json:"disposition"`
	Tags     map[string]string `json:"tags"`
	SideData []struct {
		Type     string  `json:"side_data_type"`
		Rotation float64 `json:"rotation"`
	} `json:"side_data_list"`
}

func (s probedStream) info() StreamInfo {
	info := StreamInfo{
		Index: s.Index, Kind: s.Kind, Codec: s.Codec, Width: s.Width, Height: s.Height, FPS: fraction(s.Mean), peak: fraction(s.Peak),
		Cover: s.Disposition.Cover == 1, Default: s.Disposition.Default == 1, Language: s.tag("language"),
		Channels: s.Channels, Layout: s.Layout, Start: number(s.Start), Seconds: number(s.Seconds), Shape: 1,
		Interlaced: slices.Contains([]string{"tt", "bb", "tb", "bt"}, s.Fields), transfer: s.Transfer,
		HDR:       s.Transfer == "smpte2084" || s.Transfer == "arib-std-b67",
		Alpha:     s.tag("alpha_mode") == "1" || alphaFormat().MatchString(s.PixelFormat),
		Encrypted: slices.Contains([]string{"drmi", "drms"}, s.Tag), reordered: s.Reordered > 0,
	}
	if info.Layout == "unknown" { // ffprobe 7's word
		info.Layout = ""
	}
	for _, c := range codecs {
		if c.name == s.Codec {
			info.Codec = c.word
		}
	}
	if info.Seconds == 0 {
		info.Seconds = clock(s.tag("duration"))
	}
	if above, below, ok := strings.Cut(s.Shape, ":"); ok && number(above) > 0 && number(below) > 0 {
		info.Shape = number(above) / number(below)
	}
	for _, d := range s.SideData {
		if d.Rotation != 0 { // ffprobe counts anticlockwise
			info.Rotation = (int(math.Round(-d.Rotation))%360 + 360) % 360
		}
	}
	return info
}

// tag is the value of a tag, whose name is written in small or capital letters.
func (s probedStream) tag(name string) string {
	for key, value := range s.Tags {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// alphaFormat matches ffmpeg's names of pixels with a part that is transparent.
var alphaFormat = lazily(`^(yuva|gbrap|rgba|bgra|argb|abgr|ya8|ya16|rgba64|bgra64|yuva)`)

// clock reads a time such as 00:01:02.5 as seconds.
func clock(text string) float64 {
	total := 0.0
	for part := range strings.SplitSeq(strings.TrimSpace(text), ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil || n < 0 {
			return 0
		}
		total = total*60 + n
	}
	return total
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
