package manager

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

const (
	// maxReturns is how often a request is given back to the queue before it is
	// refused for good. The queue keeps it for some 5 ms each time, so that this
	// is longer than any fail-over takes, and than OWT's programs wait.
	maxReturns = 1000
	// maxReturned is how many requests are counted one by one at least.
	maxReturned = 4096
)

// returns counts how often each request was given back. RabbitMQ says of a
// request in a classic queue that it was delivered before, but not how often, so
// that each manager counts what it gives back itself. It may be used by several
// goroutines.
type returns struct {
	mu   sync.Mutex
	most int // 0 means maxReturns
	// recent and older are counts by request; when there are many recent ones
	// they become the older ones, whose counts are lost.
	recent, older map[uint64]int
	seed          maphash.Seed
}

// allow counts one return more, and reports whether there may be one.
func (r *returns) allow(req *bus.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.recent == nil {
		r.recent, r.seed = map[uint64]int{}, maphash.MakeSeed()
	}
	key, n := r.key(req), 0
	if req.Again {
		n = max(r.recent[key], r.older[key])
	}
	if n >= r.limit() {
		delete(r.recent, key)
		delete(r.older, key)
		return false
	}
	if len(r.recent) >= maxReturned {
		r.recent, r.older = map[uint64]int{}, r.recent
	}
	r.recent[key] = n + 1
	return true
}

func (r *returns) limit() int { return cmp.Or(r.most, maxReturns) }

// key is the same each time that the queue delivers the request.
func (r *returns) key(req *bus.Request) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	for _, part := range []string{req.From, string(req.ID), req.Method} {
		_, _ = h.WriteString(part)
		_ = h.WriteByte(0)
	}
	for _, arg := range req.Args {
		_, _ = h.Write(arg)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// giveBack returns a request to the queue, since this manager does not lead or no
// longer does. One that came back very often is refused for good.
func (c *core) giveBack(req *bus.Request) {
	switch {
	case req == nil:
	case req.Held() && !c.returns.allow(req):
		c.measures.dropped.Inc()
		c.dropLog.Do(func() {
			c.log.Error("request dropped: it was given back to the queue too often", "method", req.Method, "times", c.returns.limit())
		})
		req.Fail(fmt.Sprintf("%s: dropped, since it was given back to the queue %d times and no manager could deal with it", req.Method, c.returns.limit()))
	case !req.GiveBack():
		req.Refuse(muster.ReasonAskAgain)
	}
}
