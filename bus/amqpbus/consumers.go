package amqpbus

import (
	"context"
	"fmt"
)

// Consumers returns how many consumers the queue of a server has: 0 where there
// is no such queue. It declares nothing.
func (c *Conn) Consumers(ctx context.Context, server string) (int, error) {
	if err := checkName("server", server); err != nil {
		return 0, err
	}
	s, err := c.current()
	if err != nil {
		return 0, err
	}
	count := 0
	err = s.run(ctx, func() error {
		ch, err := s.conn.Channel()
		if err != nil {
			return err
		}
		defer func() { _ = ch.Close() }()
		q, err := ch.QueueDeclarePassive(server, false, true, false, false, nil)
		if isMissing(err) {
			return nil
		}
		count = q.Consumers
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("amqpbus: consumers of %q: %w", server, c.closedHere(err))
	}
	return count, nil
}
