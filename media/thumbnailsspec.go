package media

import (
	"fmt"
	"path/filepath"
)

// ThumbnailsSpec says which small pictures of an input are to be made: sheets of
// them, and a list in WebVTT that says where each is, as players show them above
// their time line.
type ThumbnailsSpec struct {
	// Input is a file or a URL that ffmpeg reads.
	Input string `json:"input"`
	// Output is a directory, which the sheets and thumbnails.vtt become.
	Output string `json:"output"`
	// EverySeconds is the time between two pictures, 10 where it is 0.
	EverySeconds float64 `json:"every_seconds"`
	// Width and Height are those of a picture in pixels, 160 wide where both are 0;
	// where one is 0 it follows from the other.
	Width  int `json:"width"`
	Height int `json:"height"`
	// Columns and Rows are those of a sheet, 5 where they are 0. 1 and 1 make a
	// file of each picture.
	Columns int `json:"columns"`
	Rows    int `json:"rows"`
	// Format is "jpg" (the default), "png" or "webp".
	Format string `json:"format"`
	// Existing is Refuse, Replace or Keep.
	Existing Existing `json:"existing"`
	Handling
}

// thumbnails is a spec that was checked.
type thumbnails struct {
	ThumbnailsSpec
	input place
	dir   string

	// What follows is known when the input was looked at.
	info    *Probe
	streams picked
}

func (p thumbnails) source() place { return p.input }

func thumbnailsPlan(_ *Tool, o Options, s ThumbnailsSpec) (thumbnails, error) {
	p := thumbnails{ThumbnailsSpec: s}
	var err error
	if p.input, err = o.source("input", s.Input); err != nil {
		return p, err
	}
	out, err := o.target("output", s.Output)
	if err != nil {
		return p, err
	}
	p.dir = out.name
	if p.Existing, err = s.Existing.check(Refuse, Replace, Keep); err != nil {
		return p, err
	}
	fill(&p.EverySeconds, 10)
	if p.Width == 0 && p.Height == 0 {
		p.Width = 160
	}
	if p.Columns == 0 {
		p.Columns = 5
	}
	if p.Rows == 0 {
		p.Rows = 5
	}
	if p.Format == "" {
		p.Format = "jpg"
	}
	switch p.input.scheme {
	case "", "http", "https":
	default:
		return p, fault("input", "must be a file or a URL with http: thumbnails are of what has an end")
	}
	return p, first(positive("every_seconds", p.EverySeconds), dimension("width", p.Width), dimension("height", p.Height),
		between("columns", p.Columns, 1, 20), between("rows", p.Rows, 1, 20), oneOf("format", p.Format, []string{"jpg", "png", "webp"}), s.Handling.check())
}

// picture is a small one.
func (p thumbnails) picture() picture {
	return picture{from: p.streams.video, width: p.Width, height: p.Height, handling: p.Handling}
}

// quality are the arguments of the encoders of single pictures.
var stillQuality = map[string][]string{
	"jpg": {"-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p"}, "png": {"-c:v", "png"}, "webp": {"-c:v", "libwebp", "-quality", "80"},
}

// args are ffmpeg's. The times of the pictures are printed on descriptor 3.
func (p thumbnails) args(major int, dir string) []string {
	args := append(p.input.input(major), "-map", p.streams.videoMap(), "-an", "-sn", "-vf", fmt.Sprintf(
		"select='gte(t-start_t\\,selected_n*%s)',%s,metadata=mode=add:key=thumbnail:value=1,metadata=mode=print:direct=1:file='pipe\\:3',tile=%dx%d",
		seconds(p.EverySeconds), p.picture().filters(), p.Columns, p.Rows), "-fps_mode", "passthrough")
	args = append(args, stillQuality[p.Format]...)
	return append(args, "-f", "image2", "-start_number", "0", filepath.Join(dir, "sheet-%05d."+p.Format))
}
