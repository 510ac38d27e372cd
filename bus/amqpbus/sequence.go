package amqpbus

import (
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// sequence restores the order of the deliveries of one channel: each consumer has
// a goroutine, and while one consumer replaces another there are two. The zero value is ready.
type sequence struct {
	mu    sync.Mutex
	last  uint64                   // the tag of the last in order; they count from 1
	early map[uint64]amqp.Delivery // by their tags
}

// put calls next with the deliveries that are in order now.
func (s *sequence) put(d amqp.Delivery, next func(amqp.Delivery)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.DeliveryTag != s.last+1 {
		if s.early == nil {
			s.early = map[uint64]amqp.Delivery{}
		}
		s.early[d.DeliveryTag] = d
		return
	}
	for ok := true; ok; d, ok = s.early[s.last+1] {
		s.last++
		delete(s.early, s.last)
		next(d)
	}
}
