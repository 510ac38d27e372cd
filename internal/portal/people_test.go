package portal

import (
	"slices"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// frameRate is how many frames of each track people send in a second.
const frameRate = 50

// people are two who see and hear each other, and one who looks on.
type people struct {
	h   *house
	all []*rtcload.Person
}

// enter has people come to the room, at the first of the portals.
func (h *house) enter(portals ...*Portal) *people {
	h.t.Helper()
	p := &people{h: h}
	var urls []string
	for _, portal := range portals {
		urls = append(urls, portal.URL())
	}
	for user, role := range map[string]room.Role{"alice": room.Presenter, "bob": room.Presenter, "carol": room.Viewer} {
		o := rtcload.PersonOptions{Portals: urls, Token: h.token(user, role), Rate: frameRate}
		if role == room.Presenter {
			o.Publish = []string{"camera", "mic"}
		}
		person := rtcload.Enter(o)
		h.t.Cleanup(person.Close)
		p.all = append(p.all, person)
	}
	p.flow("everybody sees and hears everybody")
	return p
}

// until waits until something is true of each of them.
func (p *people) until(what string, f func(rtcload.View) bool) {
	p.h.t.Helper()
	for _, person := range p.all {
		p.h.until(what, func() bool { return f(person.View()) })
	}
}

// flow waits until a second's frames of each track have come that were not sent
// yet now.
func (p *people) flow(what string) {
	p.h.t.Helper()
	for _, person := range p.all {
		var before map[string]rtcload.Stream
		p.h.until(what, func() bool {
			v := person.View()
			tracks := 2 * (len(p.senders(v.State)) - boolInt(slices.Contains(p.senders(v.State), v.You)))
			if len(p.senders(v.State)) != 2 || len(v.Streams) != tracks {
				return false
			}
			if before == nil {
				before = v.Streams
			}
			for track, s := range v.Streams {
				if s.Last < before[track].Last+frameRate {
					return false
				}
			}
			return true
		})
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *people) senders(s room.State) (ids []string) {
	for _, other := range s.Participants {
		if len(other.Tracks) > 0 {
			ids = append(ids, other.ID)
		}
	}
	return ids
}

// lost is the longest run of frames of a track that somebody did not get.
func (p *people) lost() (frames int) {
	for _, person := range p.all {
		for _, s := range person.View().Streams {
			frames = max(frames, s.Missing)
		}
	}
	return frames
}

// Nothing that carries no media is missed by those who see each other: not a
// frame is lost, and nobody is moved.
func TestMediaGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		managers int
		fault    func(h *house, p *people, portals []*Portal, crash func())
	}{
		"without its portal": {1, func(_ *house, p *people, portals []*Portal, _ func()) {
			ids := map[string]bool{}
			for _, person := range p.all {
				ids[person.View().You] = true
			}
			if err := portals[0].Close(); err != nil {
				t.Error(err)
			}
			p.until("another portal has the session", func(v rtcload.View) bool { return v.Portal == portals[1].URL() })
			p.until("the room says so", func(v rtcload.View) bool {
				for _, other := range v.State.Participants {
					if other.Portal != portals[1].opts.ID || !ids[other.ID] {
						return false
					}
				}
				return len(v.State.Participants) == 3
			})
		}},
		"without its conference": {1, func(_ *house, p *people, _ []*Portal, crash func()) {
			version := p.all[0].View().State.Version
			crash()
			p.until("another conference has the room", func(v rtcload.View) bool {
				return v.State.Version > version && v.State.Settled && len(v.State.Participants) == 3
			})
		}},
		"without the leader": {3, func(h *house, p *people, _ []*Portal, _ func()) {
			h.killLeader()
			if _, err := h.client.Workers(h.ctx, ""); err != nil {
				t.Error(err)
			}
			p.until("everybody is there", func(v rtcload.View) bool { return len(v.State.Participants) == 3 })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouseOf(t, c.managers)
			crash := h.conference()
			h.sfu("sfu-1")
			portals := []*Portal{h.portal("portal-1"), h.portal("portal-2")}
			p := h.enter(portals...)
			c.fault(h, p, portals, crash)
			p.flow("media goes on")
			if lost := p.lost(); lost > 0 {
				t.Errorf("%d frames in a row were lost", lost)
			}
			p.until("is still at the first SFU", func(v rtcload.View) bool { return v.State.Part.Number == 1 && v.Moves == 0 })
		})
	}
}

// A drained SFU is left without a gap, and then ended.
func TestDrainHasNoGap(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.enter(h.portal("portal-1"))
	old := p.all[0].View().State.Part
	h.sfu("sfu-2")
	if _, err := h.client.Drain(h.ctx, muster.DrainOrder{Selector: muster.Selector{Worker: "sfu-1"}}); err != nil {
		t.Fatal(err)
	}
	p.until("was moved, and the old SFU is left", func(v rtcload.View) bool {
		return v.Moves == 1 && v.State.Part.Worker == "sfu-2" && !v.State.Part.Drained
	})
	p.flow("media goes on")
	// 40 ms; the first frame by another connection takes longer.
	if lost := p.lost(); lost > 2 {
		t.Errorf("%d frames in a row were lost", lost)
	}
	h.until("the old part has not ended", func() bool {
		report, err := h.client.QueryTask(h.ctx, old.Worker, room.PartTask("r", old.Number))
		return err != nil || report.State == muster.TaskDone
	})
}

// The SFU dies again and again: everybody sees and hears everybody afterwards.
func TestEverybodyIsServedAgain(t *testing.T) {
	h := newHouse(t)
	h.conference()
	crash := h.sfu("sfu-1")
	p := h.enter(h.portal("portal-1"))
	for i := range 2 {
		crash()
		p.until("was moved", func(v rtcload.View) bool { return v.Moves == i+1 && v.State.Part.Number == i+2 })
		p.flow("media goes on")
	}
}

// What is logged at level Info holds neither tokens nor keys, nor addresses of
// clients, whatever happens.
func TestLogsHoldNoSecrets(t *testing.T) {
	h := newHouse(t)
	h.conference()
	crash := h.sfu("sfu-1")
	portal := h.portal("portal-1")
	p := h.enter(portal)
	token, viewer := h.token("alice", room.Presenter), h.token("alice", room.Viewer)
	alice := h.join(portal, request{Token: token})
	for _, q := range []request{{Type: "join", Token: token + "x"}, {Type: "join", Token: viewer, Ticket: alice.ticket[1:]}} {
		if e := h.guest(portal).ask(q); e.Error == "" {
			t.Errorf("%+v is not refused", q)
		}
	}
	for _, sdp := range []string{"nonsense", "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=candidate:1 1 udp 1 10.9.8.7 9 typ host\r\n"} {
		if _, _, err := post(h.ctx, portal.URL()+"/whip/r", token, sdpType, sdp); err != nil {
			t.Fatal(err)
		}
	}
	crash()
	p.until("was moved", func(v rtcload.View) bool { return v.Moves == 1 })
	p.flow("media goes on")
	logged := h.logs.String()
	if !strings.Contains(logged, "SFU lost") {
		t.Errorf("the log does not say what happened:\n%s", logged)
	}
	for _, secret := range []string{token, viewer, alice.ticket, testKey, "eyJ", "candidate", "10.9.8.7", "ufrag", "fingerprint"} {
		if strings.Contains(logged, secret) {
			t.Errorf("logged: %q in\n%s", secret, logged)
		}
	}
}
