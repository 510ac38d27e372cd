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
		"publish":            n.initiate(true),
		"subscribe":          n.initiate(false),
		"unpublish":          n.terminate(),
		"unsubscribe":        n.terminate(),
		"createTransport":    n.createTransport(),
		"destroyTransport":   n.destroyTransport(),
		"getInternalAddress": n.method(func(bus.Args) (any, error) { return n.address(), nil }),
		"onTransportSignaling": n.method(func(args bus.Args) (any, error) {
			var id string
			var m signaling
			if err := worker.Decode(args, &id, &m); err != nil {
				return nil, err
			}
			return "ok", n.signal(id, m)
		}),
		"mediaOnOff": n.method(func(args bus.Args) (any, error) {
			var id, direction, action string
			var tracks []string
			if err := worker.Decode(args, &id, &tracks, &direction, &action); err != nil {
				return nil, err
			}
			return "ok", n.mediaOnOff(id, tracks, direction, action)
		}),
		"linkup": n.method(func(args bus.Args) (any, error) {
			var id string
			var from map[string]source
			if err := worker.Decode(args, &id, &from); err != nil {
				return nil, err
			}
			return "ok", n.linkup(id, from)
		}),
		"cutoff": n.method(func(args bus.Args) (any, error) {
			var id string
			if err := worker.Decode(args, &id); err != nil {
				return nil, err
			}
			return "ok", n.cutoff(id)
		}),
		"createLayerStreams": n.method(func(args bus.Args) (any, error) {
			var id string
			if err := worker.Decode(args, &id); err != nil {
				return nil, err
			}
			return nil, n.createLayerStreams(id)
		}),
		"createQualitySwitch": n.method(func(args bus.Args) (any, error) {
			var sources []source
			if err := worker.Decode(args, &sources); err != nil {
				return nil, err
			}
			id, err := n.createQualitySwitch(sources)
			return source{ID: id}, err
		}),
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
func (n *Node) terminate() bus.Handler {
	return n.method(func(args bus.Args) (any, error) {
		var id string
		if err := worker.Decode(args, &id); err != nil {
			return nil, err
		}
		n.finish(id)
		return "ok", nil
	})
}

func (n *Node) createTransport() bus.Handler {
	return n.method(func(args bus.Args) (any, error) {
		var id, controller string
		if err := worker.Decode(args, &id, &controller); err != nil {
			return nil, err
		}
		_, err := n.transport(id, controller, "")
		return "ok", err
	})
}

func (n *Node) destroyTransport() bus.Handler {
	return n.method(func(args bus.Args) (any, error) {
		var id string
		if err := worker.Decode(args, &id); err != nil {
			return nil, err
		}
		t := n.transports[id]
		if t == nil {
			return nil, refuse("Transport does not exists: %s", id)
		}
		n.remove(t)
		return "ok", nil
	})
}
