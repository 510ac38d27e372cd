package portal

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// Two people who send a camera and a microphone at frameRate make 400 packets a
// second at their SFU, three make 900: they fill one with fewPackets.
const (
	fewPackets = 800
	fullWith   = 3
)

// crowd are five people who all send and receive: three fill the SFU sfu-1, and the
// others come when there is sfu-2. It returns what crashes each.
func (h *house) crowd(portal *Portal) (p *people, crash map[string]func()) {
	h.t.Helper()
	crash = map[string]func(){"sfu-1": h.sfuWith("sfu-1", rtc.Options{Limits: rtc.Limits{Packets: fewPackets}})}
	p = &people{h: h}
	for _, user := range []string{"alice", "bob", "carol", "dave", "erin"} {
		if len(p.all) == fullWith {
			h.until("the SFU is not full", func() bool { return p.all[0].View().State.Parts[0].Full })
			crash["sfu-2"] = h.sfu("sfu-2")
		}
		person := rtcload.Enter(rtcload.PersonOptions{
			Portals: []string{portal.URL()}, Token: h.token(user, room.Presenter), Rate: frameRate, Publish: []string{"camera", "mic"},
		})
		h.t.Cleanup(person.Close)
		p.all = append(p.all, person)
		h.until(user+" has no part", func() bool { return person.View().State.Part.Node != "" })
	}
	p.everybody("everybody sees and hears everybody")
	if got := p.parts(); got["sfu-1"] == 0 || got["sfu-2"] == 0 { // a busy machine sends less than it should
		h.t.Fatalf("people by SFU: %v", got)
	}
	for _, person := range p.all {
		person.ResetGaps() // what people miss who come and go is not measured here
	}
	return p, crash
}

// everybody waits until a second's frames of each track of each other have come that
// were not sent yet now.
func (p *people) everybody(what string) {
	p.h.t.Helper()
	for _, person := range p.all {
		var before map[string]rtcload.Stream
		p.h.until(what, func() bool {
			v := person.View()
			if len(v.State.Participants) != len(p.all) || len(v.Streams) < 2*(len(p.all)-1) {
				return false
			}
			if before == nil {
				before = v.Streams
			}
			for _, other := range v.State.Participants {
				for _, t := range other.Tracks {
					if other.ID != v.You && v.Streams[t.ID].Last < before[t.ID].Last+frameRate {
						return false
					}
				}
			}
			return true
		})
	}
}

// parts are how many people are in each part, by its SFU's worker.
func (p *people) parts() map[string]int {
	out := map[string]int{}
	for _, person := range p.all {
		out[person.View().State.Part.Worker]++
	}
	return out
}

// A room that outgrows an SFU gets another part. People see and hear each other over
// the link; each SFU dies in turn, and only its own people are moved.
func TestRoomOutgrowsAnSFU(t *testing.T) {
	h := newHouse(t)
	h.conference()
	p, crash := h.crowd(h.portal("portal-1"))
	for _, worker := range []string{"sfu-1", "sfu-2"} {
		before := map[string]int{}
		for _, person := range p.all {
			person.ResetGaps()
			before[person.View().You] = person.View().Moves
		}
		crash[worker]()
		p.everybody(worker + " died")
		gap := time.Duration(0)
		for _, person := range p.all {
			v := person.View()
			for _, s := range v.Streams {
				gap = max(gap, s.Gap)
			}
			moved := v.Moves > before[v.You]
			if was := v.State.Part.Worker == worker; was != moved {
				t.Errorf("%s is at %s after the death of %s, moved %v", v.You, v.State.Part.Worker, worker, moved)
			}
		}
		t.Logf("%s killed: the longest gap is %v", worker, gap.Round(time.Millisecond))
	}
}

// The SFU of a part is drained without a gap, over the links, too: to one that serves
// no other part, and to one that does.
func TestDrainOfAPartHasNoGap(t *testing.T) {
	for name, third := range map[string]bool{"to a third": true, "to that of the other part": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.conference()
			p, _ := h.crowd(h.portal("portal-1"))
			if third {
				h.sfu("sfu-3")
			}
			parts := p.all[0].View().State.Parts
			drained := parts[slices.IndexFunc(parts, func(part room.Part) bool { return part.Worker == "sfu-2" })]
			if _, err := h.client.Drain(h.ctx, muster.DrainOrder{Selector: muster.Selector{Worker: drained.Worker}}); err != nil {
				t.Fatal(err)
			}
			p.until("the part has moved", func(v rtcload.View) bool {
				return !slices.ContainsFunc(v.State.Parts, func(part room.Part) bool { return part.Drained || part.Worker == drained.Worker })
			})
			p.everybody("media goes on")
			if lost := p.lost(); lost > 2 {
				t.Errorf("%d frames in a row were lost", lost)
			}
			h.until("the old placement has not ended", func() bool {
				report, err := h.client.QueryTask(h.ctx, drained.Worker, room.PartTask("r", drained.Number))
				return err != nil || report.State == muster.TaskDone
			})
		})
	}
}

// A conference that begins again knows every part, and who is in which.
func TestPartsOutliveTheConference(t *testing.T) {
	h := newHouse(t)
	crash := h.conference()
	p, _ := h.crowd(h.portal("portal-1"))
	before := p.all[0].View().State
	crash()
	p.until("another conference has the room", func(v rtcload.View) bool { return v.State.Version > before.Version && v.State.Settled })
	p.everybody("media goes on")
	if lost := p.lost(); lost > 0 {
		t.Errorf("%d frames in a row were lost", lost)
	}
	p.until("stays where it was", func(v rtcload.View) bool { return v.Moves == 0 })
	after := p.all[0].View().State
	for i, part := range before.Parts {
		if after.Parts[i].Number != part.Number || after.Parts[i].Node != part.Node {
			t.Errorf("part %+v after %+v", after.Parts[i], part)
		}
	}
}

// People are served in their region, where there is an SFU, and see each other.
func TestPartsOfRegions(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.regions["sfu-eu"], h.regions["sfu-us"] = []string{"eu"}, []string{"us"}
	h.sfu("sfu-eu")
	h.sfu("sfu-us")
	p := &people{h: h}
	for _, c := range []struct{ user, region, worker string }{{"alice", "us", "sfu-us"}, {"bob", "eu", "sfu-eu"}, {"carol", "asia", "sfu-us"}} {
		person := rtcload.Enter(rtcload.PersonOptions{
			Portals: []string{h.portalIn("portal-"+c.region, c.region).URL()}, Token: h.token(c.user, room.Presenter), Rate: frameRate, Publish: []string{"camera", "mic"},
		})
		t.Cleanup(person.Close)
		p.all = append(p.all, person)
		h.until(c.user+" has no SFU", func() bool { return person.View().State.Part.Node != "" })
		if got := person.View().State.Part.Worker; got != c.worker {
			t.Errorf("%s from %s is at %s, want %s", c.user, c.region, got, c.worker)
		}
	}
	p.everybody("everybody sees and hears everybody")
}
