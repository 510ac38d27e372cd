package rtc

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// headroom is how much of the estimate must be left before a layer is
	// raised: an estimate that just fits is overshot at the next key frame.
	headroom = 1.15
	// raiseAfter is how long a layer is not raised after one was lowered, at
	// first; it doubles with each raise that fails, up to raiseAfterMost.
	raiseAfter     = 2 * time.Second
	raiseAfterMost = 32 * time.Second
	// failsWithin is how soon after a raise a lowering says that it failed.
	failsWithin = 4 * time.Second
)

// Layer is a way in which a track can be had.
type Layer struct {
	// Encoding is the simulcast encoding, 0 the smallest.
	Encoding int
	// Temporal is the highest temporal layer of it, 0 the fewest frames.
	Temporal int
	// Bitrate is what it takes, in bits per second.
	Bitrate int
	// Height is that of its picture, in pixels; 0 where it is not known.
	Height int
}

// Demand is a track that a subscriber wants.
type Demand struct {
	// Track is its name.
	Track string
	// Layers are how it can be had, in any order.
	Layers []Layer
	// Height is how high the picture is on the subscriber's screen, in pixels;
	// 0 means that it is not on the screen, and nothing is sent.
	Height int
	// Priority: who has more gets more first, such as a shared screen.
	Priority int
}

// Allocator decides which layer of each track a subscriber gets, from an
// estimate of what its line carries. It has no clock: each call says what time
// it is. The zero value is ready.
type Allocator struct {
	chosen  map[string]Layer
	lowered time.Time
	raised  time.Time
	wait    time.Duration
}

// Allocate returns the layer of each track; a track that is missing gets
// nothing. estimate is in bits per second; 0 means that it is not known, and
// everyone gets what fits the screen.
//
// Every track on the screen gets its smallest layer before any gets more. What
// does not fit is lowered at once. What fits again is raised only with
// headroom, one step a call, and the later the more often raising failed.
func (a *Allocator) Allocate(now time.Time, estimate int, demands []Demand) map[string]Layer {
	ladders := ladders(demands)
	var at []int
	if estimate > 0 {
		at = a.limit(now, estimate, ladders, fill(ladders, estimate))
	} else {
		at = tops(ladders)
	}
	out := map[string]Layer{}
	for i, l := range ladders {
		if at[i] >= 0 {
			out[l.track] = l.steps[at[i]]
		}
	}
	a.chosen = out
	return out
}

// Held says why the last Allocate did not give a track its best layer; "" if it
// did. line says what the estimate was.
func (a *Allocator) Held(now time.Time, line string, d Demand) string {
	switch {
	case d.Height <= 0:
		return "its picture is not on the screen"
	case len(d.Layers) == 0:
		return "nothing arrives from its publisher"
	}
	got, ok := a.chosen[d.Track]
	best := slices.MaxFunc(d.Layers, byQuality)
	enough := ladders([]Demand{d})[0].steps
	switch {
	case !ok:
		return line + ", which other tracks fill"
	case byQuality(got, best) >= 0:
		return ""
	case byQuality(got, enough[len(enough)-1]) >= 0:
		return fmt.Sprintf("its picture is %d pixels high on the screen", d.Height)
	case !a.mayRaise(now):
		return fmt.Sprintf("%s; a better layer was too much, and is tried again in %v", line, (a.wait - now.Sub(a.lowered)).Round(time.Second))
	}
	return line
}

// byQuality orders layers, the worst first.
func byQuality(x, y Layer) int {
	return cmp.Or(cmp.Compare(x.Encoding, y.Encoding), cmp.Compare(x.Temporal, y.Temporal))
}

// ladder is a track with the layers that make sense, the smallest first.
type ladder struct {
	track    string
	priority int
	steps    []Layer
}

// ladders leaves out tracks that are not on the screen, layers larger than the
// screen needs, and layers that cost more than a better one.
func ladders(demands []Demand) []ladder {
	var out []ladder
	for _, d := range demands {
		if d.Height <= 0 || len(d.Layers) == 0 {
			continue
		}
		steps := slices.Clone(d.Layers)
		slices.SortFunc(steps, byQuality)
		enough := len(steps) - 1
		for i, l := range steps {
			if l.Height >= d.Height {
				enough = i
				for enough+1 < len(steps) && steps[enough+1].Encoding == l.Encoding {
					enough++
				}
				break
			}
		}
		steps = steps[:enough+1]
		rising := steps[:0]
		for i, l := range steps {
			if !slices.ContainsFunc(steps[i+1:], func(better Layer) bool { return better.Bitrate <= l.Bitrate }) {
				rising = append(rising, l)
			}
		}
		out = append(out, ladder{d.Track, d.Priority, rising})
	}
	slices.SortStableFunc(out, func(x, y ladder) int {
		return cmp.Or(cmp.Compare(y.priority, x.priority), cmp.Compare(x.track, y.track))
	})
	return out
}

// tops is the largest step of each.
func tops(ladders []ladder) []int {
	at := make([]int, len(ladders))
	for i, l := range ladders {
		at[i] = len(l.steps) - 1
	}
	return at
}

// fill gives every track its smallest step while that fits, and then raises in
// turn, those of a higher priority first. It returns the step of each, -1 for
// none.
func fill(ladders []ladder, budget int) []int {
	at := make([]int, len(ladders))
	for i, l := range ladders {
		if cost := l.steps[0].Bitrate; cost <= budget || i == 0 {
			budget -= cost
		} else {
			at[i] = -1
		}
	}
	for begin := 0; begin < len(ladders); {
		end := begin
		for end < len(ladders) && ladders[end].priority == ladders[begin].priority {
			end++
		}
		for moved := true; moved; {
			moved = false
			for i := begin; i < end; i++ {
				if more, ok := ladders[i].more(at[i]); ok && more <= budget {
					budget -= more
					at[i]++
					moved = true
				}
			}
		}
		begin = end
	}
	return at
}

// more is what the next step takes in addition, if there is one.
func (l ladder) more(at int) (bitrate int, ok bool) {
	if at < 0 || at+1 >= len(l.steps) {
		return 0, false
	}
	return l.steps[at+1].Bitrate - l.steps[at].Bitrate, true
}

// find is the step that is no larger than the layer.
func (l ladder) find(had Layer) int {
	best := 0
	for i, s := range l.steps {
		if s.Encoding < had.Encoding || s.Encoding == had.Encoding && s.Temporal <= had.Temporal {
			best = i
		}
	}
	return best
}

// limit lowers at once, and holds raises back. wanted is the step of each that
// would fit.
func (a *Allocator) limit(now time.Time, estimate int, ladders []ladder, wanted []int) []int {
	at := make([]int, len(ladders))
	used, lowered := 0, false
	for i, l := range ladders {
		at[i] = wanted[i]
		if had, ok := a.chosen[l.track]; ok {
			at[i] = min(wanted[i], l.find(had))
			lowered = lowered || wanted[i] < l.find(had)
		} else if wanted[i] > 0 && a.chosen != nil {
			at[i] = 0 // new on the screen: it begins small
		}
		if at[i] >= 0 {
			used += l.steps[at[i]].Bitrate
		}
	}
	if lowered {
		a.failed(now)
	}
	if lowered || !a.mayRaise(now) {
		return at
	}
	if i := raisable(ladders, at, wanted); i >= 0 {
		if more, _ := ladders[i].more(at[i]); float64(used+more)*headroom <= float64(estimate) {
			at[i]++
			a.raised = now
		}
	}
	return at
}

// raisable is the track that is raised next: of those of the highest priority
// the one that is lowest; -1 if there is none.
func raisable(ladders []ladder, at, wanted []int) int {
	best := -1
	for i, l := range ladders {
		if at[i] < 0 || at[i] >= wanted[i] {
			continue
		}
		if best < 0 || l.priority == ladders[best].priority && at[i] < at[best] {
			best = i
		}
	}
	return best
}

// failed notes that something was lowered: soon after a raise, that it failed.
func (a *Allocator) failed(now time.Time) {
	if !a.raised.IsZero() && now.Sub(a.raised) < failsWithin {
		a.wait = min(2*max(a.wait, raiseAfter), raiseAfterMost)
	} else {
		a.wait = raiseAfter
	}
	a.lowered = now
}

func (a *Allocator) mayRaise(now time.Time) bool {
	return a.lowered.IsZero() || now.Sub(a.lowered) >= a.wait
}
