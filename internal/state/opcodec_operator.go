package state

import "github.com/muster-fleet/muster"

func (Drain) number() byte       { return opDrain }
func (Undrain) number() byte     { return opUndrain }
func (StepDrains) number() byte  { return opStepDrains }
func (Cordon) number() byte      { return opCordon }
func (SetStrategy) number() byte { return opSetStrategy }
func (SetDebit) number() byte    { return opSetDebit }
func (Record) number() byte      { return opRecord }

func (w writer) operator(o muster.Operator) {
	w.Text(o.Name)
	w.Text(o.From)
}

func (r reader) operator() muster.Operator { return muster.Operator{Name: r.Text(), From: r.Text()} }

func (w writer) selector(s *muster.Selector) {
	w.Text(s.Worker)
	w.Text(s.Purpose)
	w.Text(s.Region)
	w.Pairs(s.Labels)
}

func (r reader) selector() muster.Selector {
	return muster.Selector{Worker: r.Text(), Purpose: r.Text(), Region: r.Text(), Labels: r.Pairs()}
}

func (w writer) order(o *muster.DrainOrder) {
	w.selector(&o.Selector)
	w.Bool(o.Sticky)
	w.Int(o.DeadlineMillis)
	w.Text(string(o.Policy))
	w.Bool(o.Force)
	w.operator(o.By)
}

func (r reader) order() muster.DrainOrder {
	return muster.DrainOrder{
		Selector: r.selector(), Sticky: r.Bool(), DeadlineMillis: r.Int(),
		Policy: muster.DrainPolicy(r.Text()), Force: r.Bool(), By: r.operator(),
	}
}

func (w writer) debit(d Debit) {
	w.Text(string(d.Mode))
	w.Float(d.Fixed)
	w.Float(d.Floor)
}

func (r reader) debit() Debit {
	return Debit{Mode: DebitMode(r.Text()), Fixed: r.Float(), Floor: r.Float()}
}

func (op Drain) encode(w writer) { w.order(&op.Order) }
func decodeDrain(r reader) Op    { return Drain{Order: r.order()} }

func (StepDrains) encode(writer)   {}
func decodeStepDrains(reader) Op   { return StepDrains{} }
func (op Undrain) encode(w writer) { w.Uint(op.Drain); w.selector(&op.Selector); w.operator(op.By) }

func decodeUndrain(r reader) Op {
	return Undrain{Drain: r.Uint(), Selector: r.selector(), By: r.operator()}
}

func (op Cordon) encode(w writer) {
	w.selector(&op.Selector)
	w.Bool(op.Off)
	w.Bool(op.Force)
	w.operator(op.By)
}

func decodeCordon(r reader) Op {
	return Cordon{Selector: r.selector(), Off: r.Bool(), Force: r.Bool(), By: r.operator()}
}

func (op SetStrategy) encode(w writer) {
	w.Text(op.Purpose)
	w.Text(string(op.Strategy))
	w.operator(op.By)
}

func decodeSetStrategy(r reader) Op {
	return SetStrategy{Purpose: r.Text(), Strategy: muster.Strategy(r.Text()), By: r.operator()}
}

func (op SetDebit) encode(w writer) {
	w.debit(op.Debit)
	w.Bool(op.Reset)
	w.operator(op.By)
}

func decodeSetDebit(r reader) Op {
	return SetDebit{Debit: r.debit(), Reset: r.Bool(), By: r.operator()}
}

func (op Record) encode(w writer) {
	w.operator(op.By)
	for _, text := range []string{op.Action, op.Target, op.Before, op.After} {
		w.Text(text)
	}
}

func decodeRecord(r reader) Op {
	return Record{By: r.operator(), Action: r.Text(), Target: r.Text(), Before: r.Text(), After: r.Text()}
}
