// Package bus defines the interface to a message queue, and what every queue
// guarantees. Packages natsbus and amqpbus implement it; internal/bustest is the test
// suite that both pass.
//
// # Messages
//
// A call is a request that is answered, a cast is one that is not. Both name
// the server that they go to, a method, and arguments. A notice is
// published on a topic.
//
// # Guarantees
//
//   - The requests of one Conn to one server arrive in the order in which they
//     were sent, and reach its Handler one at a time, in that order.
//   - A call ends: with its answer, with the server's refusal (*RemoteError),
//     or with an error when its context ends. It never hangs on a broker
//     that is gone.
//   - A call whose outcome is unknown (time-out, connection lost) may have been
//     carried out. A Conn itself sends nothing twice.
//   - The notices of one Conn on one topic reach a Listener in the order in
//     which they were published.
//   - When the broker comes back, a Conn reconnects by itself and restores its
//     services and subscriptions. Messages published in the meantime are lost;
//     their publishers got an error, unless the messages were in flight.
//   - A Handler may answer late, twice, or after its caller is gone, without
//     harm.
//   - A slow listener loses messages, counted in Dropped, and does not
//     delay other listeners.
//   - Members of a group (JoinGroup) share one name: the leader gets the requests.
//     If a member's connection is lost, some queues give its unanswered requests,
//     and some that it answered last, to another member, so that they may be carried
//     out twice: see GroupMember.
//   - A malformed request is counted, answered with an error if it says where to
//     send the answer, and otherwise ignored.
//
// All methods may be called from several goroutines at once.
package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/muster-fleet/muster"
)

// The topics.
const (
	// TopicMonitoring, OWT's, carries the notices that workers and nodes are
	// gone, with keys such as "exit.quit".
	TopicMonitoring = "owtMonitoring"
	// TopicTasks carries events of the tasks of agents, under the keys
	// "<purpose>.started", ".done", ".failed" and ".event". It is Muster's own.
	TopicTasks = "musterTasks"
	// TopicEvents carries events of clusters: under KeyFeed batches of type
	// muster.FeedBatch, under KeyHTTP the addresses of HTTP servers. It is Muster's
	// own.
	TopicEvents = "musterEvents"
	// TopicBatches carries, under the key "waiting", which batches of tasks wait for
	// workers, and with which priority. It is Muster's own.
	TopicBatches = "musterBatches"
)

// The keys of TopicEvents.
const (
	KeyFeed = "feed"
	KeyHTTP = "http"
)

// DefaultTimeout is how long OWT's programs wait for an answer, in
// milliseconds. Callers of this package set it with a context.
const DefaultTimeout = 2000

// Errors that a Conn returns. They are wrapped with what was being done.
var (
	// ErrClosed: Close was called on this side.
	ErrClosed = errors.New("bus: closed")
	// ErrDisconnected: there is no connection to the broker now, or it was
	// lost while the call was in flight.
	ErrDisconnected = errors.New("bus: not connected to the broker")
	// ErrNoServer: the broker knows no server of that name.
	ErrNoServer = errors.New("bus: no such server")
	// ErrDenied: the broker does not permit this user to do it.
	ErrDenied = errors.New("bus: the broker refuses this user")
	// ErrTooLarge: the body exceeds the broker's limit. Retrying does not help.
	ErrTooLarge = errors.New("bus: the body is larger than the broker takes")
	// ErrBlocked: the broker accepts no messages at present, for lack of memory or
	// disk.
	ErrBlocked = errors.New("bus: the broker is blocked (memory or disk alarm)")
)

// RemoteError is an answer that refuses. errors.Is compares it with a
// muster.Reason by the code.
type RemoteError struct {
	// Code is the kind of the refusal, empty if the server has no code for it.
	Code muster.Code
	// Reason is the text of the refusal, in OWT's words where OWT has them.
	Reason string
	// Detail is additional information as JSON; usually empty.
	Detail json.RawMessage
}

func (e *RemoteError) Error() string { return e.Reason }

// Unwrap returns the refusal without its detail.
func (e *RemoteError) Unwrap() error { return muster.Reason{Code: e.Code, Text: e.Reason} }

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
	// to the connection, not that a server received it.
	Cast(ctx context.Context, server, method string, args ...any) error

	// Serve receives what is sent to the server of that name until the Service or
	// the Conn is closed. It returns once the broker has confirmed it. A name that
	// the broker does not support (empty, longer than 255 bytes, with a line break)
	// may be refused, but is never confused with another.
	Serve(ctx context.Context, server string, h Handler) (Service, error)

	// JoinGroup makes this Conn a member of the group that serves the name. It
	// starts as a follower. JoinGroup returns once the broker has confirmed it.
	// Names and the Handler are as in Serve.
	JoinGroup(ctx context.Context, server string, h Handler) (GroupMember, error)

	// Publish sends body, encoded as JSON, to all listeners on the topic whose
	// pattern matches the key. A key is a list of words, separated by dots.
	Publish(ctx context.Context, topic, key string, body any) error

	// Subscribe calls l with each message on the topic whose key matches the
	// pattern, in which * stands for one word and # (only as the last word) for
	// zero or more. It returns once the broker has confirmed it.
	Subscribe(ctx context.Context, topic, pattern string, l Listener) (Subscription, error)

	// Watch calls f with the current status before it returns, and then with each
	// change. After a loss, f gets Connected once all servers and subscriptions
	// are restored at the broker; after Close, Err is ErrClosed. f must not block.
	// stop ends the calls and may be called twice.
	Watch(f func(Status)) (stop func())

	// Close flushes what was sent, ends every Service, Subscription and call in
	// flight (with ErrClosed), and waits until their goroutines have ended.
	Close() error
}

// Handler handles a request. It is called for one request at a time and must not
// block: it passes the request on and returns. The answer may be given later,
// from any goroutine.
type Handler func(*Request)

// Listener receives a message of a topic. It is called for one message at a time;
// while it is busy up to ListenerBacklog messages wait, and more are dropped.
type Listener func(key string, body json.RawMessage)

// ListenerBacklog is how many messages wait for a busy Listener.
const ListenerBacklog = 4096

// Service is a running server.
type Service interface {
	// Malformed counts the bodies that could not be read as a request.
	Malformed() uint64
	// Close ends it. Requests already handed to the Handler may still be
	// answered.
	Close() error
}

// GroupMember is a member of a group that serves one name.
//
// Some queues hold a request until it is acknowledged (RabbitMQ does, NATS does
// not). On these:
//
//   - The name exists as long as the group has a member, whether or not one leads.
//   - A member that does not lead gets no requests; they wait for a leader. One
//     that led before still has what it got. Its Handler decides: answer, or
//     GiveBack.
//   - A request is acknowledged after Reply, Fail or Done. If the Conn
//     is lost or the GroupMember closed before, another member gets it, and what this
//     one answers then is not sent. So a request may be carried out twice.
//
// On the others the name exists while a leader does; callers must retry.
//
// Until an old leader notices that there is a new one, both may get requests,
// although the new one has precedence. The old one must not give answers that it
// cannot know to be true.
type GroupMember interface {
	// Malformed and Close are as in Service, except that requests which the queue
	// holds go to another member.
	Service

	// Lead makes this member the leader of that term, which is at least 1. If two
	// members lead, the higher term has precedence.
	//
	// It returns once the broker has confirmed it. If that fails, or the context
	// ends first, the member still becomes the leader as soon as possible, with the
	// next connection at the latest. The same holds for Follow.
	Lead(ctx context.Context, term uint64) error

	// Follow makes this member a follower. It keeps the requests received so far, to
	// be answered or given back.
	Follow(ctx context.Context) error
}

// Subscription is a running listener.
type Subscription interface {
	// Dropped counts the messages dropped because the listener was too slow.
	Dropped() uint64
	// Close ends it, and returns when the listener no longer runs.
	Close() error
}

// Status is the status of a connection.
type Status struct {
	Connected bool
	// Blocked is set while the connection is up and the broker accepts no messages
	// on it: RabbitMQ does so when memory or disk run low. It does not detect a
	// broker that is frozen.
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

// ExitMessage identifies the worker or node.
type ExitMessage struct {
	Purpose string `json:"purpose"`
	ID      string `json:"id"`
	// Type is "worker" or "node".
	Type string `json:"type"`
}

// PublishExit publishes that a worker or a node is gone.
func PublishExit(ctx context.Context, c Conn, e Exit) error {
	return c.Publish(ctx, TopicMonitoring, "exit."+e.Reason, e)
}
