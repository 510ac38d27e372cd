package systemtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/systemtest/history"
)

// end is how the life of a task ends.
type end string

const (
	never       end = "never"       // it is picked up, and runs on
	laidDown    end = "laid-down"   // it is picked up, and its worker is done with it
	unscheduled end = "unscheduled" // its caller gives it up
	expired     end = "expired"     // it is not picked up
)

const (
	// shortly is for how long the tasks of lives are reserved.
	shortly = 3 * time.Second
	// earliest is how long that may really last: a new leader whose clock was
	// behind hurries by a tenth until it is right (see the clock in manager).
	earliest = shortly - shortly/10
)

// lives has tasks begin and end, beside the calls of the rig.
type lives struct {
	*rig
	running sync.WaitGroup
	stop    chan struct{}

	mu      sync.Mutex
	history []history.Call
	ends    map[string]end
	workers map[string]string
}

func (r *rig) beginLives() *lives {
	l := &lives{rig: r, stop: make(chan struct{}), ends: map[string]end{}, workers: map[string]string{}}
	for _, how := range []end{never, laidDown, unscheduled, expired} {
		l.running.Go(func() { l.liveOn(how) })
	}
	return l
}

// liveOn has one task after the other live and end.
func (l *lives) liveOn(how end) {
	next := time.NewTicker(25 * time.Millisecond)
	defer next.Stop()
	for i := 0; ; i++ {
		l.live(fmt.Sprintf("%s-%d", how, i), how)
		select {
		case <-next.C:
		case <-l.stop:
			return
		}
	}
}

func (l *lives) live(task string, how end) {
	placed := history.Call{Task: task, Start: l.load.Now()}
	answer, err := l.client.Schedule(context.Background(), client.Request{Purpose: purpose, Task: task, Reserve: shortly})
	placed.Worker, placed.Err, placed.End = answer.Worker, err, l.load.Now()
	l.note(placed)
	if err != nil {
		return
	}
	l.mu.Lock()
	l.ends[task], l.workers[task] = how, placed.Worker
	l.mu.Unlock()
	l.finish(placed, how)
	l.lookUp(task)
}

// finish brings the task to its end. That a reservation has run out is noted for the
// earliest time: it must not be sooner.
func (l *lives) finish(placed history.Call, how end) {
	over := history.Call{Task: placed.Task, Over: true, Start: l.load.Now()}
	w := l.fleet.byID[placed.Worker]
	switch how {
	case never:
		w.AddTask(placed.Task)
		return
	case laidDown:
		w.AddTask(placed.Task)
		l.lookUp(placed.Task)
		over.Start = l.load.Now()
		w.RemoveTask(placed.Task)
	case unscheduled:
		if err := l.client.Unschedule(context.Background(), placed.Worker, placed.Task); err != nil && !doneBefore(err) {
			l.Errorf("unschedule %s: %v", placed.Task, err)
		}
	case expired:
		over.Start = placed.Start + earliest
	}
	over.End = over.Start
	l.note(over)
}

// doneBefore recognises the refusal of a repeated call, of which a leader
// that was then frozen did the first.
func doneBefore(err error) bool {
	var refused *bus.RemoteError
	return errors.As(err, &refused) && strings.Contains(refused.Reason, "is not on worker")
}

func (l *lives) lookUp(task string) (worker string) {
	c := history.Call{Task: task, Look: true, Start: l.load.Now()}
	c.Worker, c.Err = l.look(task)
	if errors.Is(c.Err, client.ErrNoTask) {
		c.Err = nil
	}
	c.End = l.load.Now()
	l.note(c)
	return c.Worker
}

func (l *lives) note(c history.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history = append(l.history, c)
}

// verifyLives waits until what is to end has ended, and checks the histories.
func (l *lives) verifyLives() {
	l.Helper()
	close(l.stop)
	l.running.Wait()
	count := map[end]int{}
	for task, how := range l.ends {
		if count[how]++; how != never {
			l.awaitGone(task, how)
		}
	}
	for task, how := range l.ends { // now every reservation has run out: only running tasks hold a worker
		if on := l.lookUp(task); how == never && on != l.workers[task] {
			l.Errorf("%s runs on %s, and the manager says %q", task, l.workers[task], on)
		}
	}
	l.Logf("lives: %v, history %d", count, len(l.history))
	if calls := disordered(l.history); calls != nil {
		l.Errorf("no order in which the task is on one worker until it ends: %+v", calls)
	}
	l.verify()
}

// awaitGone waits until no manager knows the task.
func (l *lives) awaitGone(task string, how end) {
	l.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for l.lookUp(task) != "" {
		select {
		case <-again.C:
		case <-l.ctx.Done():
			l.Fatalf("%s is still on %s, and is %s", task, l.workers[task], how)
		}
	}
}

func TestTasksLiveAndEndWhileLeadersAreKilled(t *testing.T) {
	onQueuesInTurn(t, func(t *testing.T, q queue) {
		l := startRig(t, q, setup{fleet: 5}).beginLives()
		for range 3 {
			l.replace(l.leader())
		}
		l.verifyLives()
	})
}

func TestTasksLiveAndEndWhileLeadersAreStopped(t *testing.T) {
	onQueuesInTurn(t, func(t *testing.T, q queue) {
		l := startRig(t, q, setup{fleet: 5}).beginLives()
		l.while(l.Stop, l.Continue)
		l.verifyLives()
	})
}

// Tasks are picked up while the leader is frozen: only its queue gets the report.
// Their reservations are over long before a worker compares all its tasks.
func TestFrozenLeaderIsToldOfPickUps(t *testing.T) {
	onQueuesInTurn(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{fleet: 2})
		placed := map[string]string{}
		for i := range 20 {
			r.reserve(placed, fmt.Sprint("picked-up-", i))
		}
		leader := r.leader()
		r.Stop(leader)
		for task, id := range placed {
			r.fleet.byID[id].AddTask(task)
		}
		_, err := r.AwaitLeader(r.ctx, leader)
		r.must(err)
		r.Continue(leader)
		r.healed()
		last := map[string]string{}
		r.reserve(last, "not-picked-up")
		(&lives{rig: r, workers: last}).awaitGone("not-picked-up", expired)
		for task, id := range placed {
			if on, err := r.look(task); on != id {
				t.Errorf("%s runs on %s, and the manager says %q: %v", task, id, on, err)
			}
		}
		r.verify()
	})
}

// reserve places a task for a short time.
func (r *rig) reserve(placed map[string]string, task string) {
	r.Helper()
	p, err := r.client.Schedule(r.ctx, client.Request{Purpose: purpose, Task: task, Reserve: shortly})
	r.must(err)
	placed[task] = p.Worker
}
