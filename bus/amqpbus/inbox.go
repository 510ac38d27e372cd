package amqpbus

import (
	"sync"
	"sync/atomic"
)

// inboxBytes is how many bytes of messages an inbox holds at most, or a single
// longer message.
const inboxBytes = 64 << 20

// letter is a message that waits; key is empty for a request, held is nil unless
// the broker holds the request.
type letter struct {
	key  string
	body []byte
	held *held
}

// inbox keeps a bounded number of messages for a handler that runs on a
// goroutine of its own.
type inbox struct {
	letters chan letter
	bytes   atomic.Int64
	handle  func(letter)
	skip    atomic.Bool // leave what waits unread
	worker  sync.WaitGroup
}

func newInbox(size int, handle func(letter)) *inbox {
	b := &inbox{letters: make(chan letter, size), handle: handle}
	b.worker.Go(b.work)
	return b
}

func (b *inbox) work() {
	for l := range b.letters {
		b.bytes.Add(-int64(len(l.body)))
		if !b.skip.Load() {
			b.handle(l)
		}
	}
}

// put returns false if there is no room. It must not be called after close.
func (b *inbox) put(l letter) bool {
	if b.bytes.Add(int64(len(l.body))) > inboxBytes && len(b.letters) > 0 {
		b.bytes.Add(-int64(len(l.body)))
		return false
	}
	select {
	case b.letters <- l:
		return true
	default:
		b.bytes.Add(-int64(len(l.body)))
		return false
	}
}

// close waits until the handler has had all that waits.
func (b *inbox) close() {
	close(b.letters)
	b.worker.Wait()
}

// abandon waits until the handler has returned, and drops what waits.
func (b *inbox) abandon() {
	b.skip.Store(true)
	b.close()
}
