package manager

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// snapshot is how the manager stands at a scrape.
type snapshot struct {
	role      replica.Role
	inService bool
	connected bool
	stale     time.Duration // 0 for a state that is up to date
	evictions evictions
	parked    int
	purposes  []state.Count
	label     func(string) string
	members   []muster.Member
	// drains are those in force, left the tasks that are left in them, orders how many
	// writes by operators there were.
	drains, left int
	orders       uint64
}

// snapshot belongs where the state is owned.
func (c *core) snapshot() snapshot {
	s := snapshot{
		role: c.role, inService: c.inService, connected: c.link.up(),
		evictions: c.evictions(), parked: len(c.parked.waiting), purposes: c.replica.State().Counts(),
		label: func(purpose string) string { return c.measures.purpose(purpose, true) },
	}
	s.drains, s.left = c.replica.State().ActiveDrains()
	s.orders = c.replica.State().Audited()
	c.measures.keep(s.purposes)
	if c.staleReads.on {
		s.stale = c.staleAge()
	}
	return s
}

// The metrics of a snapshot.
var (
	descRole      = desc("muster_role", "1 for the role that the manager has.", "role")
	descTerm      = desc("muster_term", "The election in which the manager has its role.")
	descService   = desc("muster_in_service", "1 for a leader that places tasks.")
	descConnected = desc("muster_queue_connected", "1 while the message queue is connected.")
	descStale     = desc("muster_stale_seconds", "Age of the state from which look-ups are answered while there is no leader, 0 else.")
	descEvictions = desc("muster_evictions_state", "1 for whether silent workers are given up: normal, paced, or why not.", "state")
	descHeld      = desc("muster_silent_workers", "Workers that are past their allowance of silence, and kept.")
	descDrains    = desc("muster_drains", "Drains in force.")
	descLeft      = desc("muster_drain_tasks", "Tasks that are left on workers that are drained.")
	descOrders    = desc("muster_operator_writes", "Writes by operators since the cluster began, as numbered in the audit.")
	descParked    = desc("muster_requests_parked", "Requests that wait for a leader.")
	descWorkers   = desc("muster_workers", "Workers, by purpose and whether they can take a task.", "purpose", "state")
	descTasks     = desc("muster_tasks", "Tasks, by purpose and whether they run or a worker is held for them.", "purpose", "state")
	descDebit     = desc("muster_debit_ratio", "Load that the next placement adds to its worker, 1 being all of it.", "purpose")
	descIndex     = desc("muster_manager_index", "Last entry of the log that the manager is known to have; shown by the leader.", "manager")
	descLag       = desc("muster_manager_lag_entries", "Entries that the manager is behind the leader; shown by the leader.", "manager")
	descActive    = desc("muster_manager_active", "1 for a manager that the leader heard lately.", "manager")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func (s snapshot) collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		for i := range labels {
			labels[i] = labelOf(labels[i])
		}
		metric, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, value, labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(d, err)
		}
		out <- metric
	}
	for kind := replica.Candidate; kind <= replica.Leader; kind++ {
		gauge(descRole, bit(s.role.Kind == kind), kind.String())
	}
	for _, name := range evictionStates {
		gauge(descEvictions, bit(s.evictions.State == name), name)
	}
	gauge(descTerm, float64(s.role.Term))
	gauge(descService, bit(s.inService))
	gauge(descConnected, bit(s.connected))
	gauge(descStale, s.stale.Seconds())
	gauge(descHeld, float64(s.evictions.Silent))
	gauge(descParked, float64(s.parked))
	gauge(descDrains, float64(s.drains))
	gauge(descLeft, float64(s.left))
	gauge(descOrders, float64(s.orders))
	for _, p := range s.known() {
		gauge(descWorkers, float64(p.Ready-p.Full), p.Purpose, "free")
		gauge(descWorkers, float64(p.Full), p.Purpose, "full")
		gauge(descWorkers, float64(p.Workers-p.Ready-p.Draining-p.Cordoned), p.Purpose, "not-ready")
		gauge(descWorkers, float64(p.Draining), p.Purpose, "draining")
		gauge(descWorkers, float64(p.Cordoned), p.Purpose, "cordoned")
		gauge(descTasks, float64(p.Running), p.Purpose, "running")
		gauge(descTasks, float64(p.Reserved), p.Purpose, "reserved")
		gauge(descDebit, p.Debit, p.Purpose)
	}
	for _, m := range s.members {
		gauge(descIndex, float64(m.Index), m.Addr)
		gauge(descLag, float64(m.Lag), m.Addr)
		gauge(descActive, bit(m.Active), m.Addr)
	}
}

// known are the purposes by their labels, those without one of their own added
// up.
func (s snapshot) known() (out []state.Count) {
	at := map[string]int{}
	for _, p := range s.purposes {
		label := s.label(p.Purpose)
		i, ok := at[label]
		if !ok {
			at[label], p.Purpose = len(out), label
			out = append(out, p)
			continue
		}
		sum := &out[i]
		sum.Workers, sum.Ready, sum.Full = sum.Workers+p.Workers, sum.Ready+p.Ready, sum.Full+p.Full
		sum.Draining, sum.Cordoned = sum.Draining+p.Draining, sum.Cordoned+p.Cordoned
		sum.Running, sum.Reserved, sum.Debit = sum.Running+p.Running, sum.Reserved+p.Reserved, max(sum.Debit, p.Debit)
	}
	return out
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
