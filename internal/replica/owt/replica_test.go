package owt

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

const ms = time.Millisecond

// trio starts three managers. The one with the largest id leads and has a worker.
func trio(t *testing.T) (h *hub, a, b, c *manager) {
	h = &hub{}
	a, b, c = h.join(t, low), h.join(t, mid), h.join(t, high)
	pass(300 * ms)
	c.want(replica.Leader)
	a.want(replica.Follower)
	b.want(replica.Follower)
	c.mustPropose(join("w1"), load("w1", 0.2), schedule("t1"))
	pass(50 * ms)
	return h, a, b, c
}

func wantEqual(t *testing.T, managers ...*manager) {
	t.Helper()
	first := managers[0].json()
	for _, m := range managers[1:] {
		if got := m.json(); got != first {
			t.Errorf("manager %d has\n%s\nand manager %d\n%s", managers[0].ID(), first, m.ID(), got)
		}
	}
}

func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

func TestManagersHaveTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, c := trio(t)
		wantEqual(t, a, b, c)
		if !strings.Contains(a.json(), `"t1":{"reserve_time":60000,"worker":"w1"}`) {
			t.Errorf("the slave has %s", a.json())
		}
		if got := a.is(); got.Leader != c.name {
			t.Errorf("the slave follows %q, want %q", got.Leader, c.name)
		}
		late := (&hub{}).dial() // a manager that joins later has it, too
		late.hub = a.conn.hub
		d := a.conn.hub.join(t, low+100)
		pass(100 * ms)
		d.want(replica.Follower)
		wantEqual(t, c, d)
		for _, m := range []*manager{a, b, c, d} {
			if s := m.counts(); s.Malformed+s.Gaps+s.Unsent+s.Dropped != 0 {
				t.Errorf("manager %d: %+v", m.ID(), s)
			}
			m.stop()
		}
	})
}

func TestSlaveRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, c := trio(t)
		var not replica.NotLeaderError
		if err := a.propose(schedule("t2")); !errors.As(err, &not) || not.Leader != c.name {
			t.Errorf("a slave's answer: %v, want that %s leads", err, c.name)
		}
		a.on(func() {
			a.Read(func(s *state.State, err error) {
				if !errors.As(err, &not) || !s.Has("w1") {
					t.Errorf("a slave's look-up: %v, want its state, and that it does not lead", err)
				}
			})
		})
		c.on(func() {
			c.Read(func(s *state.State, err error) {
				if err != nil || !s.Has("w1") {
					t.Errorf("the leader's look-up: %v", err)
				}
			})
		})
		for _, m := range []*manager{a, b, c} {
			m.stop()
		}
	})
}

func TestSlaveTakesOverWithTheState(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, c := trio(t)
		before := c.json()
		first := c.is().Term
		c.stop()
		pass(400 * ms)
		b.want(replica.Leader)
		a.want(replica.Follower)
		if x, y := b.is().Term, a.is().Term; x != first+1 || y != x {
			t.Errorf("after term %d the new leader has term %d, and its follower %d", first, x, y)
		}
		if got := b.json(); got != before {
			t.Errorf("the new leader has\n%s\nthe old one had\n%s", got, before)
		}
		b.mustPropose(schedule("t2"))
		pass(50 * ms)
		wantEqual(t, a, b)
		a.stop()
		b.stop()
	})
}

// A stopped master that wakes up does not answer, and follows its successor,
// although it is the older one by OWT's rule.
func TestStoppedMasterDoesNotAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, c := trio(t)
		thaw := c.freeze()
		pass(500 * ms)
		b.want(replica.Leader)
		b.mustPropose(schedule("t2"))
		thaw(func() {
			var not replica.NotLeaderError
			if err := c.proposeHere(schedule("t3")); !errors.As(err, &not) {
				t.Errorf("the woken master's answer: %v, want that it does not lead", err)
			}
			c.Read(func(_ *state.State, err error) {
				if !errors.As(err, &not) {
					t.Errorf("the woken master's look-up: %v, want that it does not lead", err)
				}
			})
		})
		pass(100 * ms)
		c.want(replica.Follower)
		b.want(replica.Leader)
		wantEqual(t, a, b, c)
		if !strings.Contains(c.json(), `"t2"`) || strings.Contains(c.json(), `"t3"`) {
			t.Errorf("the woken master has %s", c.json())
		}
		for _, m := range []*manager{a, b, c} {
			m.stop()
		}
	})
}

func TestMasterThatIsCutOffStopsAnswering(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, c := trio(t)
		c.conn.set(false)
		pass(220 * ms)
		if err := c.propose(schedule("t2")); err == nil {
			t.Error("a master that does not hear itself answered")
		}
		pass(300 * ms)
		b.want(replica.Leader)
		b.mustPropose(schedule("t4"))
		c.conn.set(true)
		pass(100 * ms)
		c.want(replica.Follower)
		b.want(replica.Leader)
		wantEqual(t, a, b, c)
		for _, m := range []*manager{a, b, c} {
			m.stop()
		}
	})
}

// A broker that splits makes two masters. When it is whole again the younger one
// follows, and what it did alone is lost: there is no quorum.
func TestYoungerMasterFollowsAfterASplit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, a, b, c := trio(t)
		h.split(c.conn)
		pass(400 * ms)
		b.want(replica.Leader)
		c.want(replica.Leader)
		b.mustPropose(schedule("in the younger half"))
		c.mustPropose(schedule("in the older half"))
		h.heal()
		pass(100 * ms)
		c.want(replica.Leader)
		a.want(replica.Follower)
		b.want(replica.Follower)
		wantEqual(t, a, b, c)
		if got := b.json(); strings.Contains(got, "younger") || !strings.Contains(got, "older") {
			t.Errorf("after the split they have %s", got)
		}
		c.mustPropose(schedule("t9"))
		pass(50 * ms)
		wantEqual(t, a, b, c)
		c.stop()
		pass(400 * ms)
		if got := b.is(); got.Kind != replica.Leader || got.Term < 3 {
			t.Errorf("the next leader is %v, want a term after the two of before", got)
		}
		a.stop()
		b.stop()
	})
}

// A leader that stays takes a higher term than its rival's.
func TestLeaderOutdoesAYoungerRivalsTerm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, a, b, c := trio(t)
		h.publish(keyMaster, `{"type":"declareMaster","data":{"id":7,"life_time":0},"muster":{"seq":0,"term":41}}`)
		h.publish(keyMaster, `{"type":"declareMaster","data":{"id":7,"life_time":0},"muster":{"seq":0,"term":18446744073709551615}}`)
		pass(50 * ms)
		for _, m := range []*manager{a, b, c} {
			if got := m.is().Term; got != 42 {
				t.Errorf("manager %d is in term %d, want 42", m.ID(), got)
			}
			m.stop()
		}
	})
}

// A master that was stopped does not send state that may be stale.
func TestMasterInDoubtHandsNothingOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &hub{}
		a := h.join(t, low)
		pass(300 * ms)
		thaw := a.freeze()
		pass(500 * ms)
		h.publish(keyMaster, `{"type":"requestRuntimeData","data":77}`)
		thaw(a.Apply)
		synctest.Wait()
		if got := h.count(typeRuntime); got != 0 {
			t.Error("the master sent its state before it knew whether it was replaced")
		}
		pass(100 * ms)
		a.want(replica.Leader)
		h.publish(keyMaster, `{"type":"requestRuntimeData","data":77}`)
		pass(20 * ms)
		if got := h.count(typeRuntime); got != 1 {
			t.Errorf("the master sent its state %d times, want once", got)
		}
		a.stop()
	})
}

// Heart-beats that a master could not send while its broker was blocked are not
// sent later.
func TestHeartBeatsDoNotPileUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &hub{}
		a := h.join(t, low)
		pass(300 * ms)
		release := a.conn.block()
		pass(150 * ms) // it still leads, and keeps making heart-beats
		before := h.count(typeDeclare)
		release()
		synctest.Wait()
		if got := h.count(typeDeclare) - before; got > 1+3*6 {
			t.Errorf("the master sent %d heart-beats at once, want those of the last 100 ms", got)
		}
		a.stop()
	})
}

func TestReservationsEndOnSlavesToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, c := trio(t)
		pass(62 * time.Second)
		c.mustPropose(state.Expire{})
		pass(2 * time.Second)
		if strings.Contains(a.json(), `"t1"`) {
			t.Errorf("the slave still has %s", a.json())
		}
		wantEqual(t, a, b, c)
		for _, m := range []*manager{a, b, c} {
			m.stop()
		}
	})
}

func TestStrangeMessagesAreCountedAndNothingElseIsLost(t *testing.T) {
	invalid := []spoken{
		{keySlave, `{"type":"updateData","data":{"type":"worker_join","payload":{"purpose":"video","worker":"w9","info":7}}}`},
		{keySlave, `{"type":"updateData","data":{"type":"worker_load","payload":{"worker":"w1","load":-1}}}`},
		{keySlave, `{"type":"updateData","data":{"type":"worker_dance","payload":{}}}`},
		{keySlave, `{"type":"updateData"}`},
		{keySlave, `no JSON`},
		{keySlave, `null`},
		{keySlave, `{"type":"declareMaster","data":"me"}`},
		{keySlave, `{"type":"declareMaster","data":{"id":-5,"life_time":1}}`},
		{keySlave + "." + "1000001", `{"type":"runtimeData","data":{"schedulers":[]}}`},
		{keySlave, `{"type":"what","data":{}}`},
	}
	bubble(t, func(t *testing.T) {
		h, a, b, c := trio(t)
		for _, s := range invalid {
			h.publish(s.key, s.body)
		}
		h.publish("elsewhere", "no JSON")
		h.publish(keyMaster, `{"type":"requestRuntimeData","data":"me"}`)
		c.mustPropose(schedule("t2"))
		pass(600 * ms)
		wantEqual(t, a, b, c)
		if got := a.counts().Malformed; got != uint64(len(invalid)) {
			t.Errorf("the slave counted %d malformed messages, want %d", got, len(invalid))
		}
		if got := c.counts().Malformed; got != 1 {
			t.Errorf("the master counted %d malformed messages, want 1", got)
		}
		for _, m := range []*manager{a, b, c} {
			m.stop()
		}
	})
}

// A heart-beat that could not be sent in time is outdated.
func TestOldHeartBeatsAreNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &hub{}
		o := newOutbox(h.dial(), "topic", time.Now)
		o.put(outgoing{key: keySlave, body: []byte(`"old"`), deadline: time.Now().Add(-ms)})
		o.put(outgoing{key: keySlave, body: []byte(`"new"`), deadline: time.Now().Add(ms)})
		o.put(outgoing{key: keySlave, body: []byte(`"any"`)})
		o.close()
		if len(h.said) != 2 || h.said[0].body != `"new"` || h.said[1].body != `"any"` {
			t.Errorf("sent %v", h.said)
		}
	})
}

func TestOptions(t *testing.T) {
	conn := (&hub{}).dial()
	for want, o := range map[string]Options{
		"Conn":    {Cluster: "c"},
		"Cluster": {Conn: conn},
		"ID":      {Conn: conn, Cluster: "c", ID: 5},
	} {
		if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "Options."+want) {
			t.Errorf("the error is %v, want one that names Options.%s", err, want)
		}
	}
}
