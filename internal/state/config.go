package state

import (
	"fmt"
	"maps"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// MaxDebit is the most that one placement may add to its worker's load.
const MaxDebit = 1.0

// Validate returns what is wrong with the configuration, naming the member.
func (c Config) Validate() error {
	for _, purpose := range slices.Sorted(maps.Keys(c.Strategies)) {
		if _, err := muster.ParseStrategy(string(c.Strategies[purpose])); err != nil {
			return fmt.Errorf("strategies.%s: %w", purpose, err)
		}
	}
	if _, err := muster.ParseStrategy(string(c.General)); err != nil {
		return fmt.Errorf("general strategy: %w", err)
	}
	if c.ReserveMillis <= 0 || c.ReserveMillis > MaxReserveMillis {
		return fmt.Errorf("reserve time of %d ms: use 1 ms to a day", c.ReserveMillis)
	}
	return c.Debit.validate()
}

func (d Debit) validate() error {
	switch {
	case d.Mode != DebitLearned && d.Mode != DebitOff && d.Mode != DebitFixed:
		return fmt.Errorf("debit mode %q: use %s, %s or %s", d.Mode, DebitLearned, DebitOff, DebitFixed)
	case !(d.Fixed >= 0 && d.Fixed <= MaxDebit):
		return fmt.Errorf("fixed debit %v: use 0 to %v", d.Fixed, MaxDebit)
	case !(d.Floor >= 0 && d.Floor <= MaxDebit):
		return fmt.Errorf("debit floor %v: use 0 to %v", d.Floor, MaxDebit)
	}
	return nil
}

// repaired returns a copy in which what Validate would refuse has its default.
func (c Config) repaired() Config {
	standard := DefaultConfig()
	c.Strategies = maps.Clone(c.Strategies)
	maps.DeleteFunc(c.Strategies, func(_ string, s muster.Strategy) bool {
		return !slices.Contains(muster.Strategies, s)
	})
	if !slices.Contains(muster.Strategies, c.General) {
		c.General = standard.General
	}
	if c.ReserveMillis <= 0 {
		c.ReserveMillis = standard.ReserveMillis
	}
	c.ReserveMillis = min(c.ReserveMillis, MaxReserveMillis)
	if c.Debit.validate() != nil {
		c.Debit = standard.Debit
	}
	return c
}

// reconfigure is the operation Configure.
func (s *State) reconfigure(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	s.configure(c.repaired())
	return nil
}

func (s *State) configure(c Config) {
	s.cfg = c
	s.applyConfig()
}

// applyConfig has the purposes place as the configuration and the operators want.
func (s *State) applyConfig() {
	debit := s.debitInForce()
	s.fixed, s.floor = sched.UnitsOf(debit.Fixed), sched.UnitsOf(debit.Floor)
	for name, p := range s.purposes {
		p.pool.SetStrategy(s.strategy(name))
		s.trust(p)
	}
}

// trust lets the debits of a purpose count against the limits of its workers
// once they are more than a guess: tasks of some purposes are never picked up,
// so that what they cost is never learned, and a guess must not fill a fleet.
func (s *State) trust(p *purpose) {
	mode := s.debitInForce().Mode
	p.pool.SetFirm(mode == DebitFixed || mode == DebitLearned && p.cost.Sure())
}

func (c *Config) strategy(purpose string) muster.Strategy {
	if strategy, ok := c.Strategies[purpose]; ok {
		return strategy
	}
	return c.General
}

// debit is what a placement of the purpose adds to its worker now.
func (s *State) debit(p *purpose) sched.Units {
	switch s.debitInForce().Mode {
	case DebitFixed:
		return s.fixed
	case DebitLearned:
		return max(p.cost.Estimate(), s.floor)
	}
	return 0
}
