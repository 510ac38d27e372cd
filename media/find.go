package media

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// mostSpans bounds the lists in a report.
const mostSpans = 500

// finder makes events and a summary of what ffmpeg's filters write, frame by
// frame.
type finder struct {
	notify func(event string, data any)
	// hunts are by what is looked for: black, silence, freeze.
	hunts map[string]*hunt
	// loud is nil where loudness is not asked for; reported is when it was last
	// published.
	loud     *Loudness
	every    float64
	reported float64
	// now is the latest time of any frame or mark.
	now float64
}

// hunt is what is looked for, and found, of one sort.
type hunt struct {
	finds Finds
	// least is how long it must last; 0 where the filter sees to it.
	least float64
	// open is set while it goes on, since start; reported is set once the start
	// is an event.
	open, reported bool
	start          float64
}

func newFinder(d Detect, notify func(string, any)) finder {
	f := finder{notify: notify, hunts: map[string]*hunt{}}
	add := func(name string, least float64) { f.hunts[name] = &hunt{least: least, finds: Finds{Spans: []Span{}}} }
	if d.Black != nil {
		add("black", d.Black.MinSeconds)
	}
	if d.Silence != nil {
		add("silence", 0)
	}
	if d.Freeze != nil {
		add("freeze", 0)
	}
	if d.Loudness != nil {
		f.loud, f.every = &Loudness{}, d.Loudness.EverySeconds
	}
	return f
}

// marks are the words of the filters for starts and ends.
var marks = map[string]struct {
	hunt  string
	start bool
}{
	"lavfi.black_start":               {"black", true},
	"lavfi.black_end":                 {"black", false},
	"lavfi.silence_start":             {"silence", true},
	"lavfi.silence_end":               {"silence", false},
	"lavfi.freezedetect.freeze_start": {"freeze", true},
	"lavfi.freezedetect.freeze_end":   {"freeze", false},
}

// frameTime reads the line that begins a frame.
func frameTime(line string) (float64, bool) {
	if !strings.HasPrefix(line, "frame:") {
		return 0, false
	}
	_, text, _ := strings.Cut(line, "pts_time:")
	return number(text), true
}

// line is one of a frame at some second of the input.
func (f *finder) line(at float64, line string) {
	f.now = max(f.now, at)
	key, text, _ := strings.Cut(line, "=")
	value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	if m, known := marks[key]; known && f.hunts[m.hunt] != nil {
		f.mark(m.hunt, m.start, at, max(0, value))
	} else if f.loud != nil {
		f.loudness(at, key, value)
	}
}

// mark handles a start or an end, at value, that a filter printed at some second.
func (f *finder) mark(name string, start bool, at, value float64) {
	if !start {
		f.close(name, value)
		return
	}
	h := f.hunts[name]
	h.open, h.reported, h.start = true, false, value
	f.tell(name, at)
}

// frame says how far the picture was read: what has been black for long enough
// by now is reported.
func (f *finder) frame(at float64) {
	f.now = max(f.now, at)
	if f.hunts["black"] != nil {
		f.tell("black", at)
	}
}

// tell reports a start, once it lasts long enough.
func (f *finder) tell(name string, at float64) {
	if h := f.hunts[name]; h.open && !h.reported && at-h.start >= h.least {
		h.reported = true
		f.notify(name+"_start", Span{Start: h.start})
	}
}

// close ends what goes on; what was too short is forgotten.
func (f *finder) close(name string, at float64) {
	h := f.hunts[name]
	lasted := at - h.start
	if !h.open || lasted < h.least && !h.reported {
		h.open = false
		return
	}
	if !h.reported {
		f.notify(name+"_start", Span{Start: h.start})
	}
	h.open = false
	span := Span{h.start, at, lasted}
	h.finds.Count++
	h.finds.Seconds += lasted
	if len(h.finds.Spans) < mostSpans {
		h.finds.Spans = append(h.finds.Spans, span)
	}
	f.notify(name+"_end", span)
}

// end closes what goes on at the end of the input.
func (f *finder) end(at float64) {
	f.now = max(f.now, at)
	for _, name := range slices.Sorted(maps.Keys(f.hunts)) {
		f.close(name, f.now)
	}
}

// loudness takes one value; the last of a frame is the peak.
func (f *finder) loudness(at float64, key string, value float64) {
	l := f.loud
	switch key {
	case "lavfi.r128.M":
		l.Momentary = value
	case "lavfi.r128.S":
		l.ShortTerm = value
	case "lavfi.r128.I":
		l.Integrated = value
	case "lavfi.r128.LRA":
		l.Range = value
	case "lavfi.r128.true_peak":
		l.At, l.TruePeak = at, decibel(value)
		if at-f.reported >= f.every {
			f.reported = at
			f.notify("loudness", *l)
		}
	}
}

// softest stands for a level of nothing at all, which has no logarithm.
const softest = -120

func decibel(level float64) float64 {
	if level <= 0 {
		return softest
	}
	return max(softest, 20*math.Log10(level))
}

// analysis is all that was found so far. It shares with f only spans that do
// not change any more.
func (f *finder) analysis() Analysis {
	a := Analysis{Black: f.finds("black"), Silence: f.finds("silence"), Freeze: f.finds("freeze")}
	if f.loud != nil {
		l := *f.loud
		a.Loudness = &l
	}
	return a
}

func (f *finder) finds(name string) *Finds {
	h := f.hunts[name]
	if h == nil {
		return nil
	}
	finds := h.finds
	return &finds
}
