package config

import (
	"maps"

	"github.com/muster-fleet/muster/internal/state"
)

// Placement returns how tasks are placed.
func (c *Config) Placement() state.Config {
	return state.Config{
		Strategies:    maps.Clone(c.Strategy.ByPurpose),
		General:       c.Strategy.General,
		ReserveMillis: c.Manager.ReserveTime.Milliseconds(),
		Debit:         c.Debit,
	}
}
