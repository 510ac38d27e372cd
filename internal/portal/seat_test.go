package portal

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// A participant that enters without a WebSocket of ours is one like others: it
// hears of them, they of it, and a message to one of them reaches nobody else.
func TestSeats(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.portal("portal-1")
	page := h.join(p, request{Token: h.token("page", room.Presenter), Tracks: []trackSaid{{Source: "mic"}}})
	news := make(chan News, 1000)
	enter := func(user string, role room.Role) *Seat {
		s, err := p.Enter(roomtoken.Claims{Room: "r", User: user, Role: role}, func(n News) {
			if user == "alice" {
				news <- n
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	alice, bob := enter("alice", room.Presenter), enter("bob", room.Viewer)
	late := time.After(patience)
	next := func(what string, f func(News) bool) {
		t.Helper()
		for {
			select {
			case n := <-news:
				if f(n) {
					return
				}
			case <-late:
				t.Fatalf("%s: the room is %+v", what, alice.State())
			}
		}
	}
	next("three people and an SFU", func(n News) bool { return n.State != nil && len(n.State.Participants) == 3 && n.State.Part.Node != "" })
	page.until("three people", func() bool { return len(page.people()) == 3 })

	track := room.PublishedTrack{Track: room.Track{ID: alice.ID() + ".camera", Source: "camera"}, About: `{"a":1}`}
	if err := alice.Publish([]room.PublishedTrack{track}); err != nil {
		t.Fatal(err)
	}
	page.until("the track", func() bool {
		return slices.ContainsFunc(page.state.Participants, func(p room.Participant) bool { return slices.Equal(p.Tracks, []room.PublishedTrack{track}) })
	})
	if err := bob.Publish([]room.PublishedTrack{track}); err == nil {
		t.Error("a viewer publishes")
	}
	track.ID = page.you + ".camera"
	if err := alice.Publish([]room.PublishedTrack{track}); err == nil {
		t.Error("alice publishes in the name of another")
	}
	if err := alice.Publish(make([]room.PublishedTrack, room.MaxTracks+1)); err == nil {
		t.Error("tracks are not limited")
	}

	for _, m := range [][2]string{{page.you, "for the page"}, {alice.ID(), "for alice"}, {"", "for all"}} {
		if err := bob.Text(h.ctx, m[0], m[1]); err != nil {
			t.Fatal(err)
		}
	}
	page.until("two texts", func() bool { return len(page.texts) == 2 })
	if want := []string{"bob: for the page", "bob: for all"}; !slices.Equal(page.texts, want) {
		t.Errorf("the page got %q, want %q", page.texts, want)
	}
	var texts []string
	next("two texts", func(n News) bool {
		if n.Text != nil {
			texts = append(texts, n.Text.Text)
		}
		return len(texts) == 2
	})
	if want := []string{"for alice", "for all"}; !slices.Equal(texts, want) {
		t.Errorf("alice got %q, want %q", texts, want)
	}

	bob.Leave()
	next("two people", func(n News) bool { return n.State != nil && len(n.State.Participants) == 2 })
	alice.Leave()
	page.until("alone", func() bool { return len(page.people()) == 1 })
}
