// Package bus is the contract of a message queue: what Muster asks of one, and
// what each promises. bus/natsbus and bus/amqpbus fulfil it; internal/bustest is the
// suite that both of them pass.
//
// # What travels
//
// A call is a request that is answered, a cast is one that is not. Both name
// the server that they go to, a method, and arguments. A notice is told to
// whoever listens on a topic.
//
// # What is promised
//
//   - The requests of one Conn to one server arrive in the order in which they
//     were sent, and reach its Handler one at a time, in that order.
//   - A call ends: with its answer, with the server's refusal (*RemoteError),
//     or with an error once its context is over. It never hangs on a broker
//     that went away.
//   - A call whose outcome is unknown (time-out, connection lost) may have been
//     carried out. Nothing is sent twice by a Conn itself.
//   - The notices of one Conn on one topic reach a Listener in the order in
//     which they were published.
//   - When the broker comes back, a Conn connects again by itself and declares
//     again what was served and subscribed. What was published meanwhile is
//     lost, and the publisher had an error, or had it in flight.
//   - A Handler that answers late, twice, or to a caller that is gone, does no
//     harm.
//   - A listener that is too slow loses messages of its own, counted in
//     Dropped, and delays nobody else.
//   - Members of a group (JoinGroup) share one name: the leader gets the requests.
//     A request that a member got and did not answer goes to another when the
//     member's connection is lost, so that it may be carried out twice. Whether
//     the queue does that, see GroupMember.
//   - A body that is not a well-formed request is answered with an error where
//     it says whom to answer, counted, and otherwise ignored.
//
// All methods may be called from several goroutines at once.
package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// The topics that everybody may listen to.
const (
	// TopicMonitoring, OWT's, carries the notices of workers and nodes that went
	// away, with keys such as "exit.quit".
	TopicMonitoring = "owtMonitoring"
	// TopicTasks carries what happens to the tasks of agents, under the keys
	// "<purpose>.started", ".done", ".failed" and ".event". It is Muster's own.
	TopicTasks = "musterTasks"
)

// DefaultTimeout is how long OWT's programs wait for an answer, in
// milliseconds. Callers here say so with a context.
const DefaultTimeout = 2000

// MethodUnknown is the refusal of a method that the server does not have, word
// for word as OWT's programs have it.
const MethodUnknown = "Not support method"

// Overloaded is the refusal of a request for which there is no room. It was not
// carried out; another try, after a pause, may find room.
const Overloaded = "overloaded: try again later"

// IsOverloaded reports whether a call was refused because too much waits.
func IsOverloaded(err error) bool {
	var refused *RemoteError
	return errors.As(err, &refused) && refused.Reason == Overloaded
}

// Errors that a Conn returns. They are wrapped with what was being done.
var (
	// ErrClosed: Close was called on this side.
	ErrClosed = errors.New("bus: closed")
	// ErrDisconnected: there is no connection to the broker now, or it was
	// lost while the call was in flight.
	ErrDisconnected = errors.New("bus: not connected to the broker")
	// ErrNoServer: the broker knows no server of that name.
	ErrNoServer = errors.New("bus: no such server")
	// ErrDenied: the broker does not let this user do it.
	ErrDenied = errors.New("bus: the broker refuses this user")
	// ErrTooLarge: the body has more bytes than the broker takes. It will not
	// take it later either.
	ErrTooLarge = errors.New("bus: the body is larger than the broker takes")
	// ErrBlocked: the broker takes no messages now, being short of memory or
	// disk.
	ErrBlocked = errors.New("bus: the broker is blocked (memory or disk alarm)")
)

// RemoteError is an answer that refuses.
type RemoteError struct {
	// Reason is the text of the refusal, in OWT's words where OWT has them.
	Reason string
	// Detail is what the server had to say beside it, as JSON; often nothing.
	Detail json.RawMessage
}

func (e *RemoteError) Error() string { return e.Reason }

// Conn is one connection to a message queue.
type Conn interface {
	// Call sends a request and waits for the answer. The context must have a
	// deadline. Each argument is encoded as JSON; a json.RawMessage goes out
	// as it is.
	Call(ctx context.Context, server, method string, args ...any) (json.RawMessage, error)

	// CallStatus is Call for a method that answers several times: onStatus
	// gets each answer but the last, in order, on a goroutine of the Conn's;
	// it must not block.
	CallStatus(ctx context.Context, server, method string, onStatus func(json.RawMessage), args ...any) (json.RawMessage, error)

	// Cast sends a request that is not answered. Nil means that it was handed
	// to the connection, not that somebody got it.
	Cast(ctx context.Context, server, method string, args ...any) error

	// Serve receives what is sent to the server of that name until the
	// Service is closed or the Conn is. It returns once the broker knows. A
	// name that the broker cannot hold as it is (empty, longer than 255 bytes,
	// with a line break) may be refused, and is never taken for another.
	Serve(ctx context.Context, server string, h Handler) (Service, error)

	// JoinGroup makes this Conn one of several members that serve the name in turn.
	// It begins as a member that does not lead, and returns once the broker
	// knows. Names and the Handler are as in Serve.
	JoinGroup(ctx context.Context, server string, h Handler) (GroupMember, error)

	// Publish tells body, encoded as JSON, to whoever listens on the topic
	// with a pattern that fits the key. Words of a key are parted by dots.
	Publish(ctx context.Context, topic, key string, body any) error

	// Subscribe hears what is published on the topic with a key that fits the
	// pattern, in which * stands for one word and # (only as the last) for
	// any number of them, none included. It returns once the broker knows.
	Subscribe(ctx context.Context, topic, pattern string, l Listener) (Subscription, error)

	// Watch calls f with each change of the connection, and with how it stands
	// before it returns. After a loss, Connected is told when the broker knows
	// again what is served and subscribed; after Close, Err is ErrClosed. f
	// must not block. The returned function, which may be called twice, ends
	// that.
	Watch(f func(Status)) (stop func())

	// Close lets what was sent leave, ends every Service, Subscription and
	// call in flight (with ErrClosed), and waits until their goroutines are
	// gone.
	Close() error
}

// Handler takes a request. It is called for one request at a time and must not
// block: it hands the request on and returns. The answer may be given later,
// from any goroutine.
type Handler func(*Request)

// Listener hears a message of a topic. It is called for one message at a time;
// while it is busy up to ListenerBacklog messages wait, more are dropped.
type Listener func(key string, body json.RawMessage)

// ListenerBacklog is how many messages wait for a Listener that is busy.
const ListenerBacklog = 4096

// Service is a server that is running.
type Service interface {
	// Malformed counts the bodies that could not be read as a request.
	Malformed() uint64
	// Close ends it. Requests already handed to the Handler may still be
	// answered.
	Close() error
}

// GroupMember is one member of those that serve a name in turn.
//
// Some queues hold a request until it was dealt with (RabbitMQ does, NATS does
// not). On these:
//
//   - The name is there as long as one member stands, whether or not one leads.
//   - A member that does not lead gets no requests; they wait for a leader. One
//     that led before still has what it got. Its Handler decides: answer, or
//     GiveBack.
//   - A request counts as dealt with after Reply or Fail, or Done. If the Conn
//     is lost or the GroupMember closed before, another member gets it, and what this
//     one answers then is not sent. So a request may be carried out twice.
//
// On the others the name is there while a leader is; callers ask again.
//
// While an old leader has not noticed that there is a new one, the new one gets
// the requests; the old one may get some of them, too, and must not answer what
// it cannot know to be true.
type GroupMember interface {
	// Malformed and Close are as in Service, except for what a queue holds: it
	// gives that to another member.
	Service

	// Lead makes this member the leader of that term, which is at least 1. The
	// higher term goes before the lower where two lead.
	//
	// It returns once the broker knows. Where that fails, or takes longer than
	// the context allows, the member leads nevertheless as soon as it can, with
	// the next connection at the latest. That holds for Follow, too.
	Lead(ctx context.Context, term uint64) error

	// Follow makes this member one that does not lead. It keeps what it has
	// received, to be answered or given back.
	Follow(ctx context.Context) error
}

// Subscription is a listener that is running.
type Subscription interface {
	// Dropped counts the messages that came while the listener was too busy.
	Dropped() uint64
	// Close ends it, and returns when the listener is not running any more.
	Close() error
}

// Status tells how a connection stands.
type Status struct {
	Connected bool
	// Blocked is set while there is a connection and the broker takes no
	// messages on it: RabbitMQ does so when memory or disk run low. A broker
	// that stands still without saying so is not seen by it.
	Blocked bool
	// Err is why it is not connected, or blocked.
	Err error
}

// Usable reports whether messages can be sent.
func (s Status) Usable() bool { return s.Connected && !s.Blocked }

func (s Status) String() string {
	switch {
	case s.Connected && s.Blocked:
		return fmt.Sprintf("connected, but: %v", s.Err)
	case s.Connected:
		return "connected"
	}
	return fmt.Sprintf("not connected: %v", s.Err)
}

// Exit is the notice that a worker or a node is gone, as OWT's programs expect
// it on TopicMonitoring under the key "exit." + Reason.
type Exit struct {
	// Reason is "quit" for a worker, "abnormal" for a node that crashed.
	Reason  string      `json:"reason"`
	Message ExitMessage `json:"message"`
}

// ExitMessage says who is gone.
type ExitMessage struct {
	Purpose string `json:"purpose"`
	ID      string `json:"id"`
	// Type is "worker" or "node".
	Type string `json:"type"`
}

// PublishExit tells that a worker or a node is gone.
func PublishExit(ctx context.Context, c Conn, e Exit) error {
	return c.Publish(ctx, TopicMonitoring, "exit."+e.Reason, e)
}
