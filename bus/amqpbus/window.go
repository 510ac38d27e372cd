package amqpbus

import "time"

// A leader that stands still without its connection being closed (its process
// is halted, its cable cut) keeps what the broker has sent it, out of the reach
// of the next leader, until the broker's heart-beats notice: longer than OWT's
// callers wait. The broker goes on sending as far as the limit on what is not
// acknowledged lets it. So that limit is what such a fault costs, and window
// keeps it as low as the load allows: one request while they come now and then,
// as many as are useful at a time under load.
//
// The limit grows when requests wait in the queue for several looks and will not
// soon be gone, and shrinks when a quarter of it would have done for half a
// second. What gathers while the machine is busy with other things needs no more
// room: it is soon worked off.

const (
	leastInHand = 1
	// firstInHand is for a new leader, for whom those wait that came meanwhile.
	// What it has no room for goes to the one before as long as that is there,
	// alive or not.
	firstInHand = 64
	// mostInHand is for some 256 callers at once; more of them wait in the
	// queue, which costs nothing.
	mostInHand = 256
	// floodInHand is for a flood: while floodWaits requests wait, what counts is
	// how fast the queue is emptied, since those that keep workers alive, and
	// those of honest callers, are somewhere in it, and only here is anything
	// sorted.
	floodInHand = 4096
	floodWaits  = 4096
	// lookEvery is how long a look lasts.
	lookEvery = 10 * time.Millisecond
	// crowdedLooks is how many looks in a row find requests waiting before there
	// is more room: one alone may be by chance.
	crowdedLooks = 3
	// stuckLooks is the same where nothing was dealt with meanwhile: then room
	// does not help, unless the handler keeps requests for long.
	stuckLooks = 30
	// soonLooks is in how many more looks a queue that gets shorter at this rate
	// may be empty and not count as crowded.
	soonLooks = 10
	// roomyLooks is over how many looks the load is averaged, and roomySpans how
	// many such averages are looked at before there is less room: a load that
	// comes and goes keeps its room.
	roomyLooks = 10
	roomySpans = 5
)

// reading is what happened during one look.
type reading struct {
	inHand  int     // at its end
	mean    float64 // in hand
	full    bool    // as many were in hand as the limit lets
	settled int
	waiting int // in the queue, at its end
}

// window is how many requests a leader may have in hand, a power of two.
type window struct {
	limit   int
	waiting int // in the queue, at the last look
	crowded int // looks in a row
	stuck   int
	looks   int // in sum
	sum     float64
	spans   int // in peak
	peak    float64
}

// newWindow is that of a new leader. It is soon judged for the first time.
func newWindow() window { return window{limit: firstInHand, spans: roomySpans - 1} }

// after returns the window after one more look.
func (w window) after(r reading) window {
	if r.waiting > 0 {
		return w.crowd(r)
	}
	w.waiting, w.crowded, w.stuck = 0, 0, 0
	w.sum += r.mean
	if w.looks++; w.looks < roomyLooks {
		return w
	}
	w.peak = max(w.peak, w.sum/float64(w.looks))
	w.looks, w.sum = 0, 0
	if w.spans++; w.spans < roomySpans {
		return w
	}
	limit := w.limit
	for limit > leastInHand && 4*w.peak <= float64(limit) {
		limit /= 2
	}
	return window{limit: limit}
}

// crowd is after for a look that found requests waiting.
func (w window) crowd(r reading) window {
	gone := w.waiting - r.waiting
	w.waiting = r.waiting
	switch {
	case r.settled == 0:
		w.stuck++
	case soonLooks*gone < r.waiting:
		w.crowded++
		w.stuck = 0
	default:
		w.stuck = 0
	}
	switch {
	case w.crowded < crowdedLooks && w.stuck < stuckLooks:
		return w
	case r.waiting >= 3*w.limit && w.stuck == 0:
		return window{limit: min(4*w.limit, most(r.waiting, w.limit))}
	}
	return window{limit: min(2*w.limit, most(r.waiting, w.limit))}
}

// most is the highest limit while so many wait. What a flood has raised stays
// until it is not used any more.
func most(waiting, limit int) int {
	if waiting >= floodWaits {
		return floodInHand
	}
	return max(mostInHand, limit)
}
