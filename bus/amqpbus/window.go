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
// With each look the limit doubles if requests wait in the queue though as many
// as that were dealt with; it halves while a quarter of it would do.

const (
	leastInHand = 1
	// mostInHand is for some 256 callers at once; more of them wait in the
	// queue, which costs nothing.
	mostInHand = 256
	// lookEvery is how long a look lasts.
	lookEvery = 10 * time.Millisecond
	// crowdedLooks is how many looks in a row find requests waiting before there
	// is more room: one alone may be by chance.
	crowdedLooks = 2
	// stuckLooks is the same where nothing was dealt with meanwhile: then room
	// does not help, unless the handler keeps requests for long.
	stuckLooks = 25
	// roomyLooks is over how many looks the load is averaged before there is
	// less room.
	roomyLooks = 10
)

// reading is what happened during one look.
type reading struct {
	inHand  int     // at its end
	mean    float64 // in hand
	full    bool    // as many were in hand as the limit lets
	settled int
	waiting int // in the queue, at its end
}

// window is how many requests a leader may have in hand.
type window struct {
	limit   int
	crowded int // looks in a row
	stuck   int
	roomy   int // looks that are in sum
	sum     float64
}

// newWindow is that of a new leader, for whom those wait that came meanwhile.
func newWindow() window { return window{limit: mostInHand} }

// after returns the window after one more look.
func (w window) after(r reading) window {
	if r.waiting > 0 {
		return w.crowd(r)
	}
	w.crowded, w.stuck = 0, 0
	w.sum += r.mean
	w.roomy++
	if w.roomy < roomyLooks {
		return w
	}
	mean := w.sum / float64(w.roomy)
	w.sum, w.roomy = 0, 0
	for w.limit > leastInHand && 4*mean <= float64(w.limit) {
		w.limit /= 2
	}
	return w
}

func (w window) crowd(r reading) window {
	w.sum, w.roomy = 0, 0
	if r.settled > 0 {
		w.crowded++
		w.stuck = 0
	} else {
		w.stuck++
	}
	if w.crowded < crowdedLooks && w.stuck < stuckLooks {
		return w
	}
	return window{limit: min(2*w.limit, mostInHand)}
}
