// Package intake sorts the requests that a server receives before they are
// read: reading a body of megabytes takes longer than receiving it, and signs
// of life must not wait behind such bodies.
package intake

import "sync"

const (
	// Large is from which length on a body is read by a goroutine of its own.
	Large = 64 << 10
	// Room is how many bytes of large bodies wait to be read at most, or a
	// single longer body.
	Room = 32 << 20
	// most is how many bodies wait behind large ones at most.
	most = 4096
)

// Bulk is where large bodies wait to be read, and small ones of a sender of
// which a large one waits: a sender's requests keep their order. Its goroutine
// ends when nothing waits. The zero value is not ready: see NewBulk.
type Bulk[T any] struct {
	read func(T)

	mu      sync.Mutex
	idle    sync.Cond
	waiting []entry[T]
	bytes   int
	senders map[string]int // how many of each wait or are being read
	reading bool
}

type entry[T any] struct {
	body   T
	bytes  int
	sender string
}

// NewBulk returns one that has bodies read one at a time.
func NewBulk[T any](read func(T)) *Bulk[T] {
	b := &Bulk[T]{read: read, senders: map[string]int{}}
	b.idle.L = &b.mu
	return b
}

// Takes reports whether a body of that length belongs here.
func (b *Bulk[T]) Takes(bytes int, sender func() string) bool {
	if bytes >= Large {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reading && b.senders[sender()] > 0
}

// Put reports false if there is no room.
func (b *Bulk[T]) Put(body T, bytes int, sender string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes > 0 && b.bytes+bytes > Room || len(b.waiting) >= most {
		return false
	}
	b.waiting = append(b.waiting, entry[T]{body, bytes, sender})
	b.bytes += bytes
	b.senders[sender]++
	if !b.reading {
		b.reading = true
		go b.run()
	}
	return true
}

// Wait returns when nothing waits and nothing is being read.
func (b *Bulk[T]) Wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.reading {
		b.idle.Wait()
	}
}

func (b *Bulk[T]) run() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > 0 {
		next := b.waiting[0]
		b.waiting[0] = entry[T]{}
		b.waiting = b.waiting[1:]
		b.mu.Unlock()
		b.read(next.body)
		b.mu.Lock()
		b.bytes -= next.bytes
		if b.senders[next.sender]--; b.senders[next.sender] == 0 {
			delete(b.senders, next.sender)
		}
	}
	b.waiting, b.reading = nil, false
	b.idle.Broadcast()
}
