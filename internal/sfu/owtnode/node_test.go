package owtnode_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/bus"
)

// publishes has a client publish sound and a picture, as session and transport s1.
func (r *rig) publishes(id, owner string) *client {
	r.t.Helper()
	c := newClient(r.t)
	c.send(webrtc.MimeTypeOpus)
	c.send(webrtc.MimeTypeVP8)
	r.ok("publish", id, "webrtc", options(id, owner, sound("0"), picture("1")))
	r.offers(c, id, added(id, id+"-0", "audio", opus, "in", id, "0"), added(id, id+"-1", "video", vp8, "in", id, "1"), complete(id, id), ready(id),
		fmt.Sprintf(`onMediaUpdate["%s-1","in",{"video":{"parameters":{"resolution":{"width":640,"height":480}}}}]`, id))
	return c
}

// from is where a track can be had: at this node.
func from(kind, track string) map[string]any {
	return map[string]any{kind: map[string]any{"id": track}}
}

// One PeerConnection carries everything of a client, as OWT's SDK has it: what it
// publishes, and subscriptions, each with a stream of its own.
func TestOnePeerConnection(t *testing.T) {
	r := startRig(t)
	r.publishes("s1", "A")
	b := r.publishes("s2", "B")
	for i, u := range []string{"u1", "u2"} {
		audio, video := fmt.Sprint(2+2*i), fmt.Sprint(3+2*i)
		b.receive(webrtc.RTPCodecTypeAudio)
		b.receive(webrtc.RTPCodecTypeVideo)
		r.ok("subscribe", u, "webrtc", options("s2", "B", sound(audio), picture(video)))
		r.offers(b, "s2", added("s2", "s2-"+audio, "audio", opus, "out", u, audio), added("s2", "s2-"+video, "video", vp8, "out", u, video), complete("s2", u))
		r.ok("linkup", "s2-"+audio, from("audio", "s1-0"))
		r.ok("linkup", "s2-"+video, from("video", "s1-1"))
		for _, mid := range []string{audio, video} {
			if a := b.hears(mid, 5); a.stream != u {
				t.Errorf("section %s is of the stream %s, want %s", mid, a.stream, u)
			}
		}
	}

	r.ok("mediaOnOff", "s1", []string{"s1-1", "s2-1", "unknown"}, "in", "off")
	b.silent("3", "2")
	r.ok("mediaOnOff", "s1", []string{"s1-1"}, "in", "on")
	b.hears("3", 5)
	r.ok("cutoff", "s2-3")
	b.silent("3", "2")
	b.hears("5", 5)
	r.ok("cutoff", "s1-1")
	b.silent("5", "2")

	r.ok("unsubscribe", "u1")
	r.says(removed("s2", "s2-2"), removed("s2", "s2-3"))
	b.silent("2", "4")
	r.ok("unpublish", "s1")
	r.says(removed("s1", "s1-0"), removed("s1", "s1-1"))
	if tracks := r.stats().Tracks; len(tracks) != 2 || tracks[0].Track != "s2-0" || tracks[1].Track != "s2-1" {
		t.Errorf("tracks after the end of s1: %+v", tracks)
	}
	r.ok("destroyTransport", "s1")
	r.ok("destroyTransport", "s2")
	for range 4 {
		if c := r.next(); !strings.Contains(c.String(), "track-removed") {
			t.Errorf("the node says %v", c)
		}
	}
	r.isEmpty()
}

// A participant's transport is its own, and a conference's tracks are, too.
func TestOwners(t *testing.T) {
	r := startRig(t)
	r.publishes("s1", "A")
	r.publishes("s2", "B")
	other := options("s3", "C", sound("0"))
	other["controller"] = "conference-agent_9"
	r.ok("publish", "s3", "webrtc", other)
	foreign := options("s1", "A", sound("9"))
	foreign["controller"] = "conference-agent_9"
	for what, got := range map[string]string{
		"publishing on another's transport":   r.call("publish", "x", "webrtc", options("s1", "B", sound("2"))),
		"subscribing on another's transport":  r.call("subscribe", "x", "webrtc", options("s1", "B", sound("2"))),
		"a transport of another conference's": r.call("publish", "x", "webrtc", foreign),
	} {
		if !strings.HasPrefix(got, "error Transport s1 is another") {
			t.Errorf("%s: %s", what, got)
		}
	}
	// A track of B's is passed over in a session of A's.
	a := newClient(t)
	a.receive(webrtc.RTPCodecTypeAudio)
	r.ok("subscribe", "u1", "webrtc", options("u1", "C", sound("0")))
	r.offers(a, "u1", added("u1", "u1-0", "audio", opus, "out", "u1", "0"), complete("u1", "u1"), ready("u1"))
	r.ok("linkup", "u1-0", from("audio", "s2-0"))
	r.ok("mediaOnOff", "s1", []string{"s2-0"}, "in", "off")
	a.hears("0", 30)
}

// What cannot be done is refused in OWT's words, where it has some.
func TestRefusals(t *testing.T) {
	r := startRig(t)
	r.publishes("s1", "A")
	b := newClient(t)
	b.receive(webrtc.RTPCodecTypeVideo)
	r.ok("subscribe", "u1", "webrtc", options("u1", "B", picture("0")))
	r.offers(b, "u1", added("u1", "u1-0", "video", vp8, "out", "u1", "0"), complete("u1", "u1"), ready("u1"))
	there := map[string]any{"video": map[string]any{"id": "x-1", "ip": "192.0.2.9", "port": 3000}}
	for _, c := range []struct{ got, want string }{
		{r.call("publish", "s1", "webrtc", options("s1", "A", sound("7"))), `{"type":"failed","reason":"Connection already exists:s1"}`},
		{r.call("subscribe", "s1", "webrtc", options("s1", "A", sound("7"))), `{"type":"failed","reason":"Connection already exists:s1"}`},
		{r.call("publish", "s2", "internal", options("s2", "A", sound("0"))), `{"type":"failed","reason":"Create Connection failed"}`},
		{r.call("publish", "s2", "webrtc", options("s1", "A", sound("0"))), `error section 0 of transport s1 is in use`},
		{r.call("publish", "s2", "webrtc", options("s2", "A", sound("0"), picture("0"))), `error section 0 of transport s2 is in use`},
		{r.call("publish", "s2", "webrtc", options("s2", "A")), `error tracks are missing`},
		{r.call("publish", "s2", "webrtc", options("s2", "A", track("data", "0"))), `error a track needs a mid, and the type audio or video: it has "0" and "data"`},
		{r.call("publish", "s2", "webrtc", options("", "A", sound("0"))), `error transportId is missing`},
		{r.call("publish", "s2", "webrtc", map[string]any{"transportId": "s2", "tracks": []any{sound("0")}}), `error controller is missing`},
		{r.call("publish", "s2"), `error argument 2 is missing`},
		{r.call("unpublish", "unknown"), `"ok"`},
		{r.call("unsubscribe", "s1-0@webrtc-agent_1"), `"ok"`},
		{r.call("onTransportSignaling", "unknown", map[string]any{"type": "offer"}), `error Connection does NOT exist:unknown`},
		{r.call("onTransportSignaling", "s1", map[string]any{"type": "candidate", "candidate": map[string]any{"candidate": "a=candidate:1"}}), `"ok"`},
		{r.call("onTransportSignaling", "s1", map[string]any{"type": "removed-candidates", "candidates": []any{}}), `"ok"`},
		{r.call("onTransportSignaling", "s1", map[string]any{"type": "answer"}), `error signaling.type must be offer, candidate or removed-candidates, not "answer"`},
		{r.call("mediaOnOff", "unknown", []string{}, "in", "off"), `error Connection does NOT exist:unknown`},
		{r.call("mediaOnOff", "s1", []string{"s1-0"}, "out", "off"), `error No track found`},
		{r.call("linkup", "unknown", from("video", "s1-1")), `error Subscription does not exist:unknown`},
		{r.call("linkup", "s1-1", from("video", "s1-1")), `error Subscription does not exist:s1-1`},
		{r.call("linkup", "u1-0", from("video", "unknown")), `error Invalid remote from:video, unknown`},
		{r.call("linkup", "u1-0", from("video", "s1-0")), `error Invalid remote from:video, s1-0`},
		{r.call("linkup", "u1-0", from("audio", "s1-0")), `error u1-0 carries video, not audio`},
		{r.call("linkup", "u1-0", there), `error x-1 is at another node (192.0.2.9:3000), and this one (`},
		{r.call("cutoff", "unknown"), `error Connection does NOT exist:unknown`},
		{r.call("createTransport", "t1", controller), `"ok"`},
		{r.call("destroyTransport", "t1"), `"ok"`},
		{r.call("destroyTransport", "t1"), `error Transport does not exists: t1`},
		{r.call("createLayerStreams", "unknown", map[string]any{"spatial": true}), `error Stream does NOT exist: unknown`},
		{r.call("createLayerStreams", "s1-1", map[string]any{"spatial": true}), `error s1-1 is forwarded with all its layers`},
		{r.call("createQualitySwitch", []any{}), `error a switch needs a source`},
		{r.call("createQualitySwitch", []any{map[string]any{"id": "u1-0"}}), `error a switch is among the encodings of one track of this node, which u1-0 is not`},
		{r.call("setVideoBitrate", "s1", 500), `error setVideoBitrate is not supported`},
	} {
		if !strings.HasPrefix(c.got, c.want) {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// An offer that cannot be used ends its transport, so that the client hears of
// it; what nobody announced, and what has no codec in common, is inactive.
func TestOffers(t *testing.T) {
	r := startRig(t)
	r.ok("publish", "s1", "webrtc", options("s1", "A", sound("0")))
	r.ok("onTransportSignaling", "s1", map[string]any{"type": "offer", "sdp": "v=0"})
	if c := r.next(); !strings.HasPrefix(c.String(), `onTransportProgress["s1",{"reason":"rtc: the offer`) || !strings.Contains(c.String(), `"failed"`) {
		t.Errorf("the node says %v", c)
	}
	r.ok("destroyTransport", "s1")

	a := newClient(t)
	for _, mime := range []string{webrtc.MimeTypeOpus, webrtc.MimeTypeVP8, webrtc.MimeTypeVP8} {
		a.send(mime)
	}
	r.ok("publish", "s2", "webrtc", options("s2", "A", sound("0"), track("video", "1", `{"codec":"theora"}`)))
	sdp := r.offers(a, "s2", added("s2", "s2-0", "audio", opus, "in", "s2", "0"), added("s2", "s2-1", "video", "null", "in", "s2", "1"), complete("s2", "s2"), ready("s2"))
	for _, mid := range []string{"1", "2"} {
		if s := sectionOf(sdp, mid); !strings.Contains(s, "a=inactive") {
			t.Errorf("section %s of the answer:\n%s", mid, s)
		}
	}
	if s := sectionOf(sdp, "0"); !strings.Contains(s, "a=recvonly") || strings.Contains(s, "PCMU") {
		t.Errorf("section 0 of the answer:\n%s", s)
	}
	r.ok("unpublish", "s2")
	r.says(removed("s2", "s2-0"), removed("s2", "s2-1"))
}

// A session that ends before its offer is answered leaves nothing.
func TestEndsBeforeItsAnswer(t *testing.T) {
	r := startRig(t)
	for i := range 10 {
		id := fmt.Sprintf("s%d", i)
		c := newClient(t)
		c.send(webrtc.MimeTypeVP8)
		r.ok("publish", id, "webrtc", options(id, "A", picture("0")))
		r.ok("onTransportSignaling", id, map[string]any{"type": "offer", "sdp": c.offer()})
		r.ok("unpublish", id)
		r.ok("destroyTransport", id)
	}
	r.isEmpty()
}

// Each encoding is a track. A subscription gets the one that it is linked to, and
// through a switch what its line carries.
func TestSimulcast(t *testing.T) {
	r := startRig(t)
	a := newClient(t)
	a.send(webrtc.MimeTypeVP8, "q", "h")
	r.ok("publish", "s1", "webrtc", options("s1", "A", picture("0")))
	rid := func(rid string) string {
		return strings.Replace(added("s1", "s1-0:"+rid, "video", vp8, "in", "s1", "0"), `"mid":"0"`, `"mid":"0","rid":"`+rid+`"`, 1)
	}
	r.offers(a, "s1", rid("q"), rid("h"), complete("s1", "s1"), ready("s1"))
	sizes := map[string]bool{}
	for range 2 {
		sizes[r.next().String()] = true
	}
	for _, want := range []string{
		`onMediaUpdate["s1-0:q","in",{"video":{"parameters":{"resolution":{"height":480,"width":640}}}}]`,
		`onMediaUpdate["s1-0:h","in",{"video":{"parameters":{"resolution":{"height":960,"width":1280}}}}]`,
	} {
		if !sizes[want] {
			t.Errorf("the node says %v, want %s", sizes, want)
		}
	}
	b := newClient(t)
	b.receive(webrtc.RTPCodecTypeVideo)
	r.ok("subscribe", "u1", "webrtc", options("u1", "B", picture("0")))
	r.offers(b, "u1", added("u1", "u1-0", "video", vp8, "out", "u1", "0"), complete("u1", "u1"), ready("u1"))
	for _, layer := range []struct {
		rid   string
		width int
	}{{"q", 640}, {"h", 1280}, {"q", 640}} {
		r.ok("linkup", "u1-0", from("video", "s1-0:"+layer.rid))
		r.turns(b, layer.width)
		for range 50 {
			if got := widthOf(b.hears("0", 1).Packet); got != layer.width {
				t.Fatalf("a picture %d wide of encoding %s", got, layer.rid)
			}
		}
	}
	var sources []any
	for _, rid := range []string{"h", "q"} {
		sources = append(sources, map[string]any{"id": "s1-0:" + rid, "ip": "127.0.0.1", "port": 1})
	}
	first, second := r.call("createQualitySwitch", sources), r.call("createQualitySwitch", sources)
	if first == second || !strings.HasPrefix(first, `{"id":"s1-0-switch`) {
		t.Fatalf("switches %s and %s", first, second)
	}
	r.ok("linkup", "u1-0", from("video", strings.Split(first, `"`)[3]))
	r.turns(b, 1280) // nothing limits it
	r.ok("mediaOnOff", "s1", []string{"s1-0:q", "s1-0:h"}, "in", "off")
	r.ok("mediaOnOff", "s1", []string{"s1-0:q", "s1-0:h"}, "in", "on")
	r.turns(b, 1280)
}

// turns waits until a client's picture has that width.
func (r *rig) turns(c *client, width int) {
	r.t.Helper()
	for widthOf(c.hears("0", 1).Packet) != width {
		if r.ctx.Err() != nil {
			r.t.Fatalf("no picture is %d wide", width)
		}
	}
}

// A conference that is gone takes its transports with it, and a client that is
// gone its own.
func TestExits(t *testing.T) {
	r := startRig(t)
	for i, e := range []bus.Exit{
		{Reason: "abnormal", Message: bus.ExitMessage{Purpose: "conference", ID: controller, Type: "node"}},
		{Reason: "quit", Message: bus.ExitMessage{Purpose: "conference", ID: "conference-agent", Type: "worker"}},
	} {
		id := fmt.Sprintf("s%d", i)
		r.publishes(id, "A")
		for _, other := range []bus.ExitMessage{{Purpose: "webrtc", ID: controller, Type: "node"}, {Purpose: "conference", ID: "conference-agent_1", Type: "node"}} {
			if err := bus.PublishExit(r.ctx, r.conn, bus.Exit{Reason: "abnormal", Message: other}); err != nil {
				t.Fatal(err)
			}
		}
		if err := bus.PublishExit(r.ctx, r.conn, e); err != nil {
			t.Fatal(err)
		}
		r.says(removed(id, id+"-0"), removed(id, id+"-1"))
		r.isEmpty()
		if got := r.call("unpublish", id); got != `"ok"` {
			t.Error(got)
		}
	}
	c := r.publishes("s2", "A")
	if err := c.pc.Close(); err != nil {
		t.Fatal(err)
	}
	r.says(`onTransportProgress["s2",{"type":"failed","reason":"Ice procedure failed."}]`)
	if got := r.call("destroyTransport", "s2"); got != "error Transport does not exists: s2" {
		t.Error(got)
	}
}
