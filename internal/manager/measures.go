package manager

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// measures is what the manager counts as it goes. Its labels are bounded: a
// purpose is one that workers joined with, and one of the first maxPurposes.
type measures struct {
	placements    *prometheus.CounterVec
	decision      prometheus.Histogram
	batch         prometheus.Histogram
	left          *prometheus.CounterVec
	held          prometheus.Counter
	load          *prometheus.HistogramVec
	stale         prometheus.Counter
	ownReads      prometheus.Counter
	refused       prometheus.Counter
	losses        prometheus.Counter
	roles         prometheus.Counter
	noticesFailed prometheus.Counter
	panics        prometheus.Counter
	dropped       prometheus.Counter
	overloads     *prometheus.CounterVec

	mu       sync.Mutex
	purposes map[string]bool
}

// maxPurposes is how many purposes have a label of their own; the rest share "other".
const maxPurposes = 64

func newMeasures() *measures {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &measures{
		placements: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muster_placements_total",
			Help: "Answers to schedule, and for each task of scheduleMany, by purpose, result (placed, refused) and why it was refused."}, []string{"purpose", "result", "reason"}),
		decision: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "muster_decision_seconds",
			Help:    "From the moment that the manager turned to a schedule to its answer, a majority of the managers included.",
			Buckets: []float64{1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3}}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "muster_batch_requests",
			Help: "Requests that were taken together.", Buckets: prometheus.ExponentialBuckets(1, 2, 13)}),
		left: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muster_workers_left_total",
			Help: "Workers that left, by purpose and reason; the reason lost is an eviction."}, []string{"purpose", "reason"}),
		held: counter("muster_eviction_holds_total", "Times that a count gave up no worker because too many were silent at once."),
		load: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "muster_reported_load_ratio",
			Help: "Loads that workers reported, 1 being all of a worker.", Buckets: prometheus.LinearBuckets(0.1, 0.1, 10)}, []string{"purpose"}),
		stale:         counter("muster_stale_answers_total", "Look-ups answered from a state that no leader vouches for."),
		ownReads:      counter("muster_own_copy_answers_total", "Look-ups over HTTP that this manager answered from its own copy while another one leads."),
		refused:       counter("muster_requests_malformed_total", "Requests refused since they could not be understood."),
		losses:        counter("muster_queue_losses_total", "Times that the connection to the message queue was lost."),
		roles:         counter("muster_role_changes_total", "Times that the manager's role or term changed."),
		noticesFailed: counter("muster_exit_notices_failed_total", "Tries to tell that a worker is gone that failed; each is tried again."),
		dropped:       counter("muster_requests_dropped_total", "Requests refused for good after they were given back to the queue many times."),
		panics:        counter("muster_panics_total", "Requests, and notices, dropped because they made the manager panic: a bug, which is in the log."),
		overloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muster_requests_overload_total",
			Help: "Requests for which there was no room: calls, which were refused, and casts, which were dropped."}, []string{"kind"}),

		purposes: map[string]bool{},
	}
}

// all are the collectors.
func (m *measures) all() []prometheus.Collector {
	return []prometheus.Collector{m.placements, m.decision, m.batch, m.left, m.held, m.load, m.stale, m.ownReads, m.refused, m.losses, m.roles, m.noticesFailed, m.dropped, m.panics, m.overloads}
}

// purpose is the label for a purpose, which is known if workers joined with it.
func (m *measures) purpose(name string, known bool) string {
	name = labelOf(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.purposes[name] {
		return name
	}
	if !known || len(m.purposes) >= maxPurposes {
		return "other"
	}
	m.purposes[name] = true
	return name
}

// keep forgets the purposes that are none of these, and what was counted of them.
func (m *measures) keep(purposes []state.Count) {
	known := map[string]bool{}
	for _, p := range purposes {
		known[labelOf(p.Purpose)] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.purposes {
		if !known[name] {
			delete(m.purposes, name)
			m.placements.DeletePartialMatch(prometheus.Labels{"purpose": name})
			m.left.DeletePartialMatch(prometheus.Labels{"purpose": name})
			m.load.DeletePartialMatch(prometheus.Labels{"purpose": name})
		}
	}
}

// labelOf is a name as the value of a label, which must be UTF-8. A state that
// an older manager wrote may have other names.
func labelOf(name string) string { return strings.ToValidUTF8(name, string(utf8.RuneError)) }

// overload counts a request for which there was no room.
func (m *measures) overload(call bool) {
	kind := "cast"
	if call {
		kind = "call"
	}
	m.overloads.WithLabelValues(kind).Inc()
}

// decided counts a decision. A trace of it, unless "", is its example.
func (m *measures) decided(took time.Duration, traceID string) {
	if with, ok := m.decision.(prometheus.ExemplarObserver); ok && traceID != "" {
		with.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": traceID})
		return
	}
	m.decision.Observe(took.Seconds())
}

// placed counts an answer to schedule.
func (m *measures) placed(purpose string, result state.Result, took time.Duration, traceID string) {
	m.decided(took, traceID)
	m.countPlaced(purpose, reasonLabel(result.Err), 1)
}

// placedMany counts the answers in one to scheduleMany: one decision, and each
// task. Tasks of one purpose that end alike are counted together.
func (m *measures) placedMany(tasks []state.Schedule, results []state.Result, took time.Duration, traceID string) {
	m.decided(took, traceID)
	for i := 0; i < len(tasks); {
		purpose, reason, n := tasks[i].Purpose, reasonLabel(results[i].Err), 0
		for i < len(tasks) && tasks[i].Purpose == purpose && reasonLabel(results[i].Err) == reason {
			i, n = i+1, n+1
		}
		m.countPlaced(purpose, reason, n)
	}
}

// countPlaced counts n answers for tasks of a purpose, "" being the reason of
// those that were placed.
func (m *measures) countPlaced(purpose, reason string, n int) {
	outcome := "placed"
	if reason != "" {
		outcome = "refused"
	}
	known := reason == "" || reason == "all-full" || reason == "no-match"
	m.placements.WithLabelValues(m.purpose(purpose, known), outcome, reason).Add(float64(n))
}

// reasonLabel is the kind of a refusal, without the names that are in it.
func reasonLabel(err error) string {
	if err == nil {
		return ""
	}
	reason, _ := err.(muster.Reason)
	switch reason.Code {
	case muster.CodeAllFull, muster.CodeNoMatch, muster.CodeNoScheduler, muster.CodeNotReady:
		return string(reason.Code)
	}
	return "other"
}

// Collector is what the manager measures, for a registry of Prometheus's. A
// scrape takes a look at the state between two batches, whose cost does not
// grow with the fleet. It belongs to one registry; docs/metrics.md lists what
// is in it.
func (m *Manager) Collector() prometheus.Collector { return collector{m} }

type collector struct{ m *Manager }

// Describe tells nothing: some of the metrics depend on the purposes there are.
func (collector) Describe(chan<- *prometheus.Desc) {}

// scrapeTime bounds how long a scrape waits for the manager.
const scrapeTime = time.Second

func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, counted := range c.m.core.measures.all() {
		counted.Collect(out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	var now snapshot
	look := func(c *core) { c.guard(nil, "metrics", func() { now = c.snapshot() }) }
	if err := c.m.callOwner(ctx, look); err != nil {
		return // it has ended, or stands still: what it counted is all there is
	}
	if ask := c.m.core.opts.Members; ask != nil && now.role.Kind == replica.Leader {
		now.members, _ = ask(ctx)
	}
	c.m.core.contain(nil, "metrics", func() { now.collect(out) })
}
