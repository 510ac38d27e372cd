package roomsub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/room"
)

const (
	// lookTime is how often the room is looked at when it says nothing.
	lookTime = time.Second
	// askRoomTime is how long the conference may take to answer.
	askRoomTime = 2 * time.Second
	// overTime is how long a room may not be there before it counts as ended.
	overTime = time.Minute
)

// ErrOver says that the room has ended, or does not want the subscriber any more.
var ErrOver = errors.New("roomsub: the room has ended")

var errUnwanted = fmt.Errorf("%w for this task: it is not wanted any more", ErrOver)

// Room is a room of which tracks are received.
type Room struct {
	// Name is the room's; Task names the subscriber on SFUs.
	Name, Task string
	Conn       bus.Conn
	Client     *client.Client
	Log        *slog.Logger
	// Wanted reports whether the subscriber is to go on; nil means that it is. A
	// conference that could not stop the task says it in this way.
	Wanted func(room.State) bool

	conference string // the node that was asked last

	mu    sync.Mutex
	nodes map[string]string // the SFU of each participant who has one
	moved chan struct{}     // closed, and replaced, when nodes change
}

// ReadSpec reads the spec of a task on a room. example is what it has beside the name
// of the room.
func ReadSpec(raw json.RawMessage, into any, example string) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf(`room: the spec is {"room": {"room": NAME, %s}}: %w`, example, err)
	}
	return nil
}

// Enter returns a room of a cluster, for a task, over a connection of its own. Close
// ends the connection.
func Enter(ctx context.Context, open func(context.Context) (bus.Conn, error), cluster, name, task string, log *slog.Logger) (*Room, error) {
	conn, err := open(ctx)
	if err != nil {
		return nil, err
	}
	return &Room{Name: name, Task: task, Conn: conn, Client: client.New(conn, client.Options{Cluster: cluster}), Log: log}, nil
}

// Close ends the connection with the queue.
func (r *Room) Close() { _ = r.Conn.Close() }

// Watch calls hear with the state of the room whenever it changes, and each second;
// with nil while no conference answers. It returns the error of hear, ErrOver when
// the room has ended or the subscriber is not Wanted, and nil when ctx ends.
func (r *Room) Watch(ctx context.Context, hear func(*room.State) error) error {
	wake := mailbox.NewSignal()
	heard, err := r.Conn.Subscribe(ctx, room.Topic, room.KeyState(r.Name), func(string, json.RawMessage) { wake.Raise() })
	if err != nil {
		return err
	}
	defer func() { _ = heard.Close() }()
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	seen := time.Now()
	for {
		state, err := r.ask(ctx)
		switch {
		case err == nil && r.Wanted != nil && !r.Wanted(state):
			err = errUnwanted
		case err == nil:
			seen = time.Now()
			r.move(state)
			err = hear(&state)
		case time.Since(seen) > overTime:
			err = ErrOver
		default:
			err = hear(nil)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-tick.C:
		}
	}
}

// ask asks the conference for the room.
func (r *Room) ask(ctx context.Context) (room.State, error) {
	ctx, cancel := context.WithTimeout(ctx, askRoomTime)
	defer cancel()
	var s room.State
	if r.conference == "" {
		worker, err := r.Client.Scheduled(ctx, room.PurposeConference, r.Name)
		if err != nil {
			return s, err
		}
		report, err := r.Client.QueryTask(ctx, worker, r.Name)
		if err != nil {
			return s, err
		}
		r.conference = report.Node
	}
	raw, err := r.Conn.Call(ctx, r.conference, "room", r.Name)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		r.conference = ""
	}
	return s, err
}

// move has the subscriptions go to the SFUs that serve their publishers now.
func (r *Room) move(s room.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	nodes := map[string]string{}
	for _, p := range s.Participants {
		if part, ok := s.PartOf(p.ID); ok && part.Node != "" {
			nodes[p.ID] = part.Node
		} else if last := r.nodes[p.ID]; last != "" { // while a participant has no SFU, the last one counts
			nodes[p.ID] = last
		}
	}
	if maps.Equal(nodes, r.nodes) {
		return
	}
	r.nodes = nodes
	if r.moved != nil {
		close(r.moved)
		r.moved = nil
	}
}

// serving is the SFU of a participant, "" for none yet, and what is closed when that
// may change.
func (r *Room) serving(participant string) (node string, moved <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moved == nil {
		r.moved = make(chan struct{})
	}
	return r.nodes[participant], r.moved
}
