package owt

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica/owt/election"
)

// freshness is how long a message of the election may wait before it is sent.
const freshness = 100 * time.Millisecond

// inboxLimit is how many messages may wait while the owner is busy.
const inboxLimit = 1 << 16

// incoming is a message as it was received.
type incoming struct {
	to      election.Role
	private bool // for this manager alone
	body    json.RawMessage
}

// listen runs on a goroutine of the connection. It ignores messages for another
// manager.
func (r *Replica) listen(key string, body json.RawMessage) {
	to, id, ok := address(key)
	if !ok || id != "" && id != r.name || key == keySlave && r.leads.Load() {
		return
	}
	r.inbox.Put(incoming{to, id != "", body})
	r.wake()
}

// watch follows the status of the connection.
func (r *Replica) watch(s bus.Status) {
	if !s.Connected {
		r.down.Store(true)
	} else if r.down.Swap(false) {
		r.broken.Store(true)
	}
}

// sendElection sends a message of the election.
func (r *Replica) sendElection(m election.Message) {
	if r.retiring.begun {
		return
	}
	key, body := electionBody(m, r.announced)
	r.outbox.put(outgoing{key, body, r.opts.Now().Add(freshness)})
}

// receive dispatches a message. One that cannot be read is counted and dropped.
func (r *Replica) receive(l incoming) {
	m, err := parse(l.body)
	if err == nil {
		m.to, m.private = l.to, l.private
		err = r.dispatchSafely(&m)
	}
	if err != nil {
		r.malformed(err)
	}
	r.roleChanged()
}

// dispatchSafely limits the damage of a panic, which can only be a bug of ours,
// to the message. If the panic left the state half changed, the state is
// discarded and a slave requests it again from its master.
func (r *Replica) dispatchSafely(m *message) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("a message of the type %.40q: panic: %v", m.Type, cause)
			if r.ledger.state.Torn() {
				r.ledger = newLedger(r.ledger.state.Config())
				r.markMissed("a message could not be processed")
			}
		}
	}()
	return r.dispatch(m)
}

func (r *Replica) malformed(err error) {
	r.stats.Malformed++
	r.log.Warn("ignoring a malformed message, or part of one, from another manager", "err", err)
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
	return fmt.Errorf("a message of the unknown type %q", m.Type)
}

func (r *Replica) hearElection(m election.Message, more *extension) {
	now := r.clock()
	r.election.Hear(now, m)
	r.roleChanged()
	if m.Kind != election.DeclareMaster || m.ID == r.opts.ID || more == nil {
		return
	}
	r.hearTerm(more.Term)
	if m.To == election.Slave && r.election.Role() == election.Slave && m.ID == r.election.MasterID() {
		r.hearCount(now, more.Seq)
	}
}

// roleChanged acts on a change of role, if there was one since the last call.
func (r *Replica) roleChanged() {
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
	r.log.Info("role", "role", role, "doubting", r.election.Doubting(), "master", r.election.MasterID(), "term", r.announced.Term)
}
