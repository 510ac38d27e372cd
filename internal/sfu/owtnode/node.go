package owtnode

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/worker"
)

// prefix begins the names of rooms and sessions at the server.
const prefix = "owt/"

// subscribeTime bounds the start of listening for the exits of conferences.
const subscribeTime = 5 * time.Second

// Server is what a Node needs of an rtc.Server.
type Server interface {
	Offer(ctx context.Context, o rtc.Offer) (string, error)
	Change(session string, c rtc.Change) error
	End(session string)
	Addr() string
}

// Node is the state of a node: which transports it has, and what is on them.
type Node struct {
	conn   bus.Conn
	server Server
	log    *slog.Logger
	exits  bus.Subscription

	// later is what the goroutine of the Node does: casts, and what the server
	// reports, which it does with its own locks held.
	later   *mailbox.Box[func(context.Context)]
	running sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc

	mu sync.Mutex
	// names counts what was named here.
	names      int
	transports map[string]*transport
	sessions   map[string]*session
	tracks     map[string]*track
}

// Start begins to serve. conn carries the casts, and stays the caller's.
func Start(ctx context.Context, conn bus.Conn, server Server, log *slog.Logger) (*Node, error) {
	n := &Node{
		conn: conn, server: server, log: log, later: mailbox.New[func(context.Context)](),
		transports: map[string]*transport{}, sessions: map[string]*session{}, tracks: map[string]*track{},
	}
	ctx, cancel := context.WithTimeout(ctx, subscribeTime)
	defer cancel()
	var err error
	if n.exits, err = conn.Subscribe(ctx, bus.TopicMonitoring, "exit.#", n.hearExit); err != nil {
		return nil, fmt.Errorf("owtnode: listening for conferences that end: %w", err)
	}
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.running.Go(n.run)
	return n, nil
}

// Close ends the goroutines of the Node. The server ends the transports.
func (n *Node) Close() error {
	n.stop()
	err := n.exits.Close()
	n.running.Wait()
	return err
}

// Has reports whether a room or a session of the server is the Node's.
func Has(name string) bool { return strings.HasPrefix(name, prefix) }

func (n *Node) run() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.later.Ready():
			for _, f := range n.later.Take() {
				f(n.ctx)
			}
		}
	}
}

// cast sends a message to the controller of a transport, after those before.
func (n *Node) cast(t *transport, method string, args ...any) {
	n.later.Put(func(ctx context.Context) {
		if err := n.conn.Cast(ctx, t.controller, method, args...); err != nil && ctx.Err() == nil {
			n.log.Warn("cast to a conference failed", "method", method, "conference", t.controller, "err", err)
		}
	})
}

// event does something with the Node's state, later.
func (n *Node) event(f func()) {
	n.later.Put(func(context.Context) {
		n.mu.Lock()
		defer n.mu.Unlock()
		f()
	})
}

// Connected takes from the server that a client has connected.
func (n *Node) Connected(session string) {
	n.event(func() {
		if t := n.named(session); t != nil {
			n.cast(t, "onTransportProgress", t.id, progress{Type: "ready"})
		}
	})
}

// Ended takes from the server that a session has ended.
func (n *Node) Ended(session string) {
	n.event(func() {
		if t := n.named(session); t != nil {
			n.cast(t, "onTransportProgress", t.id, progress{Type: "failed", Reason: "Ice procedure failed."})
			n.remove(t)
		}
	})
}

// Picture takes from the server how large a picture is.
func (n *Node) Picture(p rtc.Picture) {
	id := p.Track
	if p.RID != "" {
		id += ":" + p.RID
	}
	n.event(func() {
		if track := n.tracks[id]; track != nil {
			var update mediaUpdate
			update.Video.Parameters.Resolution = resolution{p.Width, p.Height}
			n.cast(track.section.transport, "onMediaUpdate", id, "in", update)
		}
	})
}

// named finds the transport of a session of the server. The caller has locked n.
func (n *Node) named(session string) *transport {
	for _, t := range n.transports {
		if t.session == session {
			return t
		}
	}
	return nil
}

// EndTask ends the transport of a task, which has its name.
func (n *Node) EndTask(task string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.transports[task]; t != nil {
		n.remove(t)
	}
}

// hearExit ends the transports of a conference that is gone: nothing else
// would end them.
func (n *Node) hearExit(_ string, body json.RawMessage) {
	var e bus.Exit
	if json.Unmarshal(body, &e) != nil || e.Message.Purpose != "conference" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.transports {
		node := e.Message.Type == "node" && t.controller == e.Message.ID
		ofWorker := e.Message.Type == "worker" && strings.HasPrefix(t.controller, e.Message.ID+"_")
		if node || ofWorker {
			n.log.Info("conference is gone: its transport ends", "conference", t.controller, "transport", t.id)
			n.remove(t)
		}
	}
}

// address is what getInternalAddress answers: where this node is.
func (n *Node) address() (a address) {
	host, port, err := net.SplitHostPort(n.server.Addr())
	if err != nil {
		return a
	}
	if a.IP = host; net.ParseIP(host).IsUnspecified() {
		a.IP = worker.Address()
	}
	a.Port, _ = strconv.Atoi(port)
	return a
}
