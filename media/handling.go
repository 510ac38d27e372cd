package media

// OnShort says what becomes of a task whose input ends before the time that it
// announces.
type OnShort string

// The default is ShortFails: nothing is kept. With ShortWarns what there is
// becomes the result, with the warning "short".
const (
	ShortFails OnShort = "fail"
	ShortWarns OnShort = "warn"
)

func (s OnShort) check() error { return oneOfOrNone("on_short", s, ShortFails, ShortWarns) }

// Handling says how a picture is prepared for its encoder, and what becomes of
// a broken input. Nothing of it matters to a picture that is copied, but for
// OnShort.
type Handling struct {
	// OnShort is ShortFails or ShortWarns.
	OnShort OnShort `json:"on_short"`
	// HDR is what becomes of pictures in PQ or HLG: "tonemap" (the default) makes
	// SDR of them, "keep" encodes 10 bits, which h265, vp9 and av1 can, "refuse"
	// fails.
	HDR string `json:"hdr"`
	// Deinterlace is "auto" (the default: what says that it is interlaced), "on"
	// or "off".
	Deinterlace string `json:"deinterlace"`
}

// The words for Handling.HDR and Handling.Deinterlace.
const (
	HDRTonemap      = "tonemap"
	HDRKeep         = "keep"
	HDRRefuse       = "refuse"
	DeinterlaceAuto = "auto"
	DeinterlaceOn   = "on"
	DeinterlaceOff  = "off"
)

func (h Handling) check() error {
	return first(h.OnShort.check(), oneOfOrNone("hdr", h.HDR, HDRTonemap, HDRKeep, HDRRefuse),
		oneOfOrNone("deinterlace", h.Deinterlace, DeinterlaceAuto, DeinterlaceOn, DeinterlaceOff))
}

// keeps checks that a codec can keep HDR, where that is asked for.
func (h Handling) keeps(field, word string) error {
	c, known := codecOf(word)
	if h.HDR != HDRKeep || !known || c.deep {
		return nil
	}
	return fault("hdr", "cannot be keep where %s is %s, which has 8 bits here: choose h265, vp9 or av1, or set hdr to tonemap", field, word)
}
