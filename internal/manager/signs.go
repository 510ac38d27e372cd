package manager

import (
	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// signs are the signs of life of workers, and their loads. Most requests of a
// large fleet are signs of life that say nothing new, so that these must cost
// little: they are not replicated.
type signs struct {
	// undecided counts, by worker, the commands under way after which its load
	// may say something else than the state knows.
	undecided map[string]int
	// loads is the command of reports that waits in core.pending, nil if the last
	// command that waits is another one.
	loads *loadBatch
	// members: a command waits in core.pending by which a worker comes or goes.
	members bool
}

// loadBatch is the reports in one command.
type loadBatch struct{ loads []state.WorkerLoad }

// maxReports bounds the reports in one command, so that it can be replicated.
const maxReports = 4096

// proposed notes a command that waits, and returns the worker whose load may say
// something else by it, "" for none.
func (s *signs) proposed(op state.Op) (worker string) {
	s.loads = nil
	switch op := op.(type) {
	case state.Join:
		s.members, worker = true, op.Worker
	case state.Quit, state.WorkerLost:
		s.members = true
	case state.PickUpTasks:
		worker = op.Worker
	case state.LayDownTask:
		worker = op.Worker
	case state.ClaimTask:
		worker = op.Worker
	case state.ReportLoad: // report counts those that it adds later
		for _, one := range op.Loads {
			worker = one.Worker
		}
	}
	s.begin(worker)
	return worker
}

func (s *signs) begin(worker string) {
	if worker != "" {
		s.undecided[worker]++
	}
}

// decided ends what proposed began.
func (s *signs) decided(worker string) {
	if worker == "" {
		return
	}
	if s.undecided[worker]--; s.undecided[worker] <= 0 {
		delete(s.undecided, worker)
	}
}

// flushed notes that no command waits any longer.
func (s *signs) flushed() { s.loads, s.members = nil, false }

// fromWorker is an action that counts as a sign of life of the worker.
func fromWorker(worker string, act action) action {
	return func(c *core, req *bus.Request) {
		c.sign(worker)
		act(c, req)
	}
}

// sign notes a sign of life, if the worker is known.
func (c *core) sign(worker string) (known bool) {
	if known = c.replica.State().Has(worker); known {
		c.alive.Heard(worker)
		c.noteHeard(worker)
	}
	return known
}

// keepAlive answers a sign of life: "ok", or "whoareyou" if the worker is to join
// again.
func (c *core) keepAlive(req *bus.Request, worker string) {
	if c.stays(req, worker) {
		req.Reply("ok")
	}
}

// keepAliveWithLoad is keepAlive of a worker that reports its load with it, and
// learns by the answer that it need not report it otherwise. None of OWT's does.
func (c *core) keepAliveWithLoad(req *bus.Request, worker string, load float64) {
	if c.stays(req, worker) {
		c.report(worker, load)
		req.Reply("ok+load")
	}
}

// stays notes a sign of life, and reports whether the worker is a member. One
// that is not, or that must report everything again, is answered so.
func (c *core) stays(req *bus.Request, worker string) bool {
	if c.signs.members { // it may have joined just now
		c.flush()
	}
	if !c.sign(worker) || c.rejoining[worker] {
		delete(c.rejoining, worker)
		req.Reply("whoareyou")
		return false
	}
	if c.role.Leader != "" { // one of several: a worker that sees a new term repeats its recent reports
		req.Term(c.role.Term)
	}
	return true
}

// reportLoad takes a load as OWT's workers report it. A cast is acknowledged
// immediately, since a lost report is soon followed by the next.
func (c *core) reportLoad(req *bus.Request, worker string, load float64) {
	c.sign(worker)
	if req.Wanted() {
		c.observeLoad(worker, load)
		change(state.ReportLoad{Loads: []state.WorkerLoad{{Worker: worker, Load: load}}})(c, req)
		return
	}
	req.Done()
	c.report(worker, load)
}

// report adds a load to the command of reports that waits, so that many are
// decided together. One that says nothing new is left out, unless something is
// under way after which it may.
func (c *core) report(worker string, load float64) {
	c.observeLoad(worker, load)
	if c.signs.undecided[worker] == 0 && !c.signs.members && !c.replica.State().TellsLoad(worker, load) {
		return
	}
	batch := c.signs.loads
	if batch == nil || len(batch.loads) >= maxReports {
		batch = &loadBatch{}
		c.propose(nil, state.ReportLoad{}, nil)
		last := &c.pending[len(c.pending)-1]
		done := last.Done
		last.Done = func(result state.Result, events []muster.Event, err error) {
			for _, one := range batch.loads {
				c.signs.decided(one.Worker)
			}
			done(result, events, err)
		}
		c.signs.loads = batch
	}
	c.signs.begin(worker)
	batch.loads = append(batch.loads, state.WorkerLoad{Worker: worker, Load: load})
	c.pending[len(c.pending)-1].Command.Op = state.ReportLoad{Loads: batch.loads}
}

func (c *core) observeLoad(worker string, load float64) {
	if purpose, ok := c.replica.State().PurposeOf(worker); ok {
		c.measures.load.WithLabelValues(c.measures.purpose(purpose, true)).Observe(load)
	}
}
