package portal

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/sfu"
)

// spy is a queue that only records what is sent to SFUs.
type spy struct {
	bus.Conn
	t    *testing.T
	role room.Role
}

var errSpy = errors.New("not answered")

func (s spy) Call(_ context.Context, server, method string, args ...any) (json.RawMessage, error) {
	if server != "sfu-1" {
		s.t.Errorf("%s is called, which does not serve the room", server)
	}
	mine := func(what, name string) {
		if !strings.HasPrefix(name, "me.") {
			s.t.Errorf("%s is called for the %s %q of somebody else", method, what, name)
		}
	}
	publishes := func(c room.Change) {
		for _, track := range c.Publish {
			if track.ID != "" {
				mine("track", track.ID)
			}
			if track.ID != "" && s.role == room.Viewer {
				s.t.Errorf("a viewer publishes %s", track.ID)
			}
		}
	}
	switch arg := args[0].(type) {
	case room.Offer:
		mine("session", arg.Session)
		publishes(arg.Change)
		if method != "offer" || arg.Owner != "me" || arg.Room != "r" || arg.ReceiveOnly != (s.role == room.Viewer) {
			s.t.Errorf("%s(%+v)", method, arg)
		}
	case sfu.ChangeOf:
		mine("session", arg.Session)
		publishes(arg.Change)
	case sfu.End:
		mine("session", arg.Session)
		if arg.Owner != "" {
			s.t.Errorf("all sessions of %q are ended", arg.Owner)
		}
	default:
		s.t.Errorf("%s(%+v)", method, args)
	}
	return nil, errSpy
}

func (s spy) Publish(_ context.Context, topic, key string, body any) error {
	n, ok := body.(room.Notice)
	if !ok || topic != room.Topic || key != room.KeyText("r") || n.From != "me" || n.User != "alice" || n.Room != "r" || len(n.Text) > room.MaxText {
		s.t.Errorf("published: %s %s %+v", topic, key, body)
	}
	return nil
}

// Whatever a client says, it concerns its own sessions and tracks only, on the
// SFUs of its room.
func FuzzSignalling(f *testing.F) {
	for _, text := range []string{
		`{"n":1,"type":"tracks","tracks":[{"source":"camera","muted":true}]}`,
		`{"n":2,"type":"offer","node":"sfu-1","session":"up","sdp":"v=0\r\n","publish":{"0":"camera","1":""}}`,
		`{"n":3,"type":"change","node":"sfu-1","session":"down","want":{"0":"other.camera"},"view":{"other.camera":180}}`,
		`{"n":4,"type":"end","node":"sfu-1","session":"up"}`,
		`{"n":5,"type":"text","text":"hello"}`, `{"n":6,"type":"leave"}`,
		`{"n":7,"type":"offer","node":"manager","session":"up","sdp":"v=0"}`,
	} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, viewer bool) {
		var q request
		if json.Unmarshal(text, &q) != nil {
			return // the connection ends
		}
		role := room.Presenter
		if viewer {
			role = room.Viewer
		}
		p := &Portal{opts: Options{Conn: spy{t: t, role: role}, ID: "portal-1"}}
		h := newHall(p, "r")
		h.nodes = []string{"sfu-1"}
		m := newMember(h, roomtoken.Claims{Room: "r", User: "alice", Role: role}, "me", 1)
		s := &socket{portal: p, member: m}
		if _, err := s.handle(context.Background(), q); err != nil && err.Error() == "" {
			t.Error("refused without a reason")
		}
		tracks := m.participant().Tracks
		if len(tracks) > room.MaxTracks || viewer && len(tracks) > 0 {
			t.Errorf("%s publishes %+v", role, tracks)
		}
	})
}
