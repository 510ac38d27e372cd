package owtnode_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/sfu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The node, and the conference's node that the test plays.
const (
	nodeID     = "webrtc-agent_0"
	controller = "conference-agent_0"
)

// rig is a node with its media, and a conference.
type rig struct {
	t     *testing.T
	ctx   context.Context
	conn  bus.Conn
	node  *sfu.Node
	casts chan cast
}

// cast is what the node said to the conference.
type cast struct {
	method string
	args   []any
	sdp    string // of an answer; in args it is "v=0..."
}

func (c cast) String() string { return c.method + jsonOf(c.args) }

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func startRig(t *testing.T) *rig {
	t.Helper()
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r := &rig{t: t, ctx: ctx, casts: make(chan cast, 1000)}
	if r.conn, err = natsbus.Dial(ctx, bus.Options{URL: queue.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.conn.Close() })
	if r.node, err = sfu.Start(r.conn, rtc.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.node.Close(); err != nil {
			t.Error(err)
		}
	})
	methods := r.node.Methods()
	r.serve(nodeID, func(q *bus.Request) { methods[q.Method](q) })
	r.serve(controller, func(q *bus.Request) {
		c := cast{method: q.Method}
		for _, a := range q.Args {
			var v any
			if err := json.Unmarshal(a, &v); err != nil {
				t.Error(err)
			}
			if m, ok := v.(map[string]any); ok && m["type"] == "answer" {
				c.sdp, m["sdp"] = m["sdp"].(string), "v=0..."
			}
			c.args = append(c.args, v)
		}
		r.casts <- c
	})
	return r
}

func (r *rig) serve(name string, h bus.Handler) {
	r.t.Helper()
	s, err := r.conn.Serve(r.ctx, name, h)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
}

// call calls the node, and returns its answer as JSON or "error ".
func (r *rig) call(method string, args ...any) string {
	r.t.Helper()
	answer, err := r.conn.Call(r.ctx, nodeID, method, args...)
	if err != nil {
		return "error " + err.Error()
	}
	return string(answer)
}

// ok calls what must be answered "ok".
func (r *rig) ok(method string, args ...any) {
	r.t.Helper()
	if got := r.call(method, args...); got != `"ok"` {
		r.t.Fatalf("%s %v: %s", method, args, got)
	}
}

// next is the next cast.
func (r *rig) next() cast {
	r.t.Helper()
	select {
	case c := <-r.casts:
		return c
	case <-r.ctx.Done():
		r.t.Fatal("no cast came")
		return cast{}
	}
}

// says checks the next casts, and returns the SDP of an answer among them.
func (r *rig) says(want ...string) (sdp string) {
	r.t.Helper()
	for _, w := range want {
		c := r.next()
		var a, b any
		if json.Unmarshal([]byte(jsonOf(c.args)), &a) != nil || json.Unmarshal([]byte(strings.TrimPrefix(w, c.method)), &b) != nil {
			r.t.Fatalf("the node says %v, want %s", c, w)
		}
		if diff := cmp.Diff(b, a); diff != "" {
			r.t.Fatalf("the node says %v:\n%s", c, diff)
		}
		if c.sdp != "" {
			sdp = c.sdp
		}
	}
	return sdp
}

// track is what is announced of a track.
func added(transport, id, kind, format, direction, session, mid string) string {
	return fmt.Sprintf(`onTrackUpdate[%q,{"type":"track-added","trackId":%q,"mediaType":%q,"mediaFormat":%s,"direction":%q,"operationId":%q,"mid":%q,"active":true}]`,
		transport, id, kind, format, direction, session, mid)
}

func removed(transport, id string) string {
	return fmt.Sprintf(`onTrackUpdate[%q,{"type":"track-removed","trackId":%q}]`, transport, id)
}

func complete(transport, session string) string {
	return fmt.Sprintf(`onTrackUpdate[%q,{"type":"tracks-complete","operationId":%q}]`, transport, session)
}

func answered(transport string) string {
	return fmt.Sprintf(`onTransportProgress[%q,{"type":"answer","sdp":"v=0..."}]`, transport)
}

func ready(transport string) string {
	return fmt.Sprintf(`onTransportProgress[%q,{"type":"ready"}]`, transport)
}

// options are those of a publication or subscription.
func options(transport, owner string, tracks ...map[string]any) map[string]any {
	return map[string]any{"transportId": transport, "tracks": tracks, "controller": controller, "owner": owner}
}

const opus, vp8 = `{"codec":"opus","sampleRate":48000,"channelNum":2}`, `{"codec":"vp8"}`

// sound and picture are tracks of these sections.
func sound(mid string) map[string]any { return track("audio", mid, opus, `{"codec":"pcmu"}`) }

func picture(mid string) map[string]any {
	return track("video", mid, `{"codec":"h264"}`, vp8, `{"codec":"vp9"}`)
}

func track(kind, mid string, formats ...string) map[string]any {
	optional := json.RawMessage("[" + strings.Join(formats, ",") + "]")
	return map[string]any{"type": kind, "mid": mid, "formatPreference": map[string]any{"optional": optional}}
}

// offers has a client's offer answered; these casts must come of it.
func (r *rig) offers(c *client, transport string, want ...string) (answer string) {
	r.t.Helper()
	r.ok("onTransportSignaling", transport, map[string]any{"type": "offer", "sdp": c.offer()})
	answer = r.says(answered(transport))
	c.take(answer)
	r.says(want...)
	return answer
}

// isEmpty waits until nothing is left of all sessions.
func (r *rig) isEmpty() {
	r.t.Helper()
	for {
		s := r.stats()
		if len(s.Sessions)+len(s.Tracks)+len(s.Slots) == 0 {
			return
		}
		if r.ctx.Err() != nil {
			r.t.Fatalf("left at the end: %+v", s)
		}
	}
}

// stats are the node's.
func (r *rig) stats() (out rtc.Stats) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.call("rtcStats")), &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}
