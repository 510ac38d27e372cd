package election

import (
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// drive runs one manager with a clock that the test advances.
type drive struct {
	t   *testing.T
	e   *Election
	now time.Duration
}

func newDrive(t *testing.T, id int64, standing Standing) *drive {
	d := &drive{t: t, e: New(id, DefaultTiming())}
	d.e.Stand(standing)
	return d
}

// run ticks every 10 ms up to that time, and returns what was sent. echo gives
// the manager back what it sends, as the broker does.
func (d *drive) run(until time.Duration, echo bool) (sent []Message) {
	for ; d.now < until; d.now += 10 * ms {
		out := d.e.Tick(d.now)
		sent = append(sent, out...)
		for _, m := range out {
			if echo {
				d.e.Hear(d.now, m)
			}
		}
	}
	return sent
}

func (d *drive) hear(m Message) { d.e.Hear(d.now, m) }

func (d *drive) want(role Role, serving bool) {
	d.t.Helper()
	if d.e.Role() != role || d.e.Serving(d.now) != serving {
		d.t.Fatalf("at %v it is a %v, serving %v, want %v, %v", d.now, d.e.Role(), d.e.Serving(d.now), role, serving)
	}
}

func (d *drive) makeMaster() {
	d.t.Helper()
	d.run(d.now+200*ms, true)
	d.want(Master, true)
}

const (
	low  = MinID + 1
	mid  = MinID + 1000
	high = MinID + 2000
)

func declare(to Role, id, life int64) Message {
	return Message{Kind: DeclareMaster, To: to, ID: id, LifeTime: life}
}

func recommend(id int64) Message {
	return Message{Kind: SelfRecommend, To: Candidate, ID: id}
}

func TestAloneItIsMasterAfterTheTimeToDecide(t *testing.T) {
	d := newDrive(t, mid, Current)
	sent := d.run(160*ms, true)
	d.want(Candidate, false)
	want := slices.Repeat([]Message{recommend(mid)}, 6) // at 0, 30 ... 150 ms
	if !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
	sent = d.run(210*ms, true)
	want = nil
	for beat := range int64(3) {
		want = append(want, declare(Slave, mid, beat+1), declare(Candidate, mid, beat+1), declare(Master, mid, beat+1))
	}
	if !slices.Equal(sent, want) {
		t.Errorf("as master it sent %v, want %v", sent, want)
	}
	d.want(Master, true)
	if d.e.MasterID() != mid {
		t.Errorf("the master is %d, want itself", d.e.MasterID())
	}
}

func TestWhoIsNotHeardIsNotElected(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.run(10*ms, false)
	d.hear(recommend(low))
	d.run(2000*ms, false)
	d.want(Candidate, false)
}

func TestCandidate(t *testing.T) {
	tests := map[string]struct {
		standing Standing
		hears    Message
		want     Role
	}{
		"a smaller id":                       {Current, recommend(low), Master},
		"a larger id":                        {Current, recommend(high), Candidate},
		"a master":                           {Current, declare(Candidate, low, 1), Slave},
		"itself as master, from before":      {Current, declare(Candidate, mid, 1), Master},
		"a master's word to others":          {Current, declare(Slave, low, 1), Master},
		"with nothing, one that has it all":  {Empty, recommend(low), Candidate},
		"with nothing, a larger one alike":   {Empty, recommend(high % standingBand), Candidate},
		"with nothing, a smaller one alike":  {Empty, recommend(low % standingBand), Master},
		"with holes, one with nothing":       {Stale, recommend(high % standingBand), Master},
		"with holes, one that has it all":    {Stale, recommend(low), Candidate},
		"with all, a larger one with holes":  {Current, recommend(standingBand + high%standingBand), Master},
		"with holes, a larger one with them": {Stale, recommend(standingBand + high%standingBand), Candidate},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDrive(t, mid, tt.standing)
			d.run(50*ms, true)
			d.hear(tt.hears)
			d.run(170*ms, true)
			if d.e.Role() != tt.want {
				t.Errorf("it is a %v, want %v", d.e.Role(), tt.want)
			}
		})
	}
}

func TestCandidateTriesAgainWhenTheLargerOneIsGone(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.run(50*ms, true)
	d.hear(recommend(high))
	d.run(400*ms, true)
	d.want(Master, true)
}

func TestSlaveBearsTwoChecksWithoutAHeartBeat(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.run(10*ms, true)
	d.hear(declare(Candidate, low, 5))
	began := d.now
	if got := d.e.MasterID(); got != low {
		t.Errorf("it follows %d, want %d", got, low)
	}
	d.run(began+120*ms, true) // heard, then two misses
	d.want(Slave, false)
	sent := d.run(began+130*ms, true)
	d.want(Candidate, false)
	if want := []Message{recommend(mid)}; !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v at once", sent, want)
	}
	d.run(began+300*ms, true)
	d.want(Master, true)
}

func TestHeartBeatsKeepASlave(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.run(10*ms, true)
	d.hear(declare(Candidate, low, 5))
	for beat := range int64(50) {
		d.run(d.now+60*ms, true)
		d.hear(declare(Slave, low, 6+beat))
	}
	d.want(Slave, false)
	term := d.e.Term()
	d.hear(declare(Slave, high, 3))
	if d.e.MasterID() != low || d.e.Term() != term {
		t.Errorf("the slave left a living master for a younger one")
	}
	d.hear(declare(Slave, high, 300))
	if d.e.MasterID() != high || d.e.Term() == term {
		t.Errorf("it follows %d, want the older master %d", d.e.MasterID(), high)
	}
}

func TestStoppedSlaveDoesNotTakeItsOwnAbsenceForTheMasters(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.run(10*ms, true)
	d.hear(declare(Candidate, low, 5))
	d.run(d.now+110*ms, true) // two misses
	d.now += time.Minute
	d.run(d.now+80*ms, true)
	d.want(Slave, false)
}

func TestSlaveDoesNotFollowItself(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.makeMaster()
	d.hear(declare(Master, low, 500))
	d.hear(declare(Slave, mid, 1000)) // on its way since before
	if d.e.MasterID() != low {
		t.Errorf("it follows %d, want %d", d.e.MasterID(), low)
	}
	d.run(d.now+70*ms, false)
	d.hear(declare(Slave, mid, 1001))
	d.run(d.now+70*ms, false)
	d.want(Candidate, false)
}

func TestFirstLeaseIsShort(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.run(160*ms, true)
	d.run(170*ms, false)
	d.want(Master, true)
	if d.now += 80 * ms; d.e.Serving(d.now) {
		t.Error("a new master that was never heard serves for longer than half the time to decide")
	}
}

func TestStoppedCandidateListensAnew(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.run(100*ms, true)
	d.now += time.Minute
	d.run(d.now+150*ms, true)
	d.want(Candidate, false)
	d.hear(declare(Candidate, low, 1))
	d.want(Slave, false)
}

func TestTwoMasters(t *testing.T) {
	tests := map[string]struct {
		id   int64
		ages int64 // of the rival less our own
		want Role
	}{
		"an older one":                  {low, 1, Slave},
		"a younger one":                 {high, -1, Master},
		"of the same age, larger":       {high, 0, Slave},
		"of the same age, smaller":      {low, 0, Master},
		"much younger":                  {high, -8, Master},
		"much older with a smaller id ": {low, 100, Slave},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDrive(t, mid, Current)
			d.makeMaster()
			d.run(d.now+300*ms, true)
			age := d.e.master.beats.number
			d.hear(declare(Master, tt.id, age+tt.ages))
			d.want(tt.want, tt.want == Master)
			if tt.want == Slave && d.e.MasterID() != tt.id {
				t.Errorf("it follows %d, want the other master", d.e.MasterID())
			}
		})
	}
}

// Each of two masters can consider itself the older one, because messages of the
// other are delayed.
func TestRivalsOfOneAge(t *testing.T) {
	for id, beats := range map[int64]int{high: 11, low: 21} {
		d := newDrive(t, mid, Current)
		d.makeMaster()
		heard := 0
		for ; d.e.Role() == Master && heard < 100; heard++ {
			d.run(d.now+20*ms, true)
			d.hear(declare(Master, id, d.e.master.beats.number-1))
		}
		if heard != beats {
			t.Errorf("the master yielded after %d heart-beats of rival %d, want %d", heard, id, beats)
		}
	}
}

func TestMuchYoungerRivalDoesNotWearAMasterDown(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.makeMaster()
	d.run(2000*ms, true)
	for beat := range int64(100) {
		d.run(d.now+20*ms, true)
		d.hear(declare(Master, high, beat+1))
	}
	d.want(Master, true)
}

func TestMasterThatDoesNotHearItselfStopsServing(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.makeMaster()
	d.run(d.now+190*ms, false)
	if d.now += 20 * ms; d.e.Serving(d.now) {
		t.Fatal("the master serves after its lease has expired, without ticks")
	}
	term := d.e.Term()
	for _, m := range d.run(d.now+100*ms, false) {
		if m.Kind != Probe {
			t.Fatalf("in doubt it sent %v", m)
		}
	}
	d.want(Master, false)
	if d.e.Term() == term {
		t.Error("the term is the same as before the doubt")
	}
}

func TestStoppedMasterThatIsStillAloneGoesOn(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.makeMaster()
	life := d.e.master.beats.number
	d.now += time.Minute
	if d.e.Serving(d.now) {
		t.Fatal("it serves before it has listened")
	}
	d.run(d.now+60*ms, true)
	d.want(Master, false)
	d.run(d.now+20*ms, true)
	d.want(Master, true)
	if got := d.e.master.beats.number; got != life+1 {
		t.Errorf("its life time is %d after one heart-beat more than %d", got, life)
	}
}

func TestStoppedMasterFollowsWhoeverReplacedIt(t *testing.T) {
	d := newDrive(t, high, Current)
	d.makeMaster()
	d.now += time.Minute
	d.hear(declare(Master, low, 1)) // younger by far: OWT's rule would keep the old one
	d.want(Slave, false)
}

func TestOldEchoesDoNotEndADoubt(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.makeMaster()
	d.now += time.Minute
	probes := d.run(d.now+80*ms, true)
	d.want(Master, true)
	d.now += time.Minute
	d.run(d.now+10*ms, false)
	for _, m := range probes {
		d.hear(m)
	}
	d.hear(declare(Master, mid, d.e.master.beats.number))
	d.want(Master, false)
	d.run(d.now+20*ms, true) // one that counts
	d.want(Master, false)
}

// Only the master itself receives a probe: it keeps no other manager from being
// elected.
func TestLeaseAfterADoubtIsShort(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.makeMaster()
	d.now += time.Minute
	probes := d.run(d.now+70*ms, false) // the last one 10 ms ago
	d.now += 40 * ms
	for _, p := range probes {
		d.hear(p)
	}
	d.want(Master, true)
	if d.now += 40 * ms; d.e.Serving(d.now) {
		t.Error("a probe that was sent 90 ms ago is still trusted")
	}
	d.run(d.now+80*ms, false)
	d.want(Master, false)
}

func TestStoppedMasterJoinsTheElectionThatItHearsOf(t *testing.T) {
	d := newDrive(t, mid, Current)
	d.makeMaster()
	d.now += 300 * ms
	d.hear(recommend(mid))
	d.want(Master, false)
	d.hear(recommend(low))
	d.want(Candidate, false)
	d.run(d.now+180*ms, true)
	d.want(Master, true)
	if got := d.e.master.beats.number; got > 2 {
		t.Errorf("elected again its life time is %d, want that of a new master", got)
	}
}
