package simtest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
)

// The times of workers: a fifth of the real ones, as those of the managers'
// liveness are, so that a short simulation has many of them.
const (
	workerKeepAlive = 160 * time.Millisecond
	workerTimeout   = 400 * time.Millisecond
	workerMeasures  = 200 * time.Millisecond
)

// simWorker is a machine on which a worker runs, and after its death another.
type simWorker struct {
	client
	purpose  string
	maxTasks int
	stepped  *worker.Stepped
}

func newSimWorker(s *Sim, name, purpose string, maxTasks int) *simWorker {
	w := &simWorker{purpose: purpose, maxTasks: maxTasks}
	w.sim, w.name = s, name
	w.connected = w.reconnected
	return w
}

// id is the name that the worker has in the cluster: of this life.
func (w *simWorker) id() string { return fmt.Sprintf("%s.%d", w.name, w.life) }

func (w *simWorker) boot() {
	w.stepped = nil
	w.client.boot()
	w.sim.logf("%s starts as %s", w.name, w.id())
	opts := worker.DefaultOptions(w.purpose)
	opts.ID, opts.IP, opts.MaxTasks, opts.MaxLoad = w.id(), "10.0.0.1", w.maxTasks, 1
	opts.KeepAlive, opts.JoinInterval, opts.CallTimeout = workerKeepAlive, workerKeepAlive, workerTimeout
	opts.LoadInterval, opts.LoadRepeat, opts.JoinRetries = workerMeasures, 5*workerMeasures, 1<<30
	stepped, err := worker.NewStepped(opts, w, func() time.Time { return epoch.Add(w.sim.now) })
	if err != nil {
		w.sim.failf("worker %s: %v", w.name, err)
		return
	}
	w.stepped = stepped
	w.measure()
	w.when(w.sim.between(0, workerKeepAlive), w.stepped.Tick)
	w.every(workerMeasures, w.measure)
}

func (w *simWorker) measure() { w.stepped.Measured(min(0.02*float64(len(w.stepped.Tasks())), 1)) }

func (w *simWorker) reconnected() {
	if w.stepped != nil {
		w.stepped.Reconnected()
	}
}

// Call implements worker.Surroundings, as the following do.
func (w *simWorker) Call(method string, args []any, answered func(json.RawMessage, error)) {
	w.ask(method, args, workerTimeout, func(r bus.Reply, err error) {
		if err == nil {
			err = r.Refusal()
		}
		w.stepped.LedIn(r.Term)
		answered(r.Data, err)
	})
}

// Cast implements worker.Surroundings.
func (w *simWorker) Cast(method string, args []any) error {
	if method != "reportLoad" {
		w.sim.logf("%s tells %s%s", w.name, method, encode(args))
	}
	return w.tell(method, args)
}

// Rest implements worker.Surroundings.
func (w *simWorker) Rest(d time.Duration) { w.rest(d, func() { w.stepped.Tick() }) }

// Dropped implements worker.Surroundings.
func (w *simWorker) Dropped(tasks []string) {
	w.sim.logf("%s drops %v", w.name, tasks)
	w.sim.dropped += len(tasks)
}

// Ended implements worker.Surroundings.
func (w *simWorker) Ended(err error) { w.sim.logf("%s has ended: %v", w.name, err) }

// begin has it run a task, as the one who placed it there asks.
func (w *simWorker) begin(task string) {
	w.sim.logf("%s begins %s", w.name, task)
	w.stepped.AddTask(task)
}

// claim has it ask whether it may run a task, and run it if so.
func (w *simWorker) claim(task string, number uint64) {
	key, asked := taskKey{w.purpose, task}, w.sim.now
	w.sim.logf("%s claims %s as %d", w.name, task, number)
	w.stepped.Claim(task, number, func(err error) {
		if err != nil {
			w.sim.logf("%s may not begin %s: %v", w.name, task, err)
			w.sim.refused++
			return
		}
		w.sim.logf("%s begins %s", w.name, task)
		w.sim.truth.begun(w, key, asked)
	})
}

// finish has it end a task.
func (w *simWorker) finish(task string) {
	w.sim.logf("%s ends %s", w.name, task)
	w.stepped.RemoveTask(task)
}

// quit ends it in good order.
func (w *simWorker) quit() {
	w.sim.logf("%s quits", w.name)
	w.stepped.Quit()
	life := w.life
	w.sim.after(10*time.Millisecond, func() {
		if w.life == life {
			w.kill()
		}
	})
}

// drain asks for no more tasks, or for tasks again.
func (w *simWorker) drain(no bool) {
	state := muster.StateReady
	if no {
		state = muster.StateNotReady
	}
	w.sim.logf("%s is %s", w.name, state)
	w.stepped.ReportState(state)
}
