package cluster

import (
	"fmt"
	"slices"
)

// Add starts a manager at a new address. It waits until the operator lets it in.
func (c *Cluster) Add() (*Manager, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	m := &Manager{Addr: addr, listen: addr, url: c.opts.URL, valve: newValve(), crew: c.crew, later: true}
	c.managers = append(c.managers, m)
	if err := c.Launch(m); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return m, nil
}

// Forget ends a manager that the operator has taken out.
func (c *Cluster) Forget(m *Manager) {
	m.Process.Kill()
	c.managers = slices.DeleteFunc(c.managers, func(other *Manager) bool { return other == m })
}

// Upgrade has later launches run another program.
func (c *Cluster) Upgrade(program string) { c.opts.Program = program }
