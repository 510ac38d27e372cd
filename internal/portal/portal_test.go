package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// A connection of net/http lives for half a second after its last answer, which
// is longer than goleak waits on a busy machine.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

func TestPeopleInARoom(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.portal("portal-1")
	alice := h.join(p, request{Token: h.token("alice", room.Presenter), Tracks: []trackSaid{{Source: "mic"}}})
	bob := h.join(p, request{Token: h.token("bob", room.Viewer)})
	both := func(g *guest) func() bool {
		return func() bool { return len(g.people()) == 2 && g.state.Part.Node != "" }
	}
	alice.until("two people", both(alice))
	bob.until("two people", both(bob))
	tracks := func() []room.PublishedTrack {
		for _, p := range bob.state.Participants {
			if p.ID == alice.you {
				return p.Tracks
			}
		}
		return nil
	}
	if e := alice.ask(request{Type: "tracks", Tracks: []trackSaid{{"mic", true}, {"screen", false}}}); e.Error != "" {
		t.Fatal(e.Error)
	}
	bob.until("the tracks", func() bool {
		got := tracks()
		return len(got) == 2 && got[0].Muted && got[1].ID == alice.you+".screen"
	})
	if e := bob.ask(request{Type: "text", Text: "hello"}); e.Error != "" {
		t.Fatal(e.Error)
	}
	alice.until("a text", func() bool { return slices.Contains(alice.texts, "bob: hello") })
	bob.send(request{Type: "leave"})
	alice.until("bob left", func() bool { return len(alice.people()) == 1 })
}

// A portal that has not heard of the room yet does not call it empty: a client
// that comes back would end its media.
func TestUnknownRoomIsNotCalledEmpty(t *testing.T) {
	h := newHouse(t)
	p := h.portal("portal-1")
	g := h.guest(p)
	if e := g.ask(request{Type: "join", Token: h.token("alice", room.Presenter)}); e.Error != "" || e.You == "" || e.State != nil {
		t.Errorf("the answer is %+v, with the state %+v; there is no conference", e, e.State)
	}
}

// What strangers and clients do wrong is refused with a reason, and affects no
// other client.
func TestStrangers(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.portal("portal-1")
	old, err := h.key.Sign(roomtoken.Claims{Room: "r", User: "eve", Role: room.Presenter}, time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	alice := h.join(p, request{Token: h.token("alice", room.Presenter)})
	for want, q := range map[string]request{
		"not one of this cluster": {Type: "join", Token: "x.y.z"},
		"has expired":             {Type: "join", Token: old},
		"the ticket is not":       {Type: "join", Token: h.token("eve", room.Presenter), Ticket: alice.ticket},
		"this is a ticket":        {Type: "join", Token: alice.ticket},
		"a track's source is":     {Type: "join", Token: h.token("eve", room.Presenter), Tracks: []trackSaid{{Source: "window"}}},
		"a viewer does not":       {Type: "join", Token: h.token("eve", room.Viewer), Tracks: []trackSaid{{Source: "mic"}}},
	} {
		g := h.guest(p)
		if e := g.ask(q); !strings.Contains(e.Error, want) {
			t.Errorf("got %q; want %q", e.Error, want)
		}
		if _, err := g.read(); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("%s: the connection ends with %v", want, err)
		}
	}
	for _, text := range []string{"nonsense", `{"type":1}`, `{"type":"text","text":"before joining"}`} {
		g := h.guest(p)
		if err := g.conn.Write(h.ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := g.read(); err == nil {
			t.Errorf("%s is answered", text)
		}
	}
	alice.until("a part", func() bool { return alice.state.Part.Node != "" })
	node := alice.state.Part.Node
	for want, q := range map[string]request{
		"no message is of type":   {Type: "dance"},
		"the text is empty":       {Type: "text", Text: " "},
		"4000 is the limit":       {Type: "text", Text: strings.Repeat("x", 4001)},
		"8 is the limit":          {Type: "tracks", Tracks: make([]trackSaid, 9)},
		"does not serve the room": {Type: "offer", Node: "manager", mediaSaid: mediaSaid{Session: "up"}},
		"no audio and no video":   {Type: "offer", Node: node, mediaSaid: mediaSaid{Session: "up", SDP: "x"}},
		"a session's name is":     {Type: "offer", Node: node, mediaSaid: mediaSaid{Session: "../x", SDP: "x"}},
		"no such session":         {Type: "change", Node: node, mediaSaid: mediaSaid{Session: "other"}},
	} {
		if e := alice.ask(q); !strings.Contains(e.Error, want) {
			t.Errorf("%s: got %q; want %q", q.Type, e.Error, want)
		}
	}
	refused := false
	for range 2 * messageBurst {
		refused = refused || strings.Contains(alice.ask(request{Type: "dance"}).Error, "too many messages")
	}
	if !refused {
		t.Error("a flood of messages is not refused")
	}
	bob := h.join(p, request{Token: h.token("bob", room.Viewer)})
	bob.until("only those who may are here", func() bool {
		people := bob.people()
		slices.Sort(people)
		return slices.Equal(people, []string{"alice", "bob"})
	})
}

// Each part of a room dies in turn, and the room is the same afterwards.
func TestPartsOfARoomDie(t *testing.T) {
	h := newHouse(t)
	crashConference := h.conference()
	crashSFU := h.sfu("sfu-1")
	p1, p2 := h.portal("portal-1"), h.portal("portal-2")
	token := h.token("alice", room.Presenter)
	alice := h.join(p1, request{Token: token, Attach: 1})
	bob := h.join(p2, request{Token: h.token("bob", room.Viewer), Attach: 1})
	whole := func(g *guest, part int) func() bool {
		return func() bool {
			return len(g.people()) == 2 && g.state.Settled && g.state.Part.Number == part && g.state.Part.Node != ""
		}
	}
	alice.until("a whole room", whole(alice, 1))
	bob.until("a whole room", whole(bob, 1))

	crashSFU()
	alice.until("another part", whole(alice, 2))
	bob.until("another part", whole(bob, 2))

	before := alice.state
	crashConference()
	alice.until("another conference", func() bool { return alice.state.Version > before.Version && whole(alice, 2)() })
	if alice.state.Part != before.Part {
		t.Errorf("the part is %+v; want %+v, since the SFU lives", alice.state.Part, before.Part)
	}

	if err := p1.Close(); err != nil {
		t.Error(err)
	}
	again := h.join(p2, request{Token: token, Ticket: alice.ticket, Attach: 2})
	if again.you != alice.you {
		t.Errorf("alice is %s, and was %s", again.you, alice.you)
	}
	bob.until("alice is at the other portal", func() bool {
		return slices.ContainsFunc(bob.state.Participants, func(p room.Participant) bool { return p.ID == alice.you && p.Portal == "portal-2" }) && len(bob.people()) == 2
	})
}

// Who presents a ticket at another portal is there from then on: the portal of
// before closes the connection, and does not end the media when that breaks.
func TestTicketAtAnotherPortal(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p1, p2 := h.portal("portal-1"), h.portal("portal-2")
	token := h.token("alice", room.Presenter)
	alice := h.join(p1, request{Token: token, Attach: 1})
	alice.until("a part", func() bool { return alice.state.Part.Node != "" })
	node := alice.state.Part.Node
	published, err := rtcload.Client{}.Publish(h.ctx, func(_ context.Context, o room.Offer) (string, error) {
		e := alice.ask(request{Type: "offer", Node: node, mediaSaid: mediaSaid{Session: "up", SDP: o.SDP}})
		return e.SDP, nil
	}, "r", "up", nil, room.Track{ID: "mic", Source: "mic"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = published.Close() }()
	again := h.join(p2, request{Token: token, Ticket: alice.ticket, Attach: 2})
	for err == nil {
		_, err = alice.read()
	}
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the connection to the first portal ends with %v", err)
	}
	again.until("alice is at the other portal", func() bool {
		return len(again.people()) == 1 && again.state.Participants[0].ID == alice.you && again.state.Participants[0].Portal == "portal-2"
	})
	if e := again.ask(request{Type: "change", Node: node, mediaSaid: mediaSaid{Session: "up"}}); e.Error != "" {
		t.Errorf("the media has ended: %s", e.Error)
	}
}

// A role's bitrate is in the answer to who sends a picture.
func TestBitrateOfARole(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.portal("portal-1")
	p.opts.Bitrates = map[room.Role]int{room.Presenter: 500_000}
	alice := h.join(p, request{Token: h.token("alice", room.Presenter)})
	alice.until("a part", func() bool { return alice.state.Part.Node != "" })
	answer := ""
	published, err := rtcload.Client{}.Publish(h.ctx, func(_ context.Context, o room.Offer) (string, error) {
		answer = alice.ask(request{Type: "offer", Node: alice.state.Part.Node, mediaSaid: mediaSaid{Session: "up", SDP: o.SDP}}).SDP
		return answer, nil
	}, "r", "up", nil, room.Track{ID: "camera", Source: "camera"})
	if err != nil {
		t.Fatal(err)
	}
	_ = published.Close()
	if !strings.Contains(answer, "b=TIAS:500000") {
		t.Errorf("the answer is\n%s", answer)
	}
}

// A machine with an SFU dies, agent and all: the managers count on it for some
// time, and the room does not wait for that.
func TestMachineOfTheSFUDies(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.portal("portal-1")
	alice := h.join(p, request{Token: h.token("alice", room.Presenter)})
	alice.until("a part", func() bool { return alice.state.Part.Node != "" })
	h.sfu("sfu-2")
	h.unplug("sfu-1")
	alice.until("another part", func() bool { return alice.state.Part.Worker == "sfu-2" })
	workers, err := h.client.Workers(h.ctx, room.PurposeSFU)
	if err != nil || len(workers) != 2 {
		t.Errorf("the managers know %d SFUs, %v; want both still", len(workers), err)
	}
}

// A drained SFU is left while it lives.
func TestSFUIsDrained(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.portal("portal-1")
	alice := h.join(p, request{Token: h.token("alice", room.Presenter)})
	alice.until("a part", func() bool { return alice.state.Part.Node != "" })
	h.sfu("sfu-2")
	if _, err := h.client.Drain(h.ctx, muster.DrainOrder{Selector: muster.Selector{Worker: "sfu-1"}}); err != nil {
		t.Fatal(err)
	}
	old := alice.state.Part.Node
	alice.until("another part", func() bool { return alice.state.Part.Worker == "sfu-2" })
	if !alice.state.Part.Drained {
		t.Errorf("the part is %+v: clients would leave the old one at once", alice.state.Part)
	}
	// The old one still answers.
	if e := alice.ask(request{Type: "change", Node: old, mediaSaid: mediaSaid{Session: "none"}}); !strings.Contains(e.Error, "no such session") {
		t.Errorf("the old SFU answers %q", e.Error)
	}
}

// post is an offer by HTTP.
func post(ctx context.Context, url, token, contentType, body string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", contentType)
	return do(req)
}

func do(req *http.Request) (*http.Response, string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res, string(text), err
}

func TestWHIPAndWHEP(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.portal("portal-1")
	var resource string
	signal := func(kind, user string, role room.Role) rtcload.Signal {
		return func(ctx context.Context, o room.Offer) (string, error) {
			res, text, err := post(ctx, p.URL()+"/"+kind+"/r", h.token(user, role), sdpType, o.SDP)
			if err != nil {
				return "", err
			}
			if res.StatusCode != http.StatusCreated {
				return "", fmt.Errorf("%s: %s", res.Status, text)
			}
			resource = res.Header.Get("Location")
			return text, nil
		}
	}
	camera, mic := room.Track{ID: "camera", Source: "camera"}, room.Track{ID: "mic", Source: "mic"}
	_, err := rtcload.Client{}.Subscribe(h.ctx, signal("whep", "bob", room.Viewer), "r", "bob", nil, camera)
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("WHEP in a room without a publisher: %v", err)
	}
	publisher, err := rtcload.Client{}.Publish(h.ctx, signal("whip", "alice", room.Presenter), "r", "alice", nil, camera, mic)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = publisher.Close() }()
	published := resource
	watcher := h.join(p, request{Token: h.token("carol", room.Viewer)})
	watcher.until("alice sends", func() bool {
		return slices.ContainsFunc(watcher.state.Participants, func(p room.Participant) bool { return p.User == "alice" && len(p.Tracks) == 2 })
	})
	ctx, stop := context.WithCancel(h.ctx)
	sent := make(chan error, 2)
	go func() { sent <- publisher.Run(ctx, "camera", 50, 2, 300) }()
	go func() { sent <- publisher.Run(ctx, "mic", 50, 1, 100) }()
	got := make(chan string, 100_000)
	subscriber, err := rtcload.Client{}.Subscribe(h.ctx, signal("whep", "bob", room.Viewer), "r", "bob", func(track string, _ *rtp.Packet, _ interceptor.Attributes) {
		got <- track
	}, camera, mic)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = subscriber.Close() }()
	seen := map[string]int{}
	for seen["camera"] < 20 || seen["mic"] < 20 {
		select {
		case track := <-got:
			seen[track]++
		case <-h.ctx.Done():
			t.Fatalf("packets: %v", seen)
		}
	}
	stop()
	if err := errors.Join(<-sent, <-sent); err != nil {
		t.Error(err)
	}
	remove := func(user string) int {
		req, err := http.NewRequestWithContext(h.ctx, http.MethodDelete, p.URL()+published, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+h.token(user, room.Presenter))
		res, _, err := do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	if got := remove("mallory"); got != http.StatusNotFound {
		t.Errorf("another's session is deleted: %d", got)
	}
	if got := remove("alice"); got != http.StatusOK {
		t.Errorf("DELETE: %d", got)
	}
	watcher.until("alice left", func() bool { return !slices.Contains(watcher.people(), "alice") })
}

func TestWHIPRefusals(t *testing.T) {
	h := newHouse(t)
	p := h.portal("portal-1")
	p.opts.OfferTime = 100 * time.Millisecond
	const offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\n"
	for _, c := range []struct {
		room, token, contentType, body string
		status                         int
		says                           string
	}{
		{"r", "", sdpType, offer, 401, "give the token"},
		{"other", h.token("a", room.Presenter), sdpType, offer, 403, "another room"},
		{"r", h.token("a", room.Presenter), "text/plain", offer, 415, "application/sdp"},
		{"r", h.token("a", room.Presenter), sdpType, "x", 400, "no audio and no video"},
		{"r", h.token("a", room.Presenter), sdpType, strings.Repeat("x", maxMessage+1), 413, "too large"},
		{"r", h.token("a", room.Viewer), sdpType, offer, 403, "viewer"},
		{"r", h.token("a", room.Presenter), sdpType, offer, 503, "no SFU"}, // there is none
	} {
		res, text, err := post(h.ctx, p.URL()+"/whip/"+c.room, c.token, c.contentType, c.body)
		if err != nil || res.StatusCode != c.status || !strings.Contains(text, c.says) {
			t.Errorf("got %v %q, %v; want %d %q", res, text, err, c.status, c.says)
		}
	}
	req, _ := http.NewRequestWithContext(h.ctx, http.MethodPatch, p.URL()+"/whip/r/x", nil)
	if res, _, err := do(req); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PATCH: %v, %v; want 405", res, err)
	}
	req, _ = http.NewRequestWithContext(h.ctx, http.MethodOptions, p.URL()+"/whip/r", nil)
	if res, _, err := do(req); err != nil || res.Header.Get("Accept-Post") != sdpType {
		t.Errorf("OPTIONS: %v, %v", res, err)
	}
	for path, status := range map[string]int{"/r/some%20room": 200, "/page/room.js": 200, "/page/": 404, "/page/../hall.go": 404, "/nothing": 404} {
		req, _ := http.NewRequestWithContext(h.ctx, http.MethodGet, p.URL()+path, nil)
		res, _, err := do(req)
		if err != nil || res.StatusCode != status {
			t.Errorf("GET %s: %v, %v; want %d", path, res, err, status)
		}
	}
}

// Whatever a client says, it is refused or has one of the known types.
func FuzzSections(f *testing.F) {
	f.Add("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n")
	f.Fuzz(func(t *testing.T, offer string) {
		s, err := sectionsOf(offer)
		if err == nil && (len(s) == 0 || len(s) > 2) {
			t.Errorf("%q: %v", offer, s)
		}
	})
}
