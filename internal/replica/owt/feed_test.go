package owt

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-fleet/muster/internal/replica"
)

// nodeMaster acts as a Node master for d: it publishes heart-beats, and answers
// requests with an empty state.
func (h *hub) nodeMaster(d time.Duration) {
	beats := time.NewTicker(20 * ms)
	defer beats.Stop()
	for ; d > 0; d -= 20 * ms {
		h.publish(keyCandidate, `{"type":"declareMaster","data":{"id":7,"life_time":3}}`)
		h.publish(keySlave, `{"type":"declareMaster","data":{"id":7,"life_time":3}}`)
		if asked := h.count(typeRequest); asked > h.answered {
			h.publish(runtimeKey(low), `{"type":"runtimeData","data":{"schedulers":{},"workers":{}}}`)
			h.answered = asked
		}
		<-beats.C
	}
	synctest.Wait()
}

// A Node master numbers nothing: a slave requests the state periodically, and when
// it must have missed something.
func TestNodeMasterIsAskedAgain(t *testing.T) {
	tests := map[string]struct {
		happens func(h *hub, a *manager)
		lasts   time.Duration
		asked   int
	}{
		"now and then":        {func(*hub, *manager) {}, 11 * time.Second, 3},
		"nothing happened":    {func(*hub, *manager) {}, time.Second, 1},
		"the connection":      {func(_ *hub, a *manager) { a.conn.set(false); a.conn.set(true) }, time.Second, 2},
		"an unknown worker":   {says(workerLoad, `"worker":"w9","load":0.5`), time.Second, 2},
		"an unknown task":     {says(workerLayDown, `"worker":"w9","task":"t"`), time.Second, 2},
		"one that is unclear": {says(workerLoad, `"worker":"w9"`), time.Second, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := &hub{}
				a := h.join(t, low)
				h.nodeMaster(200 * ms)
				tt.happens(h, a)
				h.nodeMaster(tt.lasts)
				if got := h.count(typeRequest); got != tt.asked {
					t.Errorf("it asked %d times in %v, want %d", got, tt.lasts, tt.asked)
				}
				a.stop()
			})
		})
	}
}

func says(kind, payload string) func(*hub, *manager) {
	return func(h *hub, _ *manager) {
		h.publish(keySlave, `{"type":"updateData","data":{"type":"`+kind+`","payload":{`+payload+`}}}`)
	}
}

// A manager with gaps in its state lets the other one be elected.
func TestWhoMissedSomethingIsNotElected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, a, b, c := trio(t)
		h.setLose(func(to *hubConn, key, body string) bool {
			return to == b.conn && (strings.Contains(body, "w2") || strings.HasPrefix(key, keySlave+"."))
		})
		c.mustPropose(join("w2"))
		pass(50 * ms)
		c.stop()
		pass(400 * ms)
		a.want(replica.Leader)
		b.want(replica.Follower)
		h.setLose(nil)
		pass(600 * ms)
		wantEqual(t, a, b)
		a.stop()
		b.stop()
	})
}

// A slave that has not received its new master's state yet ranks behind one that
// has, but keeps what it knows.
func TestWhoIsNewToItsMasterGoesBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, a, b, c := trio(t) // and a fourth, which leads next to last
		h.setLose(func(to *hubConn, key, _ string) bool { return to == b.conn && strings.HasPrefix(key, keySlave+".") })
		d := h.join(t, low+1000)
		pass(100 * ms)
		c.stop()
		pass(400 * ms)
		d.want(replica.Leader)
		d.stop()
		pass(400 * ms)
		a.want(replica.Leader)
		b.want(replica.Follower)
		if !strings.Contains(b.json(), `"t1"`) {
			t.Errorf("the state is %s, want t1 in it", b.json())
		}
		a.stop()
		b.stop()
	})
}

// A slave that loses its master for a moment, but no update, requests nothing.
func TestSlaveThatFindsItsMasterAgainAsksForNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, a, b, c := trio(t)
		h.setLose(func(_ *hubConn, _, body string) bool { return strings.Contains(body, typeDeclare) })
		pass(140 * ms)
		a.want(replica.Candidate)
		c.mustPropose(schedule("t2"))
		h.setLose(nil)
		pass(50 * ms)
		a.want(replica.Follower)
		wantEqual(t, a, b, c)
		for _, m := range []*manager{a, b, c} {
			if s := m.counts(); s.Gaps != 0 || s.Requests > 1 {
				t.Errorf("manager %d: %+v", m.ID(), s)
			}
			m.stop()
		}
	})
}

// An unanswered request is repeated.
func TestRequestIsMadeAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &hub{}
		h.setLose(func(_ *hubConn, key, _ string) bool { return strings.HasPrefix(key, keySlave+".") })
		c := h.join(t, high)
		pass(300 * ms)
		a := h.join(t, low)
		pass(1200 * ms)
		if got := a.counts().Requests; got != 3 {
			t.Errorf("it asked %d times in 1.2 s, want 3", got)
		}
		a.stop()
		c.stop()
	})
}

func TestMissedUpdatesAreNoticed(t *testing.T) {
	tests := map[string]func(h *hub, b, c *manager) (restore func()){
		"one is lost": func(h *hub, b, c *manager) func() {
			h.setLose(func(to *hubConn, _, body string) bool {
				return to == b.conn && strings.Contains(body, typeUpdate) && strings.Contains(body, "w2")
			})
			return func() {}
		},
		"the connection is lost for a moment": func(h *hub, b, c *manager) func() {
			b.conn.set(false)
			return func() { b.conn.set(true) }
		},
	}
	for name, meddle := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, a, b, c := trio(t)
				restore := meddle(h, b, c)
				c.mustPropose(join("w2"), load("w2", 0.1), schedule("t2"))
				pass(20 * ms)
				restore()
				pass(200 * ms)
				wantEqual(t, a, b, c)
				if s := b.counts(); s.Gaps != 1 || s.Requests != 2 {
					t.Errorf("the slave counted %+v, want one gap, and one more request", s)
				}
				if s := a.counts(); s.Gaps != 0 || s.Requests != 1 {
					t.Errorf("the other slave counted %+v", s)
				}
				for _, m := range []*manager{a, b, c} {
					m.stop()
				}
			})
		})
	}
}

// A manager that never received the state is not elected while another one has
// it, whatever their ids.
func TestWhoHasTheStateIsElected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &hub{}
		a := h.join(t, low)
		pass(300 * ms)
		a.mustPropose(join("w1"))
		b := h.join(t, mid)
		pass(100 * ms)
		h.setLose(func(_ *hubConn, key, _ string) bool { return strings.HasPrefix(key, keySlave+".") })
		c := h.join(t, high)
		pass(100 * ms)
		c.want(replica.Follower)
		a.stop()
		pass(400 * ms)
		b.want(replica.Leader)
		c.want(replica.Follower)
		b.stop()
		pass(400 * ms)
		c.want(replica.Leader) // alone it may
		c.stop()
	})
}
