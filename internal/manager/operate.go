package manager

import (
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// maxAuditAnswer is how many entries of the audit one answer has.
const maxAuditAnswer = 200

// object reads an argument that is a JSON object into v. A member that v does
// not have is refused: an operator's misspelt word must not be passed over.
func (r *reader) object(i int, what string, v any) {
	raw := r.raw(i)
	if len(raw) == 0 || raw[0] != '{' {
		r.fail(i, what, "must be an object")
		return
	}
	if err := strictly(raw, v); err != nil {
		r.fail(i, what, "is not understood: "+err.Error())
	}
}

// refused keeps what is wrong with an argument that was read.
func (r *reader) refused(i int, what string, err error) {
	if err != nil {
		r.fail(i, what, fmt.Sprintf("is refused: %v", err))
	}
}

func decodeDrain(r *reader) action {
	var op state.Drain
	r.object(0, "order", &op.Order)
	r.refused(0, "order", op.Order.Check())
	return order(op, func(result state.Result) any { return result.Drain })
}

func decodeUndrain(r *reader) action {
	var arg struct {
		Drain    uint64          `json:"drain"`
		Selector muster.Selector `json:"selector"`
		By       muster.Operator `json:"by"`
	}
	r.object(0, "order", &arg)
	if arg.Drain == 0 {
		r.refused(0, "order", arg.Selector.Check())
	}
	r.refused(0, "order", arg.By.Check())
	return order(state.Undrain(arg), func(result state.Result) any { return result.Drain })
}

func decodeCordon(r *reader) action   { return cordon(r, false) }
func decodeUncordon(r *reader) action { return cordon(r, true) }

func cordon(r *reader, off bool) action {
	var arg struct {
		Selector muster.Selector `json:"selector"`
		Force    bool            `json:"force"`
		By       muster.Operator `json:"by"`
	}
	r.object(0, "order", &arg)
	r.refused(0, "order", arg.Selector.Check())
	r.refused(0, "order", arg.By.Check())
	op := state.Cordon{Selector: arg.Selector, Off: off, Force: arg.Force, By: arg.By}
	return order(op, func(result state.Result) any { return orEmpty(result.Workers) })
}

func decodeSetStrategy(r *reader) action {
	var arg struct {
		Purpose  string          `json:"purpose"`
		Strategy muster.Strategy `json:"strategy"`
		By       muster.Operator `json:"by"`
	}
	r.object(0, "order", &arg)
	if err := muster.CheckName(arg.Purpose, muster.MaxName); err != nil {
		r.refused(0, "order", fmt.Errorf("purpose %w", err))
	}
	if arg.Strategy != "" {
		_, err := muster.ParseStrategy(string(arg.Strategy))
		r.refused(0, "order", err)
	}
	r.refused(0, "order", arg.By.Check())
	return order(state.SetStrategy(arg), done)
}

func decodeSetDebit(r *reader) action {
	var arg struct {
		Mode  state.DebitMode `json:"mode"`
		Fixed float64         `json:"fixed"`
		Floor float64         `json:"floor"`
		By    muster.Operator `json:"by"`
	}
	r.object(0, "order", &arg)
	r.refused(0, "order", arg.By.Check())
	debit := state.Debit{Mode: arg.Mode, Fixed: arg.Fixed, Floor: arg.Floor}
	return order(state.SetDebit{Debit: debit, Reset: arg.Mode == "", By: arg.By}, done)
}

func done(state.Result) any { return "ok" }

// order is the action that carries an operator's order out, and answers what f
// makes of the result. A refusal says what would be lost.
func order(op state.Op, f func(state.Result) any) action {
	return func(c *core, req *bus.Request) {
		c.propose(req, op, func(result state.Result) {
			switch {
			case result.Losses != nil:
				req.RefuseDetail(result.Err, result.Losses)
			case result.Err != nil:
				req.Refuse(result.Err)
			default:
				c.log.Info("operator's order", "order", c.replica.State().LastAudit())
				req.Reply(f(result))
			}
		})
	}
}

// decodeRecord reads what an operator did outside of the state, for the audit.
func decodeRecord(r *reader) action {
	var arg struct {
		By     muster.Operator `json:"by"`
		Action string          `json:"action"`
		Target string          `json:"target"`
		Before string          `json:"before"`
		After  string          `json:"after"`
	}
	r.object(0, "entry", &arg)
	return order(state.Record(arg), done)
}

func decodeListDrains(*reader) query {
	return func(_ *core, s *state.State) (any, error) { return s.Drains(), nil }
}

func decodeGetDrain(r *reader) query {
	id := r.whole(0, "drain")
	return func(_ *core, s *state.State) (any, error) {
		if d, ok := s.DrainByID(id); ok {
			return d, nil
		}
		return nil, muster.ReasonNoDrain
	}
}

func decodeAudit(r *reader) query {
	after, limit := r.whole(0, "after"), r.whole(1, "limit")
	if limit == 0 || limit > maxAuditAnswer {
		limit = maxAuditAnswer
	}
	return func(_ *core, s *state.State) (any, error) { return s.Audit(after, int(limit)), nil }
}
