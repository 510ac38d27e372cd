package amqpbus

import amqp "github.com/rabbitmq/amqp091-go"

// What is declared here must be declared with the same flags by everybody, or
// the broker refuses whoever comes second: these are OWT's.

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

// declareOwn makes a queue that is named by the broker and seen by nobody else,
// and binds it; an empty key stands for the queue's name.
func declareOwn(ch *amqp.Channel, exchange, key string) (string, error) {
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return "", err
	}
	if key == "" {
		key = q.Name
	}
	return q.Name, ch.QueueBind(q.Name, key, exchange, false, nil)
}
