package process

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// descriptors are the open files of this process.
func descriptors(t *testing.T) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(links) == 0 {
		t.Fatalf("descriptors: %v, %v", links, err)
	}
	var names []string
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil { // not the one that read the directory
			names = append(names, filepath.Base(link)+" "+name)
		}
	}
	return names
}

// kindsOf leaves out which pipe or socket it is.
func kindsOf(list string) []string {
	var kinds []string
	for line := range strings.Lines(list) {
		kind, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

func TestNodesInheritNothing(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		// Other nodes, with all that they need.
		noisy := says("READY=1", "hang")
		for i := range 3 {
			soon(t, launch(t, h, h.Program(noisy), Spec{ID: fmt.Sprint("other_", i)}).Ready(), "READY=1")
		}
		inherited(t, h)
		list := Command{Argv: []string{"/bin/sh", "testdata/descriptors.sh"}}
		if err := end(t, run(t, h, list)); err != nil {
			t.Fatal(err)
		}
		if got, want := kindsOf(output(t, h, "test_1")), []string{"0 /dev/null", "1 pipe", "2 pipe"}; !slices.Equal(got, want) {
			t.Errorf("a program has %q; want %q", got, want)
		}
		failsWith(t, launch(t, h, h.OWT(inShell("./descriptors.sh")), Spec{ID: "owt"}), "without being asked")
		if got, want := kindsOf(output(t, h, "owt")), []string{"0 /dev/null", "1 pipe", "2 pipe", "3 socket"}; !slices.Equal(got, want) {
			t.Errorf("a node of OWT has %q; want %q", got, want)
		}
	})
}

// inherited has this process hold a descriptor as one that it got from its
// parent: such have no mark that closes them in children.
func inherited(t *testing.T, h *Host) {
	t.Helper()
	fd, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	h.keepDescriptors()
}

// churn starts so many nodes, a few at a time, and sees all of them end.
func churn(t *testing.T, h *Host, nodes int, c func(i int) Command) {
	t.Helper()
	var all sync.WaitGroup
	next := make(chan int)
	for range 8 {
		all.Go(func() {
			for i := range next {
				n, err := h.Program(c(i)).Launch(t.Context(), Spec{ID: fmt.Sprint("n_", i), Task: "t"})
				if err != nil {
					t.Error(err)
					continue
				}
				if i%3 == 0 {
					n.Stop(time.Duration(rand.IntN(3)) * time.Millisecond)
				}
				<-n.Done()
			}
		})
	}
	for i := range nodes {
		next <- i
	}
	close(next)
	all.Wait()
}

// Thousands of nodes that end at once leave no descriptor, no file and no
// process behind; goleak, at the end of all tests, counts the goroutines.
func TestChurnLeavesNothing(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		commands := func(i int) Command {
			c := Command{Argv: []string{"/bin/true"}}
			switch i % 10 {
			case 0:
				c = shell("setsid sleep 1000 & exit 1")
			case 1:
				c = shell("kill -SEGV $$")
			}
			c.Notify = i%2 == 0
			return c
		}
		churn(t, h, 20, commands)
		before := descriptors(t)
		churn(t, h, 1000, commands)
		if after := descriptors(t); len(after) > len(before) {
			t.Errorf("%d descriptors before, %d after: %q", len(before), len(after), after)
		}
		for _, dir := range []string{h.path(dirRecords), h.path(dirSpecs), h.sockets} {
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%s: %d files are left, %v", dir, len(left), err)
			}
		}
		logs, err := os.ReadDir(h.path(dirLogs))
		if err != nil || len(logs) != defaultLogNodes {
			t.Errorf("%d logs, %v; want those of the last %d nodes", len(logs), err, defaultLogNodes)
		}
		if left := (orphans{id: h.id}).find(readTable(0)); len(left) > 0 {
			t.Errorf("processes are left: %+v", left)
		}
	})
}

// Nodes that are being started while the host closes end with it.
func TestCloseWhileStarting(t *testing.T) {
	for range 10 {
		h := open(t, Options{NoCgroups: true})
		var all sync.WaitGroup
		started := make(chan struct{}, 100)
		for i := range 8 {
			all.Go(func() {
				for j := 0; ; j++ {
					n, err := h.Program(shell("sleep 1000")).Launch(t.Context(), Spec{ID: fmt.Sprint(i, "_", j)})
					if err != nil {
						return // closed
					}
					started <- struct{}{}
					if j > 2 {
						<-n.Done()
					}
				}
			})
		}
		<-started
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		if left := (orphans{id: h.id}).find(readTable(0)); len(left) > 0 {
			t.Errorf("processes are left: %+v", left)
		}
	}
}
