package amqpbus

import (
	"sync"
	"sync/atomic"
)

// inboxBytes is how many bytes of messages an inbox holds at most, or a single
// longer message.
const inboxBytes = 64 << 20

// item is a waiting message. key is empty for a request; held is nil unless the
// broker holds the request.
type item struct {
	key  string
	body []byte
	held *held
}

// inbox is a bounded queue of messages for a handler that runs on a separate
// goroutine.
type inbox struct {
	items  chan item
	bytes  atomic.Int64
	handle func(item)
	skip   atomic.Bool // drop waiting messages
	worker sync.WaitGroup
}

func newInbox(size int, handle func(item)) *inbox {
	b := &inbox{items: make(chan item, size), handle: handle}
	b.worker.Go(b.work)
	return b
}

func (b *inbox) work() {
	for l := range b.items {
		b.bytes.Add(-int64(len(l.body)))
		if !b.skip.Load() {
			b.handle(l)
		}
	}
}

// put returns false if there is no room. It must not be called after close.
func (b *inbox) put(l item) bool {
	if b.bytes.Add(int64(len(l.body))) > inboxBytes && len(b.items) > 0 {
		b.bytes.Add(-int64(len(l.body)))
		return false
	}
	select {
	case b.items <- l:
		return true
	default:
		b.bytes.Add(-int64(len(l.body)))
		return false
	}
}

// waiting is how many messages wait for the handler.
func (b *inbox) waiting() int { return len(b.items) }

// close waits until the handler has processed all waiting messages.
func (b *inbox) close() {
	close(b.items)
	b.worker.Wait()
}

// abandon drops waiting messages and waits until the handler has returned.
func (b *inbox) abandon() {
	b.skip.Store(true)
	b.close()
}
