package amqpbus

import "sync"

// buffers are kept for the bodies of messages, which the connection copies.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return buf
	}
	return new([]byte)
}

func (b *buffers) put(buf *[]byte) {
	if cap(*buf) <= readSize {
		b.pool.Put(buf)
	}
}
