package owtportal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/owtsdp"
	"github.com/muster-fleet/muster/internal/portal"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// fakeSeat is a participant of a room without a cluster.
type fakeSeat struct {
	id, user string
	role     room.Role
	key      roomtoken.Key

	mu     sync.Mutex
	state  room.State
	asked  []room.Change // of offers and changes
	sdp    string        // of the last offer
	ended  []string
	texts  []string
	broken error
	left   bool
	leaves chan struct{}
	hear   func(portal.News)
}

func newFakeSeat(id, user string) *fakeSeat {
	s := &fakeSeat{id: id, user: user, role: room.Presenter, leaves: make(chan struct{})}
	s.state = room.State{Name: "room1", Version: 1, Part: room.Part{Number: 1, Node: "sfu-1"}, Participants: []room.Participant{{ID: id, User: user, Role: room.Presenter}}}
	return s
}

func (s *fakeSeat) ID() string { return s.id }

func (s *fakeSeat) State() room.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// change changes the room, and returns the state.
func (s *fakeSeat) change(f func(*room.State)) room.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Participants = append([]room.Participant{}, s.state.Participants...)
	f(&s.state)
	s.state.Version++
	return s.state
}

func (s *fakeSeat) Publish(tracks []room.PublishedTrack) error {
	s.change(func(r *room.State) {
		for i := range r.Participants {
			if r.Participants[i].ID == s.id {
				r.Participants[i].Tracks = tracks
			}
		}
	})
	return nil
}

func (s *fakeSeat) Node(context.Context) (string, error) {
	if node := s.State().Part.Node; node != "" {
		return node, nil
	}
	return "", errors.New("no SFU")
}

func (s *fakeSeat) Session(label string) string { return s.id + "." + label }

func (s *fakeSeat) Offer(_ context.Context, _, _, sdp string, c room.Change) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.sdp = append(s.asked, c), sdp
	return answerTo(sdp), s.broken
}

func (s *fakeSeat) Change(_ context.Context, _, _ string, c room.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, c)
	return s.broken
}

func (s *fakeSeat) End(_ context.Context, node, label string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, node+" "+label)
	return nil
}

func (s *fakeSeat) Text(_ context.Context, to, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, to+": "+text)
	return nil
}

func (s *fakeSeat) Ticket(until time.Time) (string, error) {
	return s.key.Sign(roomtoken.Claims{Room: "room1", User: s.user, Role: s.role, Participant: s.id}, until)
}

func (s *fakeSeat) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.left = true
		close(s.leaves)
	}
}

// last is what the SFU was asked last.
func (s *fakeSeat) last() room.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[len(s.asked)-1]
}

// sectionOf is a section of an offer.
func sectionOf(kind, mid, direction string) string {
	return fmt.Sprintf("m=%s 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=%s\r\n", kind, mid, direction)
}

const sdpHead = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"

// answerTo answers an offer as an SFU does.
func answerTo(offer string) string {
	out := owtsdp.Blocks(offer)
	for i, block := range out[1:] {
		mid := owtsdp.Attribute(block, "mid")
		codec := "96 VP8/90000"
		if owtsdp.Kind(block) == audio {
			codec = "96 opus/48000/2"
		}
		block = strings.TrimRight(block, "\r\n") + "\r\na=rtpmap:" + codec + "\r\n"
		switch owtsdp.Direction(block) {
		case "sendonly":
			block = owtsdp.Direct(block, "recvonly")
		case "recvonly":
			block = owtsdp.Direct(block, "sendonly") + "a=msid:room slot" + mid + "\r\na=ssrc:7 msid:room slot" + mid + "\r\n"
		}
		out[i+1] = block
	}
	return strings.Join(out, "")
}

// actor is a person without a socket.
type actor struct {
	t    *testing.T
	seat *fakeSeat
	*person
	heard []emission
}

func newActor(t *testing.T, seat *fakeSeat) *actor {
	a := &actor{t: t, seat: seat}
	a.person = &person{seat: seat, role: seat.role, view: newView(seat.State()), out: func(event string, data any) {
		a.heard = append(a.heard, emission{event, data})
	}}
	return a
}

// ask makes a request, and returns its answer as JSON.
func (a *actor) ask(name, arg string) string {
	a.t.Helper()
	answer := ""
	w := a.handle(call{name: name, arg: json.RawMessage(arg), reply: func(status string, data ...any) {
		answer = jsonOf(a.t, append([]any{status}, data...))
	}})
	a.finish(w)
	if answer == "" {
		a.t.Fatalf("%s %s is not answered", name, arg)
	}
	return answer
}

// finish does what takes time.
func (a *actor) finish(w work) {
	for {
		if w == nil {
			if len(a.later) == 0 {
				return
			}
			w, a.later = a.later[0], a.later[1:]
		}
		w(context.Background())()
		w = nil
	}
}

// sync takes the state of the room.
func (a *actor) sync(s room.State) {
	a.hear(portal.News{State: &s})
	a.finish(nil)
}

// begin makes a request that begins a session, and returns it.
func (a *actor) begin(name, arg string) (session, transport string) {
	a.t.Helper()
	var answer []json.RawMessage
	text := a.ask(name, arg)
	var data sessionAnswer
	if json.Unmarshal([]byte(text), &answer) != nil || len(answer) != 2 || json.Unmarshal(answer[1], &data) != nil || data.ID == "" {
		a.t.Fatalf("%s %s: %s", name, arg, text)
	}
	return data.ID, data.Transport
}

// offer sends an offer.
func (a *actor) offer(transport string, sections ...string) {
	a.t.Helper()
	body := jsonOf(a.t, map[string]any{"id": transport, "signaling": sdpData{"offer", sdpHead + strings.Join(sections, "")}})
	if got := a.ask("soac", body); got != `["ok"]` {
		a.t.Fatalf("the offer is answered with %s", got)
	}
}

// told returns what the client has been told since the last time.
func (a *actor) told() []string {
	var out []string
	for _, e := range a.heard {
		out = append(out, e.event+" "+jsonOf(a.t, e.data))
	}
	a.heard = nil
	return out
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
