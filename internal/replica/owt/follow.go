package owt

import (
	"errors"
	"time"

	"github.com/muster-fleet/muster/internal/replica/owt/election"
	"github.com/muster-fleet/muster/internal/state"
)

const (
	// askAgain is how long a slave waits for the state it asked for, and how
	// often it asks at most.
	askAgain = 500 * time.Millisecond
	// expireEvery is how often a slave ends reservations. It is later than its
	// master, whose word may be on its way.
	expireEvery = time.Second
)

// feed is what a slave has of its master.
type feed struct {
	standing election.Standing
	master   int64
	// synced tells that the state has been handed over by this master, and
	// numbered that it counts its updates, of which seq have come.
	synced, numbered bool
	seq              uint64
	// hole tells that something was missed since.
	hole    bool
	asked   time.Duration // when the state was asked for last
	asking  bool
	expired time.Duration
	dropped uint64 // messages, up to the last look
}

func (r *Replica) stand(s election.Standing) {
	r.feed.standing = s
	r.election.Stand(s)
}

// beginFeed makes this manager the slave of a master. Of another one than
// before: then what it has is no longer known to be all. A candidate that finds
// its master again has heard its updates all the while.
func (r *Replica) beginFeed() {
	f := &r.feed
	r.untold = nil // the master's state is the one that counts
	if id := r.election.MasterID(); id != f.master {
		f.master, f.synced = id, false
	}
	if f.synced {
		return
	}
	f.numbered, f.hole, f.asking = false, false, false
	r.stand(min(f.standing, election.Stale))
	r.ask()
}

// ask asks the master for the state.
func (r *Replica) ask() {
	r.stats.Requests++
	r.feed.asking, r.feed.asked = true, r.clock()
	r.outbox.put(parcel{key: keyMaster, body: requestBody(r.opts.ID), deadline: r.opts.Now().Add(askAgain)})
}

// miss notes that something was missed; the state will be asked for.
func (r *Replica) miss(why string) {
	if r.feed.hole || !r.feed.synced {
		return
	}
	r.stats.Holes++
	r.log.Info("updates were missed: the state is asked for again", "why", why)
	r.feed.hole = true
	r.stand(min(r.feed.standing, election.Stale))
}

// tickFeed asks for the state where that is due, and ends reservations.
func (r *Replica) tickFeed(now time.Duration) {
	f := &r.feed
	if r.election.Role() != election.Slave {
		return
	}
	if r.broken.Swap(false) {
		r.miss("the connection was lost")
	}
	if n := r.dropped(); n != f.dropped {
		f.dropped = n
		r.miss("this manager was too busy to listen")
	}
	since := now - f.asked
	switch {
	case (f.asking || f.hole) && since >= askAgain, f.hole && !f.asking && since >= askAgain/10:
		r.ask()
	case f.synced && !f.numbered && since >= r.opts.Refresh:
		r.ask()
	}
	if now-f.expired >= expireEvery {
		f.expired = now
		r.ledger.apply(state.Command{At: r.instant(), Op: state.Expire{}})
		r.ledger.apply(state.Command{At: r.instant(), Op: state.ForgetPurposes{}})
	}
}

// hearCount compares what the master has told with what has come.
func (r *Replica) hearCount(now time.Duration, told uint64) {
	f := &r.feed
	if f.synced && f.numbered && told != f.seq {
		r.miss("the master has told more than has come")
		r.tickFeed(now)
	}
}

// hearRuntime takes the state over.
func (r *Replica) hearRuntime(m *message) error {
	if r.election.Role() != election.Slave || !m.private {
		return nil
	}
	d, err := parseRuntime(m.Data)
	if err != nil {
		return err
	}
	r.ledger.adopt(r.instant(), d)
	f := &r.feed
	f.synced, f.hole, f.asking, f.numbered = true, false, false, m.Muster != nil
	if f.numbered {
		f.seq = m.Muster.Seq
	}
	r.stand(election.Current)
	r.log.Debug("took over the state", "workers", len(d.workers), "numbered", f.numbered, "seq", f.seq)
	return errors.Join(d.strange...)
}

// hearUpdate makes happen what the master says. A manager that has no state
// yet cannot place it.
func (r *Replica) hearUpdate(m *message) error {
	if r.election.Role() == election.Master || m.to != election.Slave {
		return nil
	}
	r.feed.seq++
	if r.feed.standing == election.Empty {
		return nil
	}
	e, err := parseEvent(m.Data)
	if err == nil {
		err = r.ledger.update(r.instant(), e)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errUnknown):
		r.miss(err.Error())
		return nil
	case errors.Is(err, errBounds):
		return err
	}
	r.miss("an update cannot be read")
	return err
}
