package state

import (
	"cmp"
	"fmt"

	"github.com/muster-fleet/muster"
)

// The operations that change how tasks are placed, until they are taken back.
// They go before the configuration, which every new leader brings along.
type (
	// SetStrategy sets the strategy of a purpose, or with "" leaves it to the
	// configuration again.
	SetStrategy struct {
		Purpose  string
		Strategy muster.Strategy
		By       muster.Operator
	}
	// SetDebit sets how placements count before their worker reports them, or
	// with Reset leaves that to the configuration again.
	SetDebit struct {
		Debit Debit
		Reset bool
		By    muster.Operator
	}
)

// steering is what operators set at run time.
type steering struct {
	strategies map[string]muster.Strategy
	debit      *Debit
}

// strategy is the one in force for a purpose.
func (s *State) strategy(purpose string) muster.Strategy {
	if strategy, ok := s.steering.strategies[purpose]; ok {
		return strategy
	}
	return s.cfg.strategy(purpose)
}

// debitInForce is the debit of the operator, or else of the configuration.
func (s *State) debitInForce() *Debit {
	if s.steering.debit != nil {
		return s.steering.debit
	}
	return &s.cfg.Debit
}

// setStrategy is the operation SetStrategy.
func (s *State) setStrategy(op SetStrategy) error {
	if err := muster.CheckName(op.Purpose, muster.MaxName); err != nil {
		return fmt.Errorf("purpose %w", err)
	}
	if err := op.By.Check(); err != nil {
		return err
	}
	if op.Strategy != "" {
		if _, err := muster.ParseStrategy(string(op.Strategy)); err != nil {
			return err
		}
	}
	_, configured := s.cfg.Strategies[op.Purpose]
	_, steered := s.steering.strategies[op.Purpose]
	if s.purposes[op.Purpose] == nil && !configured && !steered {
		return muster.ReasonNoScheduler(op.Purpose)
	}
	before := s.strategyText(op.Purpose)
	s.do(muster.StrategyChanged{Purpose: op.Purpose, Strategy: op.Strategy})
	s.record(op.By, "strategy", op.Purpose, before, s.strategyText(op.Purpose))
	return nil
}

func (s *State) strategyText(purpose string) string {
	if strategy, ok := s.steering.strategies[purpose]; ok {
		return string(strategy)
	}
	return string(s.cfg.strategy(purpose)) + " (configuration)"
}

func (s *State) foldStrategy(e muster.StrategyChanged) {
	if e.Strategy == "" {
		delete(s.steering.strategies, e.Purpose)
	} else {
		if len(s.steering.strategies) >= muster.MaxPurposes {
			return
		}
		s.steering.strategies[e.Purpose] = e.Strategy
	}
	if p := s.purposes[e.Purpose]; p != nil {
		p.pool.SetStrategy(s.strategy(e.Purpose))
	}
}

// setDebit is the operation SetDebit.
func (s *State) setDebit(op SetDebit) error {
	if err := op.By.Check(); err != nil {
		return err
	}
	if err := op.Debit.validate(); err != nil && !op.Reset {
		return err
	}
	before := s.debitText()
	e := muster.DebitChanged{}
	if !op.Reset {
		e = muster.DebitChanged{Mode: string(op.Debit.Mode), Fixed: op.Debit.Fixed, Floor: op.Debit.Floor}
	}
	s.do(e)
	s.record(op.By, "debit", "", before, s.debitText())
	return nil
}

func (s *State) debitText() string {
	d := s.debitInForce()
	text := fmt.Sprintf("%s, fixed %v, floor %v", d.Mode, d.Fixed, d.Floor)
	if s.steering.debit == nil {
		text += " (configuration)"
	}
	return text
}

func (s *State) foldDebit(e muster.DebitChanged) {
	s.steering.debit = nil
	if e.Mode != "" {
		s.steering.debit = &Debit{Mode: DebitMode(e.Mode), Fixed: e.Fixed, Floor: e.Floor}
	}
	s.applyConfig()
}

// Steered returns the strategies and the debit that operators set, nil for a
// debit of the configuration.
func (s *State) Steered() (strategies map[string]muster.Strategy, debit *Debit) {
	return s.steering.strategies, s.steering.debit
}

// StrategyOf returns the strategy that is in force for a purpose, and whether an
// operator set it.
func (s *State) StrategyOf(purpose string) (muster.Strategy, bool) {
	set := s.steering.strategies[purpose]
	return cmp.Or(set, s.cfg.strategy(purpose)), set != ""
}

// DebitInForce returns the debit that is in force, and whether an operator set
// it.
func (s *State) DebitInForce() (Debit, bool) { return *s.debitInForce(), s.steering.debit != nil }
