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
//   - A Conn has one queue for answers, named by the broker and the Conn's own
//     (exclusive), bound to owtRpc under its name.
//   - A topic is an exchange (topic, not durable, not deleted). Each listener
//     has an exclusive queue named by the broker.
//   - Nothing is acknowledged, as in OWT: what a connection had received or was
//     being sent when it broke is lost, and the caller's deadline tells it so.
//     Requests to a GroupMember are the exception.
//
// # Members that stand for a name
//
// Every member consumes the server's queue, which so lives while one of them
// does, on a channel that can take nothing: an anchor. Its limit, shared by all
// consumers of the channel (basic.qos with global), is one message, and a message
// from a queue of its own holds that place. So requests that no leader takes wait
// in the queue, in their order.
//
// A leader consumes a second time, on another channel, with its term as priority
// (x-priority), so that a new leader goes before an old one. A plain server, as
// OWT's are, has 0.
//
// A request is acknowledged after its answer was sent, on the same channel, which
// the broker works off in order; many with one word where they are answered in
// order. The broker hands on what is not acknowledged when it sees the connection
// close: at once where a process died, after its heart-beats (10 to 15 s) where
// one is frozen or cut off. What such a leader has in hand is lost to callers who
// wait for less. So a leader lets the broker send it one request at a time, and
// more only as the load needs it, up to 256, and up to 4,096 while as many wait
// in the queue. A new leader gets everything else.
// The limit is that of the consumer; to change it, a new consumer takes the place
// of the one that is there.
//
// RabbitMQ closes the channel of who keeps a request for longer than its
// consumer_timeout, 30 minutes; the member then begins anew.
//
// # How a Conn lives
//
//	Dial ──fails──▶ error
//	  │
//	  ▼         connection lost: calls in flight end with bus.ErrDisconnected
//	connected ─────────────────────────────▶ connecting (50 ms, doubled up to 1 s)
//	  ▲                                          │
//	  └── servers, listeners, queue for answers ─┘   in this order
//
// A channel that the broker closes takes only what used it along: each server
// and each listener has a channel of its own and opens it again.
//
// # Where waiting messages go
//
// RabbitMQ's prefetch limit does not hold where nothing is acknowledged, and
// the client library buffers without end for a consumer that is slow. So every
// consumer is drained at once into an inbox with a limit: a listener's inbox
// holds bus.ListenerBacklog messages and drops more, which is counted; a
// server's holds ServerBacklog requests, another one as many signs of life, and
// more are refused (bus.Overloaded). None holds more than 64 MiB, and large
// bodies of a server wait in 32 MiB of their own. What is to be sent waits while
// 4 MiB are unsent, for as long as the sender's context allows; answers do not
// wait, and are dropped above 64 MiB.
//
// Messages are written by one goroutine that takes all that is waiting into one
// write, and does not wait for more.
package amqpbus
