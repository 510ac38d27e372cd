// Package sfu is the node that forwards the media of rooms: package rtc behind
// the methods of a node. Its tasks are parts of rooms, of purpose webrtc; all of
// them share the node's two ports.
//
// # Methods
//
//	offer(room.Offer)          {sdp}: the answer
//	change({session, change})  "ok"
//	end({room, session, owner}) "ok": ends a session, or all of an owner
//	ping(room.Ping)            room.Health
//	turn()                     the URLs of its TURN servers
//	published({room, tracks})  []rtc.Published: those of the tracks that are published here
//	receivers(room)            how many sessions of the room receive
//	rtcStats()                 rtc.Stats
//
// What happens is published on room.Topic: who speaks, and which sessions have
// ended.
//
// The methods of OWT's webrtc nodes are served beside these: see package owtnode.
package sfu

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/sfu/owtnode"
	"github.com/muster-fleet/muster/node"
	"github.com/muster-fleet/muster/worker"
)

// answerTime is how long an offer may take.
const answerTime = 3 * time.Second

// startTime is how long an offer waits for the start of its part.
const startTime = time.Second

// Answer is the answer of offer.
type Answer struct {
	SDP string `json:"sdp"`
}

// ChangeOf is the argument of change.
type ChangeOf struct {
	Session string      `json:"session"`
	Change  room.Change `json:"change"`
}

// End is the argument of end: a session, or an owner's.
type End struct {
	Room    string `json:"room"`
	Session string `json:"session,omitempty"`
	Owner   string `json:"owner,omitempty"`
}

// Node is the work of the node.
type Node struct {
	server *rtc.Server
	owt    *owtnode.Node
	conn   bus.Conn
	log    *slog.Logger

	mu      sync.Mutex
	parts   map[string]int
	changed chan struct{} // closed, and replaced, when parts change
	// routes are the sums of the routes that the server has, by room; self is how
	// others call this node.
	routes map[string]string
	self   string

	notices chan keyed
	running sync.WaitGroup
	stop    context.CancelFunc
}

// keyed is a notice with its key.
type keyed struct {
	key  string
	body room.Notice
}

// noticeBacklog is how many notices wait while the queue is slow; more are
// lost, as the next ones say the same.
const noticeBacklog = 256

// Start opens the ports. conn carries notices, and stays the caller's.
func Start(conn bus.Conn, opts rtc.Options) (*Node, error) {
	n := &Node{conn: conn, log: cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)), parts: map[string]int{}, routes: map[string]string{}, changed: make(chan struct{}), notices: make(chan keyed, noticeBacklog)}
	opts.OnSpeakers = func(name string, tracks []string) {
		if !owtnode.Has(name) {
			n.tell(room.KeySpeakers(name), room.Notice{Room: name, Tracks: tracks, Node: n.name()})
		}
	}
	opts.Upstream = Client{conn}
	opts.OnEnded = func(name, session string) {
		if owtnode.Has(session) {
			n.owt.Ended(session)
			return
		}
		n.tell(room.KeyEnded(name), room.Notice{Room: name, Session: session})
	}
	opts.OnConnected = func(_, session string) {
		if owtnode.Has(session) {
			n.owt.Connected(session)
		}
	}
	opts.OnPicture = func(p rtc.Picture) {
		if owtnode.Has(p.Room) {
			n.owt.Picture(p)
		}
	}
	server, err := rtc.Start(opts)
	if err != nil {
		return nil, err
	}
	n.server = server
	if n.owt, err = owtnode.Start(context.Background(), conn, server, n.log); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.running.Go(func() { n.publish(ctx) })
	return n, nil
}

// Close closes the ports.
func (n *Node) Close() error {
	err := errors.Join(n.server.Close(), n.owt.Close())
	n.stop()
	n.running.Wait()
	return err
}

// Addr is the address of the node's ports.
func (n *Node) Addr() string { return n.server.Addr() }

// TURN is the URLs of the node's TURN servers.
func (n *Node) TURN() []string { return n.server.TURN() }

func (n *Node) tell(key string, body room.Notice) {
	select {
	case n.notices <- keyed{key, body}:
	default:
	}
}

func (n *Node) publish(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-n.notices:
			if err := n.conn.Publish(ctx, room.Topic, k.key, k.body); err != nil && ctx.Err() == nil {
				n.log.Warn("notice of a room not published", "room", k.body.Room, "err", err)
			}
		}
	}
}

// Check is node.Work's: a part has no spec.
func (n *Node) Check(json.RawMessage) error { return nil }

// Do is node.Work's: a part lasts until it is stopped. What is left of the room
// then ends with its last part.
func (n *Node) Do(ctx context.Context, t *node.Task) error {
	n.mu.Lock()
	n.self = t.Node
	n.mu.Unlock()
	n.count(t.Room, 1)
	<-ctx.Done()
	n.owt.EndTask(t.Name)
	if n.count(t.Room, -1) == 0 {
		n.server.EndRoom(t.Room)
	}
	return nil
}

func (n *Node) count(name string, by int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parts[name] += by
	left := n.parts[name]
	if left == 0 {
		delete(n.parts, name)
		delete(n.routes, name)
		n.server.Unroute(name)
	}
	close(n.changed)
	n.changed = make(chan struct{})
	return left
}

// serves waits until a part of the room is here: a client may be faster than the
// start of the task.
func (n *Node) serves(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		n.mu.Lock()
		here, changed := n.parts[name] > 0, n.changed
		n.mu.Unlock()
		if here {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ErrNotHere
		}
	}
}

// ErrNotHere is the refusal of an offer for a room of which no part is here.
var ErrNotHere = errors.New("sfu: this node does not serve the room: ask for its part again")

// Methods are served beside those of every node.
func (n *Node) Methods() map[string]bus.Handler {
	methods := map[string]bus.Handler{
		"offer": method(func(o room.Offer) (any, error) {
			ctx, cancel := context.WithTimeout(context.Background(), answerTime)
			defer cancel()
			if err := n.serves(ctx, o.Room); err != nil {
				return nil, err
			}
			sdp, err := n.server.Offer(ctx, o)
			return Answer{sdp}, err
		}),
		"change": method(func(c ChangeOf) (any, error) { return "ok", n.server.Change(c.Session, c.Change) }),
		"end": method(func(e End) (any, error) {
			if e.Session != "" {
				n.server.End(e.Session)
			} else {
				n.server.EndOwner(e.Room, e.Owner)
			}
			return "ok", nil
		}),
		"ping":      method(func(p room.Ping) (any, error) { return n.ping(p), nil }),
		"turn":      func(r *bus.Request) { r.Reply(n.TURN()) },
		"published": method(func(a asked) (any, error) { return n.server.Published(a.Room, a.Tracks), nil }),
		"receivers": method(func(name string) (any, error) { return n.server.Receivers(name), nil }),
		"rtcStats":  func(r *bus.Request) { r.Reply(n.server.Stats()) },
	}
	maps.Copy(methods, n.owt.Methods())
	return methods
}

// ping takes the routes of a room, and says how the node is.
func (n *Node) ping(p room.Ping) room.Health {
	s := n.server.Stats()
	h := room.Health{Sessions: len(s.Sessions), Tracks: len(s.Tracks)}
	h.Share, h.Person = n.server.Load()
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.Routes != nil && n.parts[p.Room] > 0 {
		n.routes[p.Room] = p.Sum
		n.server.Route(n.self, *p.Routes)
	}
	h.Sum = n.routes[p.Room]
	return h
}

// name is how others call this node.
func (n *Node) name() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.self
}

// method is a method that takes some time, with one argument.
func method[A any](f func(A) (any, error)) bus.Handler {
	return func(r *bus.Request) {
		var arg A
		if err := worker.Decode(r.Args, &arg); err != nil {
			r.Fail(err.Error())
			return
		}
		go func() {
			answer, err := f(arg)
			if err != nil {
				r.Fail(err.Error())
				return
			}
			r.Reply(answer)
		}()
	}
}
