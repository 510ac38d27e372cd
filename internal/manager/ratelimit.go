package manager

import (
	"sync/atomic"
	"time"
)

// rateLimit lets something happen at most once per interval. It may be used by
// several goroutines.
type rateLimit struct {
	every time.Duration
	last  atomic.Int64 // in nanoseconds since 1970, 0 before the first
}

// allow reports whether it may be done now.
func (s *rateLimit) allow(now time.Time) bool {
	last, is := s.last.Load(), now.UnixNano()
	if last != 0 && time.Duration(is-last) < s.every {
		return false
	}
	return s.last.CompareAndSwap(last, is)
}
