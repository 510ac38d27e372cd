package owt

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/replica"
)

// A master that is stopped after it checked that it leads, and replaced before it
// answers, neither answers nor publishes what it did.
func TestMasterThatIsStoppedInTheActDoesNotAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, c := trio(t)
		if err := c.proposeWhileStopped(500*ms, "t2"); !errors.Is(err, replica.ErrLost) {
			t.Errorf("answered: %v, want %v", err, replica.ErrLost)
		}
		b.want(replica.Leader)
		b.mustPropose(schedule("t3"))
		pass(200 * ms)
		c.want(replica.Follower)
		wantEqual(t, a, b, c)
		if text := c.json(); strings.Contains(text, `"t2"`) || !strings.Contains(text, `"t3"`) {
			t.Errorf("the managers have %s", text)
		}
		b.stop()
		pass(400 * ms)
		c.want(replica.Leader) // again, and the unpublished update is forgotten
		wantEqual(t, a, c)
		if strings.Contains(a.json(), `"t2"`) {
			t.Errorf("the slave has %s", a.json())
		}
		a.stop()
		c.stop()
	})
}

// If no other manager took over, the master publishes the update when it goes on.
func TestMasterThatWasStoppedInTheActTellsLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &hub{}
		c := h.join(t, high)
		pass(300 * ms)
		c.mustPropose(join("w1"), load("w1", 0.2))
		if err := c.proposeWhileStopped(500*ms, "t2"); !errors.Is(err, replica.ErrLost) {
			t.Errorf("answered: %v, want %v", err, replica.ErrLost)
		}
		before := h.count("updateData")
		pass(300 * ms)
		c.want(replica.Leader)
		if n := h.count("updateData"); n != before+1 {
			t.Errorf("%d updates were published afterwards, want 1", n-before)
		}
		a := h.join(t, low)
		pass(200 * ms)
		wantEqual(t, c, a)
		if !strings.Contains(a.json(), `"t2"`) {
			t.Errorf("the slave has %s", a.json())
		}
		a.stop()
		c.stop()
	})
}

// proposeWhileStopped proposes a task, and stops the manager for d between
// applying it and answering.
func (m *manager) proposeWhileStopped(d time.Duration, task string) (err error) {
	m.on(func() {
		looks, now := 0, m.opts.Now
		m.opts.Now = func() time.Time {
			if looks++; looks == 2 {
				<-time.After(d)
			}
			return now()
		}
		err = m.proposeHere(schedule(task))
		m.opts.Now = now
	})
	return err
}

func TestRetire(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, a, b, c := trio(t)
		start, gone := time.Now(), make(chan error, 1)
		go func() { gone <- c.Retire(context.Background()) }()
		pass(30 * ms)
		beats := h.count("declareMaster")
		c.mustPropose(schedule("late")) // it still answers and publishes
		pass(20 * ms)
		if n := h.count("declareMaster"); n != beats {
			t.Error("the retiring master still sends heart-beats")
		}
		var not replica.NotLeaderError
		if err := c.propose(schedule("too-late")); !errors.As(err, &not) {
			t.Errorf("answered %v while a slave may be about to take over", err)
		}
		c.want(replica.Candidate) // so that its owner holds new calls
		if err := <-gone; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 190*ms || took > 350*ms {
			t.Errorf("the hand-over took %v", took)
		}
		b.want(replica.Leader)
		c.want(replica.Follower)
		c.stop()
		pass(50 * ms)
		b.want(replica.Leader)
		wantEqual(t, a, b)
		if text := b.json(); !strings.Contains(text, `"late"`) || strings.Contains(text, `"too-late"`) {
			t.Errorf("the new leader has %s", text)
		}
		a.stop()
		b.stop()
	})
}

// A manager without a successor leaves at once.
func TestRetireAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &hub{}
		a := h.join(t, low)
		if err := a.Retire(t.Context()); err != nil { // a candidate
			t.Error(err)
		}
		pass(300 * ms)
		a.want(replica.Leader)
		if err := a.Retire(t.Context()); err != nil {
			t.Error(err)
		}
		a.want(replica.Leader)
		b := h.join(t, mid)
		pass(100 * ms)
		if err := b.Retire(t.Context()); err != nil { // a slave
			t.Error(err)
		}
		b.stop()
		ctx, cancel := context.WithTimeout(t.Context(), 500*ms)
		defer cancel()
		if err := a.Retire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want a deadline: no other manager has taken over", err)
		}
		a.stop()
	})
}
