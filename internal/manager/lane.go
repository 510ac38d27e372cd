package manager

// laneQueues is how many queues a lane has. Two callers share one by chance.
const laneQueues = 1024

// size is an amount of requests.
type size struct{ requests, bytes int }

// perRequest is what a request weighs beside its body, in bytes.
const perRequest = 512

func (s size) plus(o size) size  { return size{s.requests + o.requests, s.bytes + o.bytes} }
func (s size) minus(o size) size { return size{s.requests - o.requests, s.bytes - o.bytes} }

// holds reports whether o fits in as well. A single request always does, so
// that none is too large for ever.
func (s size) holds(used, o size) bool {
	sum := used.plus(o)
	return used.requests == 0 || sum.requests <= s.requests && sum.bytes <= s.bytes
}

// lane is where requests wait that cannot be carried out at once: fair by
// caller, and bounded for each caller and for all. Callers are hashed to a
// fixed number of queues (stochastic fairness queueing), which take turns by
// what they cost (deficit round robin): neither time nor memory grows with the
// number of callers.
type lane struct {
	all, each size // the bounds
	used      size
	queues    [laneQueues]queue
	turns     [laneQueues]uint16 // a ring of the queues that are not empty
	first, n  int                // of turns
}

// queue is what waits of the callers that share it, in the order in which it
// came.
type queue struct {
	items  []item
	head   int
	used   size
	credit int // what it may still cost in this turn, in bytes
}

// turn is what a queue may cost in a turn: a few requests of the usual size.
const turn = 4 * perRequest

// put adds a request. Where there is no room, one is left out: this one, or the
// last of the queue that takes more than any other.
func (l *lane) put(it item) (out item, ok bool) {
	q := &l.queues[it.queue]
	if !l.each.holds(q.used, it.size()) {
		return it, false
	}
	ok = l.all.holds(l.used, it.size())
	if !ok {
		longest := l.longest()
		if longest == q || longest.used.bytes <= q.used.bytes+it.size().bytes {
			return it, false
		}
		out = l.dropLast(longest)
	}
	if q.used.requests == 0 {
		l.turns[(l.first+l.n)%laneQueues] = it.queue
		l.n++
	}
	q.items = append(q.items, it)
	q.used = q.used.plus(it.size())
	l.used = l.used.plus(it.size())
	return out, ok
}

// next takes out the request whose turn it is.
func (l *lane) next() (item, bool) {
	for l.n > 0 {
		q := &l.queues[l.turns[l.first]]
		it := q.items[q.head]
		if cost := it.size().bytes; q.credit < cost {
			q.credit += turn
			l.rotate()
			continue
		} else {
			q.credit -= cost
		}
		q.items[q.head] = item{}
		q.head++
		l.remove(q, it)
		if q.used.requests == 0 {
			l.retire(q)
		}
		return it, true
	}
	return item{}, false
}

// rotate makes the queue whose turn it is the last.
func (l *lane) rotate() {
	l.turns[(l.first+l.n)%laneQueues] = l.turns[l.first]
	l.first = (l.first + 1) % laneQueues
}

// retire takes the queue whose turn it is out of the ring. It keeps no credit,
// and no memory that a burst left.
func (l *lane) retire(q *queue) {
	l.first = (l.first + 1) % laneQueues
	l.n--
	items := q.items[:0]
	if cap(items) > 64 {
		items = nil
	}
	*q = queue{items: items}
}

func (l *lane) remove(q *queue, it item) {
	q.used = q.used.minus(it.size())
	l.used = l.used.minus(it.size())
}

// dropLast takes out the last of a queue that holds several.
func (l *lane) dropLast(q *queue) item {
	last := len(q.items) - 1
	it := q.items[last]
	q.items[last] = item{}
	q.items = q.items[:last]
	l.remove(q, it)
	return it
}

// longest is the queue that takes the most room.
func (l *lane) longest() *queue {
	longest := &l.queues[0]
	for i := range l.queues {
		if q := &l.queues[i]; q.used.bytes > longest.used.bytes {
			longest = q
		}
	}
	return longest
}
