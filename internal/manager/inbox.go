package manager

import (
	"hash/maphash"
	"sync"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
)

// The bounds of the inbox. More than a caller's share could not be answered
// within the time that callers wait anyway.
var (
	// inboxRoom is for all that waits beside signs of life.
	inboxRoom = size{1 << 15, 64 << 20}
	// callerRoom is for what waits of one caller.
	callerRoom = size{1 << 13, 16 << 20}
	// orderedRoom is for what waits in the order in which it came: what one batch
	// takes. More than that waits fairly.
	orderedRoom = size{512, 1 << 20}
	// signRoom is for signs of life: those of some 100,000 workers.
	signRoom = size{1 << 17, 128 << 20}
)

const (
	// signsEach is how many signs of life wait of the workers that share a
	// place: hundreds, in a fleet of 100,000.
	signsEach = 1024
	// signBytes is the longest body of a sign of life. A longer one waits
	// where all else does.
	signBytes = 4096
)

// item is a request that was understood and waits to be done.
type item struct {
	act   action
	req   *bus.Request
	queue uint16 // of its caller
	at    uint64 // the place in the order of arrival
	// traced is nil for a request that is not recorded.
	traced *traced
}

func (it item) size() size { return size{1, perRequest + it.req.Size} }

// inbox is where requests wait for the goroutine that owns the state.
//
// Signs of life have a lane of their own, which is emptied with each batch, so
// that nothing else that waits can make a worker look dead. The others wait in
// the order in which they came while they are few, and beyond that in a lane
// that is fair by caller. Signs of life pass only what is left for a later
// batch: a load that is reported before a task is asked for counts for it.
type inbox struct {
	// ready is raised whenever something waits that came after the last take.
	ready mailbox.Signal
	seed  maphash.Seed

	mu        sync.Mutex
	signs     fifo
	signsEach [laneQueues]uint16
	ordered   fifo
	lane      lane
	batch     []item
	arrived   uint64          // how many requests were put
	missed    map[string]bool // see miss
}

func newInbox() *inbox {
	return &inbox{
		ready: mailbox.NewSignal(), seed: maphash.MakeSeed(),
		signs: fifo{room: signRoom}, ordered: fifo{room: orderedRoom},
		lane: lane{all: inboxRoom, each: callerRoom},
	}
}

// put adds a request. Where too much waits, one is left out, which may be
// another one.
func (b *inbox) put(it item) (out item, ok bool) {
	sign := isSoonRepeated(it) && it.req.Size <= signBytes
	it.queue = uint16(b.caller(it.req, sign) % laneQueues)
	b.mu.Lock()
	b.arrived++
	it.at = b.arrived
	switch {
	case sign:
		out, ok = it, b.signsEach[it.queue] < signsEach && b.signs.put(it)
		if ok {
			b.signsEach[it.queue]++
		}
	case b.lane.n == 0 && b.ordered.put(it):
		ok = true
	default:
		out, ok = b.lane.put(it)
	}
	b.mu.Unlock()
	b.ready.Raise()
	return out, ok
}

// caller is a hash of the sender of a request: the address to which answers go.
// Casts do not have one, and one connection may carry many workers' signs of
// life: of these it is the first argument, the worker.
func (b *inbox) caller(req *bus.Request, sign bool) uint64 {
	switch {
	case req.From != "" && !sign:
		return maphash.String(b.seed, req.From)
	case len(req.Args) > 0:
		return maphash.Bytes(b.seed, req.Args[0])
	}
	return 0
}

// take returns all signs of life that wait and, as far as there is room, what
// else waits. It is valid until the next take. more reports that something is
// left.
func (b *inbox) take(room size) (batch []item, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.batch)
	batch = b.takeInOrder(b.batch[:0], &room)
	for room.requests > 0 && room.bytes > 0 && len(b.ordered.items) == 0 {
		it, ok := b.lane.next()
		if !ok {
			break
		}
		room = room.minus(it.size())
		batch = append(batch, it)
	}
	if cap(batch) <= 4*orderedRoom.requests {
		b.batch = batch
	} else {
		b.batch = nil
	}
	return batch, len(b.ordered.items) > 0 || b.lane.n > 0
}

// takeInOrder takes all signs of life, and of what waits in order as much as
// there is room for: together in the order of arrival.
func (b *inbox) takeInOrder(batch []item, room *size) []item {
	n := 0
	for n < len(b.ordered.items) && room.requests > 0 && room.bytes > 0 {
		*room = room.minus(b.ordered.items[n].size())
		n++
	}
	calm := b.ordered.items[:n]
	for _, sign := range b.signs.items {
		for len(calm) > 0 && calm[0].at < sign.at {
			batch, calm = append(batch, calm[0]), calm[1:]
		}
		batch = append(batch, sign)
	}
	batch = append(batch, calm...)
	b.signs.clear()
	clear(b.signsEach[:])
	b.ordered.drop(n)
	return batch
}

// fifo keeps a bounded amount of requests in the order in which they came.
type fifo struct {
	room, used size
	items      []item
}

func (f *fifo) put(it item) bool {
	if !f.room.holds(f.used, it.size()) {
		return false
	}
	f.items = append(f.items, it)
	f.used = f.used.plus(it.size())
	return true
}

// drop takes out the first n.
func (f *fifo) drop(n int) {
	for _, it := range f.items[:n] {
		f.used = f.used.minus(it.size())
	}
	rest := copy(f.items, f.items[n:])
	clear(f.items[rest:])
	f.items = f.items[:rest]
}

// clear takes out all, and keeps no memory that a burst left.
func (f *fifo) clear() {
	clear(f.items)
	f.items, f.used = f.items[:0], size{}
	if cap(f.items) > 4*orderedRoom.requests {
		f.items = nil
	}
}
