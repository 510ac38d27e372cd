package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// Drain keeps new tasks from the workers that the order selects, until the drain
// is called off, and returns it. A *LastWorkersError says that a purpose would be
// left without a worker, and what would be lost; an order with Force is carried
// out all the same. The same order within a minute returns the same drain, so
// that it may be repeated.
func (c *Client) Drain(ctx context.Context, o muster.DrainOrder) (muster.Drain, error) {
	var d muster.Drain
	o.By = c.operator(o.By)
	err := c.ask(ctx, &d, "drain", o)
	return d, lastWorkers(err)
}

// Undrain is an order to call drains off: the one with that number, or those
// with that selector and whatever workers it matches.
type Undrain struct {
	Drain    uint64          `json:"drain,omitempty"`
	Selector muster.Selector `json:"selector,omitzero"`
	By       muster.Operator `json:"by"`
}

// Undrain calls a drain off, and returns it. Its workers take tasks again.
func (c *Client) Undrain(ctx context.Context, o Undrain) (muster.Drain, error) {
	var d muster.Drain
	o.By = c.operator(o.By)
	err := c.ask(ctx, &d, "undrain", o)
	return d, err
}

// Cordon is an order that keeps new tasks from workers, or lets them have tasks
// again.
type Cordon struct {
	Selector muster.Selector `json:"selector"`
	// Force cordons also the last workers of a purpose.
	Force bool            `json:"force,omitempty"`
	By    muster.Operator `json:"by"`
}

// Cordon keeps new tasks from the selected workers and returns their IDs. It may
// be repeated. Its errors are those of Drain.
func (c *Client) Cordon(ctx context.Context, o Cordon) ([]string, error) {
	return c.cordon(ctx, "cordon", o)
}

// Uncordon lets the selected workers have tasks again and returns the IDs of
// those that were cordoned. It may be repeated.
func (c *Client) Uncordon(ctx context.Context, o Cordon) ([]string, error) {
	return c.cordon(ctx, "uncordon", o)
}

func (c *Client) cordon(ctx context.Context, method string, o Cordon) ([]string, error) {
	var ids []string
	o.By = c.operator(o.By)
	err := c.ask(ctx, &ids, method, o)
	return ids, lastWorkers(err)
}

// Drains returns the drains of the cluster, those in force and the last that
// ended, in the order of their numbers, without their Members.
func (c *Client) Drains(ctx context.Context) ([]muster.Drain, error) {
	return list[muster.Drain](ctx, c, "listDrains")
}

// DrainByID returns one drain with its Members. ErrNoDrain says that there is
// none with that number, or that it was long ago.
func (c *Client) DrainByID(ctx context.Context, id uint64) (muster.Drain, error) {
	var d muster.Drain
	err := c.ask(ctx, &d, "getDrain", id)
	return d, err
}

// SetStrategy is an order to change a purpose's strategy. An empty Strategy
// leaves it to the managers' configuration again.
type SetStrategy struct {
	Purpose  string          `json:"purpose"`
	Strategy muster.Strategy `json:"strategy,omitempty"`
	By       muster.Operator `json:"by"`
}

// SetStrategy changes the strategy of a purpose, until it is changed again: it
// goes before the configuration. It may be repeated.
func (c *Client) SetStrategy(ctx context.Context, o SetStrategy) error {
	o.By = c.operator(o.By)
	return c.ask(ctx, nil, "setStrategy", o)
}

// SetDebit is an order to change the load that a placement adds to its worker
// before the worker reports it.
type SetDebit struct {
	// Mode is "learned", "fixed" or "off"; "" leaves all of it to the managers'
	// configuration again.
	Mode string `json:"mode"`
	// Fixed is the load that each placement adds in mode "fixed", Floor the least
	// that one adds in mode "learned"; from 0 to 1.
	Fixed float64         `json:"fixed,omitempty"`
	Floor float64         `json:"floor,omitempty"`
	By    muster.Operator `json:"by"`
}

// SetDebit changes the debit of placements, until it is changed again: it goes
// before the configuration. It may be repeated.
func (c *Client) SetDebit(ctx context.Context, o SetDebit) error {
	o.By = c.operator(o.By)
	return c.ask(ctx, nil, "setDebit", o)
}

// Audit returns at most limit writes by operators with numbers above after, the
// oldest first. The cluster keeps the last muster.MaxAudit.
func (c *Client) Audit(ctx context.Context, after uint64, limit int) ([]muster.AuditEntry, error) {
	return list[muster.AuditEntry](ctx, c, "audit", after, limit)
}

// Record is an entry that an operator's program adds to the audit, for what it did
// outside of the managers' state.
type Record struct {
	By muster.Operator `json:"by"`
	// Action is the verb, Target what it was done to.
	Action string `json:"action"`
	Target string `json:"target"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Record adds an entry to the audit. The same within a minute counts once, so that
// it may be repeated.
func (c *Client) Record(ctx context.Context, r Record) error {
	r.By = c.operator(r.By)
	return c.ask(ctx, nil, "record", r)
}

// operator is by, or the client's own where that is empty.
func (c *Client) operator(by muster.Operator) muster.Operator {
	if by == (muster.Operator{}) {
		return c.opts.Operator
	}
	return by
}

// LastWorkersError is an order that would leave a purpose without a worker.
type LastWorkersError struct {
	Losses []muster.Loss
	err    error
}

// Error is the manager's refusal, word for word.
func (e *LastWorkersError) Error() string { return e.err.Error() }

// Unwrap returns the refusal as it came, which is an ErrLastWorkers.
func (e *LastWorkersError) Unwrap() error { return e.err }

func lastWorkers(err error) error {
	var remote *bus.RemoteError
	if !errors.As(err, &remote) || remote.Code != muster.CodeLastWorkers {
		return err
	}
	e := &LastWorkersError{err: err}
	if len(remote.Detail) > 0 && json.Unmarshal(remote.Detail, &e.Losses) != nil {
		return fmt.Errorf("client: what would be lost cannot be read: %w", err)
	}
	return e
}
