package owt

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/owt/election"
	"github.com/muster-fleet/muster/internal/state"
)

// Propose implements replica.Replica. A leader applies commands at once,
// publishes the updates to its slaves, and calls Done.
func (r *Replica) Propose(batch ...replica.Proposal) {
	for _, p := range batch {
		if err := r.refusal(); err != nil {
			p.Done(state.Result{}, nil, err)
			continue
		}
		result, events := r.ledger.apply(p.Command)
		r.conclude(p, result, events)
	}
}

// conclude publishes the updates and answers the caller if this manager still
// leads. It may have been stopped and replaced since it checked. In that case
// nothing is answered, and the updates are held back until the role is known.
func (r *Replica) conclude(p replica.Proposal, result state.Result, events []muster.Event) {
	if r.refusal() != nil {
		r.unpublished = append(r.unpublished, updates(events)...)
		p.Done(state.Result{}, nil, replica.ErrLost)
		return
	}
	r.publishUpdates(updates(events))
	p.Done(result, events, nil)
}

// publishUpdates publishes updates to the slaves.
func (r *Replica) publishUpdates(updates []json.RawMessage) {
	for _, body := range updates {
		r.announced.Seq++
		r.outbox.put(outgoing{key: keySlave, body: body})
	}
}

// lead begins a period in which this manager leads.
func (r *Replica) lead() {
	r.announced.Term++
	r.feed.master, r.feed.synced = r.opts.ID, false
	r.setStanding(election.Current)
	r.publishUpdates(r.unpublished) // this manager was not replaced
	r.unpublished = nil
}

// hearTerm handles another master's term. A master that hears a term as high as
// its own and stays master takes a higher one, so that the message queue
// recognizes it as the later leader.
func (r *Replica) hearTerm(term uint64) {
	switch {
	case term > maxTerm:
	case r.election.Role() != election.Master:
		r.announced.Term = max(r.announced.Term, term)
	case term >= r.announced.Term:
		r.announced.Term = term + 1
	}
}

// hearRequest records a slave's request for the state. A slave that asks twice
// before the answer gets one answer.
func (r *Replica) hearRequest(m *message) error {
	if r.election.Role() != election.Master || m.to != election.Master {
		return nil
	}
	var id int64
	if err := json.Unmarshal(m.Data, &id); err != nil {
		return fmt.Errorf("%s: %w", m.Type, err)
	}
	r.retiring.hasSlaves.Store(true)
	if !slices.Contains(r.wanted, id) {
		r.wanted = append(r.wanted, id)
	}
	return nil
}

// serveRequests sends the state to the slaves that requested it. Only a leader
// has the authoritative state.
func (r *Replica) serveRequests() {
	wanted := r.wanted
	r.wanted = nil
	if len(wanted) == 0 || r.refusal() != nil {
		return
	}
	body := envelope(typeRuntime, r.ledger.runtimeJSON(), &r.announced)
	for _, id := range wanted {
		r.outbox.put(outgoing{key: runtimeKey(id), body: body})
	}
}
