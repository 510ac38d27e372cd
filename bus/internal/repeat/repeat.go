// Package repeat keeps a message that comes again and again from filling a log.
package repeat

import "sync"

// Counter counts how often each of a few messages came. The zero value is ready.
type Counter struct {
	mu    sync.Mutex
	times map[string]int
}

// most bounds the memory: with more different messages than this the count
// begins again.
const most = 64

// Due counts a message, and reports whether it belongs in the log: the 1st, 2nd,
// 4th, 8th and so on does.
func (c *Counter) Due(message string) (times int, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == nil || len(c.times) >= most {
		c.times = map[string]int{}
	}
	c.times[message]++
	n := c.times[message]
	return n, n&(n-1) == 0
}

// Reset begins again.
func (c *Counter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times = nil
}
