package owt

import (
	"errors"
	"time"

	"github.com/muster-fleet/muster/internal/replica/owt/election"
	"github.com/muster-fleet/muster/internal/state"
)

const (
	// askAgain is how long a slave waits for the state before it asks again.
	askAgain = 500 * time.Millisecond
	// expireEvery is how often a slave ends reservations. It does so later than
	// its master, whose updates may still be on their way.
	expireEvery = time.Second
)

// feed is how much a slave has of its master's state.
type feed struct {
	standing election.Standing
	master   int64
	// synced is set once this master has sent its state. numbered is set if the
	// master counts its updates, of which seq have arrived.
	synced, numbered bool
	seq              uint64
	// gap is set if an update was missed since.
	gap     bool
	asked   time.Duration // when the state was asked for last
	asking  bool
	expired time.Duration
	dropped uint64 // messages, as of the last tick
}

func (r *Replica) setStanding(s election.Standing) {
	r.feed.standing = s
	r.election.Stand(s)
}

// beginFeed makes this manager the slave of a master. If it is another master
// than before, the state is no longer known to be complete. A candidate that
// finds its old master again has received its updates in the meantime.
func (r *Replica) beginFeed() {
	f := &r.feed
	r.unpublished = nil // the master's state is the one that counts
	if id := r.election.MasterID(); id != f.master {
		f.master, f.synced = id, false
	}
	if f.synced {
		return
	}
	f.numbered, f.gap, f.asking = false, false, false
	r.setStanding(min(f.standing, election.Stale))
	r.ask()
}

// ask requests the state from the master.
func (r *Replica) ask() {
	r.stats.Requests++
	r.feed.asking, r.feed.asked = true, r.clock()
	r.outbox.put(outgoing{key: keyMaster, body: requestBody(r.opts.ID), deadline: r.opts.Now().Add(askAgain)})
}

// markMissed records that something was missed, so that the state is requested.
func (r *Replica) markMissed(why string) {
	if r.feed.gap || !r.feed.synced {
		return
	}
	r.stats.Gaps++
	r.log.Info("updates missed: requesting the state again", "reason", why)
	r.feed.gap = true
	r.setStanding(min(r.feed.standing, election.Stale))
}

// tickFeed requests the state when that is due, and ends reservations.
func (r *Replica) tickFeed(now time.Duration) {
	f := &r.feed
	if r.election.Role() != election.Slave {
		return
	}
	if r.broken.Swap(false) {
		r.markMissed("the connection was lost")
	}
	if n := r.dropped(); n != f.dropped {
		f.dropped = n
		r.markMissed("this manager was too busy to listen")
	}
	since := now - f.asked
	switch {
	case (f.asking || f.gap) && since >= askAgain, f.gap && !f.asking && since >= askAgain/10:
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

// hearCount compares the number of updates sent by the master with the number
// received.
func (r *Replica) hearCount(now time.Duration, sent uint64) {
	f := &r.feed
	if f.synced && f.numbered && sent != f.seq {
		r.markMissed("the master has sent more updates than arrived")
		r.tickFeed(now)
	}
}

// hearRuntime adopts the state of the master.
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
	f.synced, f.gap, f.asking, f.numbered = true, false, false, m.Muster != nil
	if f.numbered {
		f.seq = m.Muster.Seq
	}
	r.setStanding(election.Current)
	r.log.Debug("took over the state", "workers", len(d.workers), "numbered", f.numbered, "seq", f.seq)
	return errors.Join(d.invalid...)
}

// hearUpdate applies an update of the master. A manager without any state yet
// only counts it.
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
		r.markMissed(err.Error())
		return nil
	case errors.Is(err, errBounds):
		return err
	}
	r.markMissed("an update cannot be read")
	return err
}
