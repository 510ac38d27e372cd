package owt

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica/owt/election"
)

// freshness is how long a message of the election may wait to be sent.
const freshness = 100 * time.Millisecond

// listen runs on a goroutine of the connection's. It leaves aside what is for
// another manager.
func (r *Replica) listen(key string, body json.RawMessage) {
	to, id, ok := address(key)
	if !ok || id != "" && id != r.name || key == keySlave && r.leads.Load() {
		return
	}
	r.inbox.put(letter{to, id != "", body})
	r.ring()
}

// watch hears how the connection stands.
func (r *Replica) watch(s bus.Status) {
	if !s.Connected {
		r.down.Store(true)
	} else if r.down.Swap(false) {
		r.broken.Store(true)
	}
}

// say sends a message of the election.
func (r *Replica) say(m election.Message) {
	if r.retiring.begun {
		return
	}
	key, body := electionBody(m, r.told)
	r.outbox.put(parcel{key, body, r.opts.Now().Add(freshness)})
}

// receive takes a message to where it belongs. One that cannot be read is
// counted, and that is all.
func (r *Replica) receive(l letter) {
	m, err := parse(l.body)
	if err == nil {
		m.to, m.private = l.to, l.private
		err = r.dispatchSafely(&m)
	}
	if err != nil {
		r.malformed(err)
	}
	r.turn()
}

// dispatchSafely makes a panic, which must be a bug of ours, cost no more than the
// message. Where it left the state half changed, that is thrown away: a slave
// asks its master for another.
func (r *Replica) dispatchSafely(m *message) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("a message of the type %.40q: panic: %v", m.Type, cause)
			if r.ledger.state.Torn() {
				r.ledger = newLedger(r.ledger.state.Config())
				r.miss("a message could not be carried out")
			}
		}
	}()
	return r.dispatch(m)
}

func (r *Replica) malformed(err error) {
	r.stats.Malformed++
	r.log.Warn("a manager's message, or a part of it, cannot be read and is passed over", "error", err)
}

func (r *Replica) dispatch(m *message) error {
	em, ok, err := m.election()
	if ok {
		if err == nil {
			r.hearElection(em, m.Muster)
		}
		return err
	}
	switch m.Type {
	case typeRequest:
		return r.hearRequest(m)
	case typeRuntime:
		return r.hearRuntime(m)
	case typeUpdate:
		return r.hearUpdate(m)
	}
	return unknownTypeError(m.Type)
}

type unknownTypeError string

func (e unknownTypeError) Error() string {
	return "a message of the unknown type " + strconv.Quote(string(e))
}

func (r *Replica) hearElection(m election.Message, more *addition) {
	now := r.clock()
	r.election.Hear(now, m)
	r.turn()
	if m.Kind != election.DeclareMaster || m.ID == r.opts.ID || more == nil {
		return
	}
	r.hearTerm(more.Term)
	if m.To == election.Slave && r.election.Role() == election.Slave && m.ID == r.election.MasterID() {
		r.hearCount(now, more.Seq)
	}
}

// turn does what a change of role asks for.
func (r *Replica) turn() {
	period, role := r.election.Term(), r.election.Role()
	if period == r.periods {
		return
	}
	r.periods = period
	r.leads.Store(role == election.Master)
	switch {
	case role == election.Master && !r.election.Doubting():
		r.lead()
	case role == election.Slave:
		r.beginFeed()
	}
	r.log.Info("role", "role", role, "doubting", r.election.Doubting(), "master", r.election.MasterID(), "term", r.told.Term)
}
