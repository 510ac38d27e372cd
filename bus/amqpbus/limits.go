package amqpbus

import (
	"errors"
	"regexp"
	"strconv"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// limits is the broker's limit on the length of messages. AMQP has no method to
// ask for it: RabbitMQ closes the channel on a longer message and gives the limit
// in the reason.
type limits struct{ body atomic.Int64 }

// maxBody returns the longest message, in bytes, that the broker accepts as far as
// known.
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
