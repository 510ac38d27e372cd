package amqpbus

import (
	"errors"
	"regexp"
	"strconv"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// limits is what the broker takes at most. AMQP has no way to ask for that:
// RabbitMQ closes the channel on a longer message and says in the reason how
// long one may be.
type limits struct{ body atomic.Int64 }

// maxBody is the longest message that the broker is known to take, in bytes.
func (l *limits) maxBody() int {
	if n := l.body.Load(); n > 0 {
		return int(n)
	}
	return maxBody
}

var tooLarge = regexp.MustCompile(`larger than configured max size (\d+)`)

// learn takes the limit from the reason for which a channel was closed.
func (l *limits) learn(err error) {
	var closed *amqp.Error
	if !errors.As(err, &closed) || closed.Code != amqp.PreconditionFailed {
		return
	}
	if found := tooLarge.FindStringSubmatch(closed.Reason); found != nil {
		if n, err := strconv.ParseInt(found[1], 10, 64); err == nil {
			l.body.Store(n)
		}
	}
}
