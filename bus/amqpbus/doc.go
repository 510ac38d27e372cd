// Package amqpbus is package bus on RabbitMQ, over AMQP 0-9-1, in the words of
// OWT server: OWT's programs and Muster's call each other without noticing.
//
// # What is on the broker
//
//   - The exchange owtRpc (direct, not durable, deleted with its last binding)
//     carries casts and answers. Calls go to the default exchange.
//   - A server consumes a queue named after itself (not durable, deleted with
//     its last consumer), bound to owtRpc under the same name, so that both
//     ways of sending to it work.
//   - A Conn has one reply queue, named by the broker and the Conn's own
//     (exclusive), bound to owtRpc under its name.
//   - A topic is an exchange (topic, not durable, not deleted). Each listener
//     has an exclusive queue named by the broker.
//   - Nothing is acknowledged, as in OWT: what a connection had received or was
//     being sent when it broke is lost, and its callers time out.
//     Requests to a GroupMember are the exception.
//
// # Groups
//
// Every member has an idle consumer on the server's queue, which exists as long as
// one of them does. The prefetch limit of its channel (basic.qos with global) is one
// message, and a placeholder from a private queue occupies it. So requests that no
// leader takes wait in the queue, in order.
//
// A leader consumes a second time, on another channel, with its term as priority
// (x-priority), so that a new leader goes before an old one. A plain server, as
// OWT's are, has 0.
//
// A request is acknowledged after the broker has confirmed its answer; one
// acknowledgement covers many requests that are answered in order. Requests arrive
// on a second connection, which publishes nothing, so that the broker reads the
// acknowledgements also while it is short of memory and blocks all that publish:
// see answers. The broker redelivers unacknowledged requests when the
// connection closes: at once if a process died, after the heartbeat time-out (10 to
// 15 s) if one is frozen or cut off. What such a leader has in hand is lost to callers who
// wait for less. So a leader lets the broker send it one request at a time, and
// more only as the load needs it, up to 256, and up to 4,096 while as many wait
// in the queue. A new leader gets everything else.
// The limit is that of the consumer; to change it, a new consumer takes the place
// of the one that is there.
//
// RabbitMQ closes a channel with a request unacknowledged for longer than its
// consumer_timeout, 30 minutes; the member then reopens its channels.
//
// # How a Conn lives
//
//	Dial ──fails──▶ error
//	  │
//	  ▼         connection lost: calls in flight end with bus.ErrDisconnected
//	connected ─────────────────────────────▶ connecting (50 ms, doubled up to 1 s)
//	  ▲                                          │
//	  └── servers, listeners, reply queue ───────┘   in this order
//
// A channel that the broker closes takes only what used it along: each server
// and each listener has a channel of its own and opens it again.
//
// # Where waiting messages go
//
// RabbitMQ's prefetch limit does not hold where nothing is acknowledged, and
// the client library buffers without limit for a slow consumer. So every
// consumer is drained at once into an inbox with a limit: a listener's inbox
// holds bus.ListenerBacklog messages and drops more, which is counted; a
// server's holds ServerBacklog requests, a second one as many keep-alives, and
// more are refused (muster.ReasonOverloaded). None holds more than 64 MiB, and large
// bodies of a server wait in 32 MiB of their own. What is to be sent waits while
// 4 MiB are unsent, for as long as the sender's context allows; answers do not
// wait, and are dropped above 64 MiB.
//
// Messages are written by one goroutine that takes all that is waiting into one
// write, and does not wait for more.
package amqpbus
