package manager

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// ownClock lists the files with goroutines, which have the machine's time.
var ownClock = []string{"manager.go", "feed.go", "leaderserver.go", "notifier.go"}

// What a simulation drives has its time from the step.
func TestCoreHasNoClock(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if from, ok := call.X.(*ast.Ident); !ok || from.Name != "time" && from.Name != "pause" {
				return true
			}
			if slices.Contains([]string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep", "For"}, call.Sel.Name) {
				if found[file] = true; !slices.Contains(ownClock, file) {
					t.Errorf("%s: %s of a clock", file, call.Sel.Name)
				}
			}
			return true
		})
	}
	for _, file := range ownClock {
		if !found[file] {
			t.Errorf("%s has no clock any more: take it off the list", file)
		}
	}
}

func TestAlarm(t *testing.T) {
	var once, each alarm
	once.set(10)
	each.start(0, 10)
	for _, c := range []struct {
		now        time.Duration
		once, each bool
	}{{9, false, false}, {10, true, true}, {11, false, false}, {21, false, true}, {30, false, true}, {65, false, true}, {66, false, false}, {75, false, true}} {
		if gotOnce, gotEach := once.due(c.now), each.due(c.now); gotOnce != c.once || gotEach != c.each {
			t.Errorf("at %d: due %v and %v", c.now, gotOnce, gotEach)
		}
	}
	if each.stop(); each.due(1000) {
		t.Error("due though it was stopped")
	}
}

// leaderless returns a manager that serves stale reads, and what is around it.
func leaderless(t *testing.T) (*core, *scene) {
	t.Helper()
	opts := DefaultOptions()
	c, scene := newScene(opts)
	follower := newScripted(replica.Follower, 1)
	c.replica, c.beacon = follower, newLeaderBeacon(opts.Cluster, "m1")
	c.step((*core).begin)
	follower.become(replica.Candidate, 1)
	c.step((*core).apply)
	scene.ticks(c, opts.StaleAfter)
	if !c.staleReads.on || scene.role != (replica.Role{Kind: replica.Leader, Term: 1}) {
		t.Fatalf("serves as %+v, stale reads: %+v", scene.role, c.staleReads)
	}
	return c, scene
}

// ticks lets time pass.
func (s *scene) ticks(c *core, d time.Duration) {
	for end := s.at.Passed + d; c.next() <= end; {
		s.pass(c.next() - s.at.Passed)
		c.step((*core).tick)
	}
}

// A call waits for a leader for as long as its caller does, also where stale reads
// stop and begin meanwhile.
func TestCallsWaitNoLongerBecauseTheQueueIsLost(t *testing.T) {
	c, scene := leaderless(t)
	req, answer := answered("schedule", "video", "t")
	c.handle(req)
	c.step((*core).work)
	for range 2 {
		c.connection(bus.Status{})
		c.connection(bus.Status{Connected: true})
		scene.ticks(c, callTimeout/2)
	}
	if !strings.Contains(*answer, muster.ReasonAskAgain.Text) {
		t.Errorf("answered %q after %v", *answer, callTimeout)
	}
}
