package amqpbus

import (
	"cmp"

	amqp "github.com/rabbitmq/amqp091-go"
)

// All programs must declare with the same flags, or the broker refuses the later
// one. These are OWT's flags.

func declareRPC(ch *amqp.Channel) error {
	return ch.ExchangeDeclare(exchangeRPC, "direct", false, true, false, false, nil)
}

func declareTopic(ch *amqp.Channel, topic string) error {
	return ch.ExchangeDeclare(topic, "topic", false, false, false, false, nil)
}

func declareServer(ch *amqp.Channel, server string) error {
	if _, err := ch.QueueDeclare(server, false, true, false, false, nil); err != nil {
		return err
	}
	return ch.QueueBind(server, server, exchangeRPC, false, nil)
}

// declareOwn declares an exclusive queue, named by the broker, and binds it under
// the key, or under the queue's name if the key is empty.
func declareOwn(ch *amqp.Channel, exchange, key string) (string, error) {
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return "", err
	}
	return q.Name, ch.QueueBind(q.Name, cmp.Or(key, q.Name), exchange, false, nil)
}
