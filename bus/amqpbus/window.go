package amqpbus

import "time"

// A leader that freezes while its connection stays open (its process is stopped,
// its network cut) keeps the requests that the broker has sent it, until the
// broker's heartbeats time out: longer than OWT's callers wait. The broker keeps
// sending up to the prefetch limit. So that limit is how many requests such a
// fault costs, and window keeps it as low as the load allows: one request at low
// rates, as many as are useful at a time under load.
//
// The limit grows when requests wait in the queue for several intervals and will
// not soon be gone, and shrinks when a quarter of it would have been enough for
// half a second. A backlog from a moment when the machine was busy needs no more
// room: it is soon gone.

const (
	leastInHand = 1
	// firstInHand is for a new leader, which finds a backlog. Requests beyond it go
	// to the previous leader while that is connected, alive or not.
	firstInHand = 64
	// mostInHand is for some 256 callers at once; more of them wait in the
	// queue, which costs nothing.
	mostInHand = 256
	// floodInHand is for a flood: while floodWaits requests wait, the queue must be
	// emptied fast, since keep-alives and the requests of well-behaved callers are
	// somewhere in it, and only the receiver separates them.
	floodInHand = 4096
	floodWaits  = 4096
	// lookEvery is the measuring interval, one look.
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
	// roomyLooks is the number of samples in an average of the load, and
	// roomySpans the number of averages before the window shrinks: a load that
	// comes and goes keeps its window.
	roomyLooks = 10
	roomySpans = 5
)

// reading is what happened during one look.
type reading struct {
	inHand  int     // at its end
	mean    float64 // in hand
	full    bool    // the limit was reached
	settled int
	waiting int // in the queue, at its end
	// body is the mean length of the bodies that arrived, 0 where none did.
	body float64
}

// busyLook is how many requests, dealt with in one look, may mean a queue that
// grows.
const busyLook = 16

// mayWait reports whether requests may wait in the queue. They may although the
// limit was never reached here: where all are dealt with at once, the broker waits
// for acknowledgements that are on their way.
func (r reading) mayWait() bool { return r.full || r.settled >= busyLook }

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

// newWindow returns the window of a new leader, which is soon reconsidered.
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
	// A single caller at a time has a request in hand for half of the time: until
	// the broker has confirmed the answer, and that is on its way meanwhile.
	if limit == 2*leastInHand && w.peak < leastInHand {
		limit = leastInHand
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

// most returns the highest limit for that many waiting requests. A limit raised by
// a flood stays until it is unused.
func most(waiting, limit int) int {
	if waiting >= floodWaits {
		return floodInHand
	}
	return max(mostInHand, limit)
}

// handBytes is about how many bytes of requests are in hand at most. The client
// library keeps all that the broker sends, and the broker knows no such limit.
const handBytes = 64 << 20

// bodySize is the mean length of recent bodies.
type bodySize float64

// after returns the mean after one more look.
func (b bodySize) after(r reading) bodySize {
	const share = 0.2 // of the latest look
	if r.body == 0 {
		return b
	}
	return (1-share)*b + share*bodySize(r.body)
}

// fit returns the window if so many such bodies may be in hand, or a smaller one.
func (b bodySize) fit(w window) window {
	limit := w.limit
	for limit > leastInHand && float64(limit)*float64(b) > handBytes {
		limit /= 2
	}
	if limit == w.limit {
		return w
	}
	return window{limit: limit}
}
