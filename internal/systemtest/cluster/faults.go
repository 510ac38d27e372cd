package cluster

import (
	"fmt"
	"syscall"
)

// Kill ends the manager's process with SIGKILL. Launch replaces it.
func (c *Cluster) Kill(m *Manager) { m.Process.Kill() }

// Stop halts the manager's process, without its knowing, until Continue.
func (c *Cluster) Stop(m *Manager) { m.Process.Signal(syscall.SIGSTOP) }

// Continue lets a process go on that was stopped.
func (c *Cluster) Continue(m *Manager) { m.Process.Signal(syscall.SIGCONT) }

// End asks the manager to end, as an operator does, and returns when it has
// ended, with an error where that was not in good order.
func (c *Cluster) End(m *Manager) error {
	m.Process.Signal(syscall.SIGTERM)
	<-m.Process.Gone
	if state := m.Process.cmd.ProcessState; !state.Success() {
		return fmt.Errorf("cluster: the manager at %s ended with %s", m.Addr, state)
	}
	return nil
}

// Cut lets nothing pass between a manager and the others, nor between it and
// the message queue. Its connections stay, silent.
func (c *Cluster) Cut(m *Manager) { m.valve.turn(false) }

// Heal ends Cut: what was under way arrives.
func (c *Cluster) Heal(m *Manager) { m.valve.turn(true) }
