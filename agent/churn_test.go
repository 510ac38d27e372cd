package agent

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

var churnFor = flag.Duration("churn", 8*time.Second, "how long TestChurn goes on")

// Four agents with up to 50 nodes each: two have nodes ahead of tasks, two
// start one for each task.
const (
	churnNodes   = 50
	churnCallers = 8
	poolPurpose  = "churnpool"
	alonePurpose = "churnalone"
)

// TestChurn starts, uses and crashes nodes that are real processes, each with
// a child of its own, and holds what is left at the end: nothing.
func TestChurn(t *testing.T) {
	(&churn{t: t, warm: true}).run(0) // what the runtime opens once and keeps
	ignored := goleak.IgnoreCurrent()
	before := descriptors(t)
	c := &churn{t: t}
	c.run(*churnFor)
	after := descriptors(t)
	left := churnProcesses(t)
	t.Logf("%d nodes were started, %d killed with -9; %d tasks ran, %d calls were refused",
		c.nodes.Load(), c.killed.Load(), c.tasks.Load(), c.refused.Load())
	t.Logf("processes left: %d; descriptors before and after: %d, %d", len(left), before, after)
	if len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	goleak.VerifyNone(t, ignored)
}

type churn struct {
	t      *testing.T
	warm   bool
	fleet  *fleet
	agents map[string]*Agent

	nodes, killed, tasks, refused atomic.Int64

	mu   sync.Mutex
	held []heldTask
}

// heldTask is a task that goes on for a while.
type heldTask struct{ worker, node, room, task string }

func (c *churn) run(d time.Duration) {
	c.t.Run(fmt.Sprint("warm=", c.warm), func(t *testing.T) {
		c.t = t
		c.fleet = newFleet(t, d+time.Minute)
		c.agents = map[string]*Agent{}
		for i := range 4 {
			c.startAgent(i)
		}
		ctx, cancel := context.WithTimeout(c.fleet.ctx, d)
		defer cancel()
		var callers sync.WaitGroup
		for i := range churnCallers {
			callers.Go(func() { c.call(ctx, rand.New(rand.NewPCG(1, uint64(i))), i) })
		}
		callers.Wait()
		c.compare()
		c.endAgents()
	})
}

func (c *churn) startAgent(i int) {
	host, err := process.Open(process.Options{Dir: c.t.TempDir(), Agent: fmt.Sprint("churn-", i), LogNodes: 20})
	if err != nil {
		c.t.Fatal(err)
	}
	purpose, command := poolPurpose, process.Command{Argv: []string{"sh", "-c", "sleep 1000 & wait"}}
	if i%2 == 1 {
		purpose = alonePurpose
		command.Argv = []string{"sh", "-c", `sleep 1000 & case $0 in *ends) exit 0;; *fails) exit 3;; esac; wait`, "{task}"}
	}
	launcher := counted{host.Program(command), &c.nodes}
	a, err := Start(c.fleet.ctx, c.fleet.dial(), Options{
		Worker: worker.Options{
			Purpose: purpose, ID: fmt.Sprint("churn-", i), Load: load.Func(func() float64 { return 0.1 }),
		},
		Policy:   Policy{Prerun: 8, MaxNodes: churnNodes, PerTask: true},
		Launcher: launcher, ReadyTimeout: time.Minute, AnswerWithin: 10 * time.Second, ReadLog: host.ReadLog,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.agents[a.ID()] = a
	c.t.Cleanup(func() {
		_ = a.Close(c.fleet.ctx)
		if err := host.Close(); err != nil {
			c.t.Error(err)
		}
	})
}

// counted counts the nodes that are launched.
type counted struct {
	process.Launcher
	nodes *atomic.Int64
}

func (l counted) Launch(ctx context.Context, s process.Spec) (process.Node, error) {
	l.nodes.Add(1)
	return l.Launcher.Launch(ctx, s)
}

// call is one caller, until ctx is done.
func (c *churn) call(ctx context.Context, random *rand.Rand, caller int) {
	for i := 0; ctx.Err() == nil; i++ {
		purpose, kind := poolPurpose, "stays"
		if random.IntN(2) == 0 {
			purpose, kind = alonePurpose, []string{"stays", "ends", "fails"}[random.IntN(3)]
		}
		h := heldTask{room: fmt.Sprint("room", random.IntN(20)), task: fmt.Sprintf("%d-%d-%s", caller, i, kind)}
		if c.begin(ctx, purpose, &h) {
			c.tasks.Add(1)
			c.use(ctx, random, h)
		} else {
			c.refused.Add(1)
			c.endOne(ctx, random)
		}
	}
}

// begin places a task and gets a node for it.
func (c *churn) begin(ctx context.Context, purpose string, h *heldTask) bool {
	placed, err := c.fleet.client.Schedule(ctx, client.Request{Purpose: purpose, Task: h.task})
	if err != nil {
		return false
	}
	h.worker = placed.Worker
	raw, err := c.ask(ctx, h.worker, "getNode", arg(h.room, h.task))
	h.node = strings.Trim(string(raw), `"`)
	return err == nil
}

func (c *churn) ask(ctx context.Context, server, method string, args ...any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	raw, err := c.fleet.conn.Call(ctx, server, method, args...)
	if err != nil && !errors.As(err, new(*bus.RemoteError)) {
		c.t.Errorf("%s of %s: %v", method, server, err)
	}
	return raw, err
}

// use does something to a task that runs.
func (c *churn) use(ctx context.Context, random *rand.Rand, h heldTask) {
	switch random.IntN(5) {
	case 0:
		c.recycle(ctx, h)
	case 1:
		c.kill(random)
	case 2:
		c.endOne(ctx, random)
		fallthrough
	default:
		c.mu.Lock()
		c.held = append(c.held, h)
		c.mu.Unlock()
	}
}

func (c *churn) recycle(ctx context.Context, h heldTask) {
	if answer, err := c.ask(ctx, h.worker, "recycleNode", h.node, arg(h.room, h.task)); err != nil || string(answer) != `"ok"` {
		c.t.Errorf("recycleNode: %s, %v", answer, err)
	}
}

// endOne ends a task that was held.
func (c *churn) endOne(ctx context.Context, random *rand.Rand) {
	c.mu.Lock()
	if len(c.held) == 0 {
		c.mu.Unlock()
		return
	}
	i := random.IntN(len(c.held))
	h := c.held[i]
	c.held = slices.Delete(c.held, i, i+1)
	c.mu.Unlock()
	c.recycle(ctx, h)
}

// kill kills any node of any agent.
func (c *churn) kill(random *rand.Rand) {
	ids := slices.Sorted(maps.Keys(c.agents))
	nodes := c.agents[ids[random.IntN(len(ids))]].Nodes()
	if len(nodes) == 0 {
		return
	}
	n := nodes[random.IntN(len(nodes))]
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", n.PID))
	if err != nil || !bytes.Contains(environ, []byte("MUSTER_NODE="+n.ID+"\x00")) {
		return // it has ended
	}
	if syscall.Kill(n.PID, syscall.SIGKILL) == nil {
		c.killed.Add(1)
	}
}

// compare holds the manager's view of tasks against the agents'.
func (c *churn) compare() {
	for _, id := range slices.Sorted(maps.Keys(c.agents)) {
		var own, managers []string
		for {
			own, managers = c.running(id), c.believed(id)
			if slices.Equal(own, managers) {
				break
			}
			if c.fleet.ctx.Err() != nil {
				c.t.Errorf("%s runs\n%v, and the manager believes\n%v", id, own, managers)
				return
			}
		}
		if !c.warm {
			c.t.Logf("%s runs %d tasks %v\nthe manager believes in %d: %v", id, len(own), own, len(managers), managers)
		}
	}
}

func (c *churn) running(id string) []string {
	var tasks []string
	for _, n := range c.agents[id].Nodes() {
		tasks = append(tasks, n.Tasks...)
	}
	slices.Sort(tasks)
	return tasks
}

func (c *churn) believed(id string) []string {
	tasks, err := c.fleet.client.Tasks(c.fleet.ctx, id)
	if err != nil {
		c.t.Errorf("getTasks: %v", err)
	}
	slices.Sort(tasks)
	return tasks
}

// endAgents ends two agents in good order, and drains two that have tasks.
func (c *churn) endAgents() {
	var all sync.WaitGroup
	for id, a := range c.agents {
		all.Go(func() {
			if strings.HasSuffix(id, "0") {
				now, cancel := context.WithCancel(c.fleet.ctx)
				cancel()
				if err := a.Drain(now); err != nil && !errors.Is(err, context.Canceled) {
					c.t.Errorf("drain: %v", err)
				}
			}
			if err := a.Close(c.fleet.ctx); err != nil {
				c.t.Errorf("close: %v", err)
			}
		})
	}
	all.Wait()
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// churnProcesses lists the processes of the test's agents.
func churnProcesses(t *testing.T) []int {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var left []int
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err == nil && bytes.Contains(environ, []byte("MUSTER_AGENT=churn-")) {
			pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
			left = append(left, pid)
		}
	}
	return left
}
