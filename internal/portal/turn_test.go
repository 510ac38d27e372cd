package portal

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// links are the servers of TURN that an answer names.
func links(header http.Header) (out []webrtc.ICEServer) {
	for _, link := range header.Values("Link") {
		url, attributes, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">; ")
		s := webrtc.ICEServer{URLs: []string{url}}
		for a := range strings.SplitSeq(attributes, "; ") {
			name, value, _ := strings.Cut(a, "=")
			switch value = strings.Trim(value, `"`); name {
			case "username":
				s.Username = value
			case "credential":
				s.Credential = value
			}
		}
		out = append(out, s)
	}
	return out
}

// Clients hear of the TURN servers of their room's SFU, with credentials of their
// own, and of those of the next one.
func TestTURNOfTheRoom(t *testing.T) {
	h := newHouse(t)
	h.conference()
	turn := rtc.TURN{Listen: "127.0.0.1:0", Key: h.key}
	crash := h.sfuWith("sfu-1", rtc.Options{TURN: turn})
	p := h.portal("portal-1")
	alice := h.join(p, request{Token: h.token("alice", room.Presenter)})
	alice.until("the servers", func() bool { return len(alice.ice) == 1 && len(alice.ice[0].URLs) == 2 })
	if _, who, _ := strings.Cut(alice.ice[0].Username, ":"); who != alice.you {
		t.Errorf("the credentials are those of %q, not of %s", who, alice.you)
	}
	if e := h.guest(p).ask(request{Type: "join", Token: h.token("bob", room.Viewer)}); len(e.ICE) != 1 || e.ICE[0].Username == alice.ice[0].Username {
		t.Errorf("bob, who comes later, gets %+v", e.ICE)
	}

	before := alice.ice[0].URLs
	h.sfuWith("sfu-2", rtc.Options{TURN: turn})
	crash()
	alice.until("the servers of the next SFU", func() bool {
		return alice.state.Part.Worker != "" && len(alice.ice) == 1 && !slices.Equal(alice.ice[0].URLs, before)
	})

	// WHIP: the servers are known before the offer, and come with the answer.
	req, err := http.NewRequestWithContext(h.ctx, http.MethodOptions, p.URL()+"/whip/r", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, _, err := do(req); err != nil || len(res.Header.Values("Link")) != 0 {
		t.Errorf("who has no token learns %q, %v", res.Header.Values("Link"), err)
	}
	req.Header.Set("Authorization", "Bearer "+h.token("carol", room.Presenter))
	res, _, err := do(req)
	if err != nil {
		t.Fatal(err)
	}
	servers := links(res.Header)
	if len(servers) != 2 {
		t.Fatalf("the servers are %+v", servers)
	}
	var answered []webrtc.ICEServer
	camera := room.Track{ID: "camera", Source: "camera"}
	publisher, err := rtcload.Client{Relay: servers}.Publish(h.ctx, func(ctx context.Context, o room.Offer) (string, error) {
		res, text, err := post(ctx, p.URL()+"/whip/r", h.token("carol", room.Presenter), sdpType, o.SDP)
		if err == nil {
			answered = links(res.Header)
		}
		return text, err
	}, "r", "carol", nil, camera)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = publisher.Close() }()
	if len(answered) != 2 || answered[0].URLs[0] != servers[0].URLs[0] {
		t.Errorf("with the answer come %+v", answered)
	}
}
