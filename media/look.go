package media

import "context"

// look asks ffprobe about an input that can be read twice; nil is for others,
// as of a camera that takes one viewer.
func (d *desk) look(ctx context.Context, p place) (*Probe, error) {
	switch p.scheme {
	case "", "http", "https":
		return d.tool.probe(ctx, p)
	}
	return nil, nil
}

// seconds is how long a file lasts; 0 is not known. What comes over the network
// is not asked, since a recording of it should begin at once.
func (d *desk) seconds(ctx context.Context, p place) float64 {
	if !p.file() {
		return 0
	}
	info, err := d.tool.probe(ctx, p)
	if err != nil {
		return 0 // ffmpeg will say what is wrong
	}
	return info.Seconds
}
