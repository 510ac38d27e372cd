package owtnode

import (
	"errors"
	"fmt"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/owtsdp"
	"github.com/muster-fleet/muster/worker"
)

// Methods are those that OWT's conference calls.
func (n *Node) Methods() map[string]bus.Handler {
	return map[string]bus.Handler{
		"publish":     n.initiate(true),
		"subscribe":   n.initiate(false),
		"unpublish":   n.method(one(n.terminate)),
		"unsubscribe": n.method(one(n.terminate)),
		"createTransport": n.method(two(func(id, controller string) (any, error) {
			_, err := n.transport(id, controller, "")
			return "ok", err
		})),
		"destroyTransport":     n.method(one(n.destroyTransport)),
		"getInternalAddress":   n.method(func(bus.Args) (any, error) { return n.address(), nil }),
		"onTransportSignaling": n.method(two(func(id string, m signaling) (any, error) { return "ok", n.signal(id, m) })),
		"mediaOnOff": n.method(func(args bus.Args) (any, error) {
			var id, direction, action string
			var tracks []string
			if err := worker.Decode(args, &id, &tracks, &direction, &action); err != nil {
				return nil, err
			}
			return "ok", n.mediaOnOff(id, tracks, direction, action)
		}),
		"linkup":             n.method(two(func(id string, from map[string]source) (any, error) { return "ok", n.linkup(id, from) })),
		"cutoff":             n.method(one(func(id string) (any, error) { return "ok", n.cutoff(id) })),
		"createLayerStreams": n.method(one(func(id string) (any, error) { return nil, n.createLayerStreams(id) })),
		"createQualitySwitch": n.method(one(func(sources []source) (any, error) {
			id, err := n.createQualitySwitch(sources)
			return source{ID: id}, err
		})),
		"setVideoBitrate": n.method(func(bus.Args) (any, error) {
			return nil, errors.New("setVideoBitrate is not supported: OWT's nodes do not carry it out either")
		}),
	}
}

// method is a method with the Node locked.
func (n *Node) method(f func(bus.Args) (any, error)) bus.Handler {
	return func(r *bus.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		answer, err := f(r.Args)
		if err != nil {
			n.log.Debug("call of a conference refused", "method", r.Method, "err", err)
			r.Fail(err.Error())
			return
		}
		r.Reply(answer)
	}
}

// one is a method with one argument.
func one[A any](f func(A) (any, error)) func(bus.Args) (any, error) {
	return func(args bus.Args) (any, error) {
		var a A
		if err := worker.Decode(args, &a); err != nil {
			return nil, err
		}
		return f(a)
	}
}

// two is a method with two arguments.
func two[A, B any](f func(A, B) (any, error)) func(bus.Args) (any, error) {
	return func(args bus.Args) (any, error) {
		var a A
		var b B
		if err := worker.Decode(args, &a, &b); err != nil {
			return nil, err
		}
		return f(a, b)
	}
}

func (n *Node) initiate(sends bool) bus.Handler {
	return n.method(func(args bus.Args) (any, error) {
		var id, kind string
		var o options
		if err := worker.Decode(args, &id, &kind, &o); err != nil {
			return nil, err
		}
		switch {
		case n.sessions[id] != nil:
			return failure{"failed", "Connection already exists:" + id}, nil
		case kind != "webrtc":
			return failure{"failed", "Create Connection failed"}, nil
		}
		if err := o.check(); err != nil {
			return nil, err
		}
		return "ok", n.begin(id, sends, o)
	})
}

// check refuses what no conference of OWT's says.
func (o options) check() error {
	if o.Controller == "" {
		return errors.New("controller is missing")
	}
	if len(o.Tracks) == 0 {
		return errors.New("tracks are missing")
	}
	for _, t := range o.Tracks {
		if t.MID == "" || t.Kind != owtsdp.Audio && t.Kind != owtsdp.Video {
			return fmt.Errorf("a track needs a mid, and the type audio or video: it has %q and %q", t.MID, t.Kind)
		}
	}
	return nil
}

// terminate ends a session. One that is unknown has ended already: conferences
// also say so of streams that they spread to other nodes.
func (n *Node) terminate(id string) (any, error) {
	n.finish(id)
	return "ok", nil
}

func (n *Node) destroyTransport(id string) (any, error) {
	t := n.transports[id]
	if t == nil {
		return nil, refuse("Transport does not exists: %s", id)
	}
	n.remove(t)
	return "ok", nil
}
