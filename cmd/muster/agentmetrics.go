package main

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/worker"
)

// agentMeasures are the metrics of an agent: its nodes, and what its media tasks say of
// their work. Each scrape asks the nodes that have tasks.
type agentMeasures struct {
	asker       *client.Client
	id, purpose string

	scraping sync.Mutex // one scrape at a time

	mu      sync.Mutex
	results map[muster.TaskState]int
	// past are the frames of tasks that ended, and running the last ones of each
	// that goes on.
	past    mediaWork
	running map[string]mediaWork
	// late are tasks that ended since the last scrape began: what a node said of them
	// before must not count again.
	late map[string]bool
}

// mediaWork is what a media task says of its work.
type mediaWork struct {
	Frames  int64   `json:"frames"`
	Dropped int64   `json:"dropped"`
	Speed   float64 `json:"speed"`
}

func newAgentMeasures(asker *client.Client, w worker.Options) *agentMeasures {
	return &agentMeasures{
		asker: asker, id: w.ID, purpose: w.Purpose, results: map[muster.TaskState]int{muster.TaskDone: 0, muster.TaskFailed: 0}, running: map[string]mediaWork{}, late: map[string]bool{},
	}
}

func workOf(r muster.TaskReport) (w mediaWork, ok bool) {
	return w, json.Unmarshal(r.Detail, &w) == nil
}

// ended counts a task. What it said last counts where its end says less.
func (m *agentMeasures) ended(r muster.TaskReport) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.results[r.State]++
	last, _ := workOf(r)
	before := m.running[r.Task]
	delete(m.running, r.Task)
	m.late[r.Task] = true
	m.past.Frames += max(last.Frames, before.Frames)
	m.past.Dropped += max(last.Dropped, before.Dropped)
}

const (
	// scrapeTime bounds the questions to the nodes in one scrape.
	scrapeTime = 2 * time.Second
	// askedAtOnce is how many nodes are asked at a time.
	askedAtOnce = 16
)

var (
	agentLabels     = []string{"purpose"}
	agentNodesDesc  = prometheus.NewDesc("muster_agent_nodes", "Nodes of the agent.", append(agentLabels, "state"), nil)
	agentEndedDesc  = prometheus.NewDesc("muster_agent_tasks_ended_total", "Tasks that ended.", append(agentLabels, "result"), nil)
	mediaFramesDesc = prometheus.NewDesc("muster_media_frames_total", "Pictures that media tasks wrote.", agentLabels, nil)
	mediaDropDesc   = prometheus.NewDesc("muster_media_dropped_frames_total", "Pictures that media tasks left out.", agentLabels, nil)
	mediaSpeedDesc  = prometheus.NewDesc("muster_media_slowest_speed_ratio", "Speed of the slowest media task that runs; 1 is real time.", agentLabels, nil)
)

// Describe and Collect make it a prometheus.Collector.
func (m *agentMeasures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{agentNodesDesc, agentEndedDesc, mediaFramesDesc, mediaDropDesc, mediaSpeedDesc} {
		out <- d
	}
}

func (m *agentMeasures) Collect(out chan<- prometheus.Metric) {
	m.scraping.Lock()
	defer m.scraping.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	gauge := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, value, append([]string{m.purpose}, labels...)...)
	}
	states := map[muster.NodeState]int{muster.NodeStarting: 0, muster.NodeIdle: 0, muster.NodeBusy: 0, muster.NodeStopping: 0}
	slowest := m.look(ctx, states)
	for state, n := range states {
		gauge(agentNodesDesc, prometheus.GaugeValue, float64(n), string(state))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for result, n := range m.results {
		gauge(agentEndedDesc, prometheus.CounterValue, float64(n), string(result))
	}
	sum := m.past
	for _, w := range m.running {
		sum.Frames += w.Frames
		sum.Dropped += w.Dropped
	}
	gauge(mediaFramesDesc, prometheus.CounterValue, float64(sum.Frames))
	gauge(mediaDropDesc, prometheus.CounterValue, float64(sum.Dropped))
	if slowest > 0 {
		gauge(mediaSpeedDesc, prometheus.GaugeValue, slowest)
	}
}

// look counts the nodes by state, asks those with tasks, and returns the speed of the
// slowest task; 0 where none says one.
func (m *agentMeasures) look(ctx context.Context, states map[muster.NodeState]int) (slowest float64) {
	m.mu.Lock()
	m.late = map[string]bool{}
	m.mu.Unlock()
	nodes, err := m.asker.Nodes(ctx, m.id)
	if err != nil {
		return 0
	}
	var asking sync.WaitGroup
	turns := make(chan struct{}, askedAtOnce)
	for _, n := range nodes {
		states[n.State]++
		for _, task := range n.Tasks {
			turns <- struct{}{}
			asking.Go(func() {
				defer func() { <-turns }()
				r, err := m.asker.TaskStats(ctx, n.ID, task)
				w, ok := workOf(r)
				if err != nil || !ok || r.State != muster.TaskRunning {
					return
				}
				m.mu.Lock()
				defer m.mu.Unlock()
				if m.late[task] {
					return
				}
				m.running[task] = w
				if w.Speed > 0 && (slowest == 0 || w.Speed < slowest) {
					slowest = w.Speed
				}
			})
		}
	}
	asking.Wait()
	return slowest
}
