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
	// raiseAfter is how long a layer is not raised after one was lowered. To what
	// was too much it is not raised for longer: twice as long with each raise that
	// fails, up to raiseAfterMost.
	raiseAfter     = 2 * time.Second
	raiseAfterMost = 16 * time.Second
	// failsWithin is how soon after a raise a lowering says that it failed.
	failsWithin = 4 * time.Second
	// calmAfter is how long after the last sign that it is full a line counts as calm
	// again, and tryEvery the least time between two raises to more than the estimate.
	calmAfter = time.Second
	tryEvery  = time.Second
	// fallen is the share of the last estimate below which it has fallen: a little
	// less is noise.
	fallen = 0.98
)

// Line is what is known of the line of a subscriber.
type Line struct {
	// Estimate is what it carries, in bits per second; 0 means that it is not known.
	Estimate int
	// Congested: packets are late or lost as it carries no more.
	Congested bool
	// Limit is what the subscriber may get, in bits per second; 0 is no limit.
	Limit int
}

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
	// tried: it is not known yet whether the last raise failed. One to tooMuch bits
	// per second did, and is not tried again before wait.
	tried   bool
	tooMuch int
	wait    time.Duration
	// estimate is the last one, and troubled when it fell or the line was congested.
	estimate int
	troubled time.Time
}

// Allocate returns the layer of each track; a track that is missing gets
// nothing. While neither estimate nor limit is known, everyone gets what fits the
// screen.
//
// Every track on the screen gets its smallest layer before any gets more. When the
// line is full, what does not fit the estimate is lowered at once. What fits again
// is raised only with headroom, one step a call, and to what was too much the later
// the more often that failed.
//
// An estimate cannot be much more than what is sent, since nothing shows what else
// the line would carry. So while the line is not full, what is sent stays, and a
// step more is tried, as if the estimate had room for it.
func (a *Allocator) Allocate(now time.Time, line Line, demands []Demand) map[string]Layer {
	ladders := ladders(demands)
	at := tops(ladders)
	if budget := a.budget(now, line, ladders); budget > 0 {
		at = a.limit(now, budget, line.Limit, ladders)
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
	case !a.mayRaise(now, a.tooMuch):
		return fmt.Sprintf("%s; a better layer was too much, and is tried again in %v", line, (a.pause(a.tooMuch) - now.Sub(a.lowered)).Round(time.Second))
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

// moreOf is more of a step that there is.
func (l ladder) moreOf(at int) int {
	bitrate, _ := l.more(at)
	return bitrate
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

// budget is what may be sent, in bits per second, 0 where there is no bound.
func (a *Allocator) budget(now time.Time, line Line, ladders []ladder) int {
	if line.Congested || float64(line.Estimate) < fallen*float64(a.estimate) {
		a.troubled = now
	}
	a.estimate = line.Estimate
	budget := line.Estimate
	if budget > 0 && a.chosen != nil && a.calm(now) {
		budget = max(budget, a.sent(ladders))
	}
	if line.Limit > 0 && (budget == 0 || line.Limit < budget) {
		return line.Limit
	}
	return budget
}

// calm reports whether the line has carried what was sent for a while.
func (a *Allocator) calm(now time.Time) bool {
	return a.troubled.IsZero() || now.Sub(a.troubled) >= calmAfter
}

// sent is what the last choice takes now, and the least of tracks that are new.
func (a *Allocator) sent(ladders []ladder) (bitrate int) {
	for _, l := range ladders {
		step := 0
		if had, ok := a.chosen[l.track]; ok {
			step = l.find(had)
		}
		bitrate += l.steps[step].Bitrate
	}
	return bitrate
}

// limit lowers at once, and holds raises back. most is what the subscriber may
// get, 0 for no limit.
func (a *Allocator) limit(now time.Time, budget, most int, ladders []ladder) []int {
	wanted := fill(ladders, budget)
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
		a.failed(now, a.sent(ladders))
		return at
	}
	i := raisable(ladders, at, wanted)
	fits := func(to int) bool { return float64(to)*headroom <= float64(budget) }
	if i < 0 || !fits(used+ladders[i].moreOf(at[i])) {
		i = raisable(ladders, at, tops(ladders))
		fits = func(to int) bool {
			return a.estimate > 0 && a.chosen != nil && a.calm(now) && now.Sub(a.raised) >= tryEvery && (most == 0 || to <= most)
		}
	}
	if i >= 0 {
		if to := used + ladders[i].moreOf(at[i]); fits(to) && a.mayRaise(now, to) {
			at[i]++
			a.raised, a.tried = now, true
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

// failed notes that something was lowered when so much was sent: soon after a
// raise, that it failed.
func (a *Allocator) failed(now time.Time, sent int) {
	switch soon := now.Sub(a.raised) < failsWithin; {
	case soon && a.tried:
		a.wait, a.tooMuch = min(2*max(a.wait, raiseAfter), raiseAfterMost), sent
	case !soon && sent >= a.tooMuch: // it was not too much for a while
		a.wait, a.tooMuch = raiseAfter, 0
	}
	a.lowered, a.tried = now, false
}

// mayRaise reports whether so much may be sent again.
func (a *Allocator) mayRaise(now time.Time, to int) bool {
	return a.lowered.IsZero() || now.Sub(a.lowered) >= a.pause(to)
}

// pause is how long after something was lowered so much may be sent again.
func (a *Allocator) pause(to int) time.Duration {
	if a.tooMuch > 0 && float64(to)*headroom >= float64(a.tooMuch) {
		return a.wait
	}
	return raiseAfter
}
