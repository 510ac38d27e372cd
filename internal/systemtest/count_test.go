package systemtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// counter counts programs where they run, and believes no manager.
type counter struct {
	mu      sync.Mutex
	running map[string]map[string]int // worker, task: how many programs
	starts  int
	ends    int
	late    int // starts that came after the reservation was over, and were refused
	double  []string
	over    []string
}

func (c *counter) begin(worker, task string, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.starts++
	if c.running[worker] == nil {
		c.running[worker] = map[string]int{}
	}
	c.running[worker][task]++
	programs := 0
	for _, n := range c.running[worker] {
		programs += n
	}
	if programs > most {
		c.over = append(c.over, fmt.Sprintf("%s begins %s and runs %v", worker, task, c.running[worker]))
	}
	for other, tasks := range c.running {
		if n := tasks[task]; n > 1 || n > 0 && other != worker {
			c.double = append(c.double, fmt.Sprintf("%s begins %s, which %s runs", worker, task, other))
		}
	}
}

func (c *counter) end(worker, task string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends++
	if c.running[worker][task]--; c.running[worker][task] == 0 {
		delete(c.running[worker], task)
	}
}

func (c *counter) runs(worker, task string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[worker][task] > 0
}

// slowly is how long a program takes to end: a slot that is free before that is
// given to a second one.
const slowly = 80 * time.Millisecond

// counted launches programs that only count.
type counted struct {
	*counter
	most int
}

func (l counted) PerTask() bool { return true }

func (l counted) Launch(_ context.Context, s process.Spec) (process.Node, error) {
	n := &countedProgram{ready: make(chan struct{}), done: make(chan struct{})}
	n.over = func() { l.end(s.Agent, s.Task) }
	l.begin(s.Agent, s.Task, l.most)
	close(n.ready)
	return n, nil
}

type countedProgram struct {
	ready, done chan struct{}
	over        func()
	once        sync.Once
}

func (n *countedProgram) PID() int               { return 0 }
func (n *countedProgram) Ready() <-chan struct{} { return n.ready }
func (n *countedProgram) Done() <-chan struct{}  { return n.done }
func (n *countedProgram) Err() error             { return nil }
func (n *countedProgram) Status() string         { return "" }

func (n *countedProgram) Stop(time.Duration) {
	n.once.Do(func() {
		time.AfterFunc(slowly, func() {
			n.over()
			close(n.done)
		})
	})
}

const (
	countedPurpose = "video"
	countedAgents  = 3
	countedTasks   = 3 // at once, on each
	// countedReserve is shorter than a change of leader takes, so that callers
	// are late also where no fault is injected.
	countedReserve = 400 * time.Millisecond
)

// counting is agents whose programs are counted, and their callers.
type counting struct {
	*rig
	*counter
	client  *client.Client
	stop    chan struct{}
	ending  sync.Once
	callers sync.WaitGroup
	kept    sync.Map // task: the worker that runs it until the end
}

func (r *rig) beginCounting() *counting {
	r.Helper()
	c := &counting{rig: r, counter: &counter{running: map[string]map[string]int{}}, stop: make(chan struct{})}
	c.client = client.New(r.conn, client.Options{Cluster: r.name, Timeout: 5 * time.Second, TryTimeout: 500 * time.Millisecond})
	for i := range countedAgents {
		c.joinAgent(fmt.Sprintf("%s-%d", countedPurpose, i))
	}
	r.Cleanup(c.finish) // before the agents end, also where the test failed
	for i := range 4 * countedAgents {
		c.callers.Go(func() { c.callOn(i) })
	}
	return c
}

func (c *counting) joinAgent(id string) {
	c.Helper()
	conn, err := connect.Open(c.ctx, bus.Options{URL: c.url})
	c.must(err)
	a, err := agent.Start(c.ctx, conn, agent.Options{
		Worker: worker.Options{
			Purpose: countedPurpose, Cluster: c.name, ID: id, IP: "127.0.0.1", MaxTasks: countedTasks, MaxLoad: 1,
			Load: load.Func(func() float64 { return 0.1 }), LoadInterval: 100 * time.Millisecond, KeepAlive: 200 * time.Millisecond,
		},
		Launcher: counted{c.counter, countedTasks},
		Policy:   agent.Policy{PerTask: true, MaxNodes: agent.NoLimit},
	})
	c.must(err)
	c.Cleanup(func() {
		_ = a.Close(context.Background())
		_ = conn.Close()
	})
}

// callOn places and runs tasks, one after the other, under few names, so that
// they are placed again soon.
func (c *counting) callOn(i int) {
	random := rand.New(rand.NewPCG(*faultSeed, uint64(i)))
	for n := 0; ; n++ {
		select {
		case <-c.stop:
			return
		case <-time.After(time.Duration(random.IntN(30)) * time.Millisecond):
		}
		task := fmt.Sprintf("counted-%d-%d", i, n%3)
		if random.IntN(4) == 0 {
			task = fmt.Sprintf("shared-%d", random.IntN(3))
		}
		c.call(task, random)
	}
}

func (c *counting) call(task string, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
	defer cancel()
	p, err := c.client.Schedule(ctx, client.Request{Purpose: countedPurpose, Task: task, Reserve: countedReserve})
	if err != nil {
		return
	}
	if random.IntN(3) == 0 { // late
		time.Sleep(countedReserve + time.Duration(random.IntN(200))*time.Millisecond)
	}
	node, err := c.client.GetNode(ctx, p.Worker, p.Order(task, nil))
	if err != nil {
		if errors.Is(err, client.ErrPlacementOver) {
			c.counter.mu.Lock()
			c.late++
			c.counter.mu.Unlock()
		}
		return
	}
	time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	_ = c.client.RecycleNode(ctx, p.Worker, node, muster.TaskEnd{
		Room: task, Task: task, Result: &muster.TaskResult{State: muster.TaskDone},
	})
}

// keep starts tasks that are never ended: they must run to the end of the test.
func (c *counting) keep(n int) {
	c.Helper()
	for i := range n {
		task := fmt.Sprintf("kept-%d", i)
		for {
			p, err := c.client.Schedule(c.ctx, client.Request{Purpose: countedPurpose, Task: task, Reserve: countedReserve})
			if err == nil {
				if _, err = c.client.GetNode(c.ctx, p.Worker, p.Order(task, nil)); err == nil {
					c.kept.Store(task, p.Worker)
					break
				}
			}
			if c.ctx.Err() != nil {
				c.Fatalf("%s cannot be started: %v", task, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// finish ends the calls, once, and prints and checks the counts.
func (c *counting) finish() {
	c.Helper()
	c.ending.Do(func() {
		close(c.stop)
		c.callers.Wait()
		c.verifyCounts()
	})
}

func (c *counting) verifyCounts() {
	c.Helper()
	var lost []string
	c.kept.Range(func(task, worker any) bool {
		if !c.runs(worker.(string), task.(string)) {
			lost = append(lost, fmt.Sprintf("%s does not run on %s any more", task, worker))
		}
		return true
	})
	c.counter.mu.Lock()
	defer c.counter.mu.Unlock()
	c.Logf("counted at the workers, after %d faults: starts %d, ends %d, late callers refused %d, lost %d, on two workers %d, over N %d",
		c.faults, c.starts, c.ends, c.late, len(lost), len(c.double), len(c.over))
	for _, problems := range [][]string{lost, c.double, c.over} {
		if len(problems) > 0 {
			c.Errorf("%d, the first: %s", len(problems), problems[0])
		}
	}
	if c.starts == 0 {
		c.Error("nothing was started")
	}
}

// N is N at the workers, and a task is on one of them, also for callers who come
// late, whatever happens to the managers.
func TestCountedAtTheWorkers(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{faults: 2})
		c := r.beginCounting()
		c.keep(2)
		for range 2 {
			r.replace(r.leader())
		}
		r.while(r.Stop, r.Continue)
		c.finish()
		r.verify()
	})
}
