package httpapi

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxCallers is how many callers have a bucket at a time. The one that asked least
// recently makes room.
const maxCallers = 4096

// buckets hold how often each caller may still ask.
type buckets struct {
	rate  rate.Limit
	burst int

	mu     sync.Mutex
	caller map[string]*bucket
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

func newBuckets(perSecond float64, burst int) *buckets {
	return &buckets{rate: rate.Limit(perSecond), burst: burst, caller: map[string]*bucket{}}
}

// allow reports whether the caller may ask now.
func (b *buckets) allow(caller string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.caller[caller]
	if own == nil {
		b.makeRoom()
		own = &bucket{limiter: rate.NewLimiter(b.rate, b.burst)}
		b.caller[caller] = own
	}
	own.used = now
	return own.limiter.AllowN(now, 1)
}

func (b *buckets) makeRoom() {
	if len(b.caller) < maxCallers {
		return
	}
	oldest, at := "", time.Time{}
	for caller, own := range b.caller {
		if at.IsZero() || own.used.Before(at) {
			oldest, at = caller, own.used
		}
	}
	delete(b.caller, oldest)
}

// limit refuses a caller that asks too often. With tokens each name has a bucket of
// its own, without them each address.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := callerOf(r.Context())
		key := "token " + who.Name
		if who.Name == "" {
			key, _, _ = net.SplitHostPort(r.RemoteAddr)
		}
		if !s.buckets.allow(key, time.Now()) {
			s.measures.limited.Inc()
			w.Header().Set("Retry-After", strconv.Itoa(1))
			problem(w, http.StatusTooManyRequests, "too many requests: at most "+strconv.FormatFloat(s.opts.Rate, 'g', 4, 64)+" a second for each caller")
			return
		}
		next.ServeHTTP(w, r)
	})
}
