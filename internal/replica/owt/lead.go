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

// Propose implements replica.Replica. A leader carries commands out at once,
// tells the slaves, and calls Done.
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

// conclude tells the slaves and whoever asked, if this manager leads still: it
// may have been stopped since it looked, and replaced. What it did then is
// neither answered nor told, until it knows better.
func (r *Replica) conclude(p replica.Proposal, result state.Result, events []muster.Event) {
	if r.refusal() != nil {
		r.untold = append(r.untold, updates(events)...)
		p.Done(state.Result{}, nil, replica.ErrLost)
		return
	}
	r.tell(updates(events))
	p.Done(result, events, nil)
}

// tell publishes what happened.
func (r *Replica) tell(updates []json.RawMessage) {
	for _, body := range updates {
		r.told.Seq++
		r.outbox.put(parcel{key: keySlave, body: body})
	}
}

// lead begins a period in which this manager leads.
func (r *Replica) lead() {
	r.told.Term++
	r.feed.master, r.feed.synced = r.opts.ID, false
	r.stand(election.Current)
	r.tell(r.untold) // it was not replaced
	r.untold = nil
}

// hearTerm takes notice of another master's term. A master that hears one as
// high as its own, and stays, takes a higher one, so that the message queue
// knows it for the later leader.
func (r *Replica) hearTerm(term uint64) {
	switch {
	case term > maxTerm:
	case r.election.Role() != election.Master:
		r.told.Term = max(r.told.Term, term)
	case term >= r.told.Term:
		r.told.Term = term + 1
	}
}

// hearRequest notes a slave that wants the state. Whoever asks twice before it
// is answered is answered once.
func (r *Replica) hearRequest(m *message) error {
	if r.election.Role() != election.Master || m.to != election.Master {
		return nil
	}
	var id int64
	if err := json.Unmarshal(m.Data, &id); err != nil {
		return fmt.Errorf("%s: %w", m.Type, err)
	}
	r.retiring.heirs.Store(true)
	if !slices.Contains(r.wanted, id) {
		r.wanted = append(r.wanted, id)
	}
	return nil
}

// serveRequests hands the state to who asked. Only a leader knows it.
func (r *Replica) serveRequests() {
	wanted := r.wanted
	r.wanted = nil
	if len(wanted) == 0 || r.refusal() != nil {
		return
	}
	body := envelope(typeRuntime, r.ledger.runtimeJSON(), &r.told)
	for _, id := range wanted {
		r.outbox.put(parcel{key: runtimeKey(id), body: body})
	}
}
