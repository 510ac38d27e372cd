package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster/agent/process/internal/cgroup"
	"github.com/muster-fleet/muster/agent/process/internal/proctab"
)

// stray is a script that leaves a process behind, which writes its number to
// $UP. Each is another way out of the node's hands.
var strays = map[string]string{
	"child":           `sh -c 'echo $$ >$UP; exec sleep 1000' &`,
	"deaf child":      `sh -c 'trap "" TERM HUP INT; echo $$ >$UP; while :; do sleep 0.05; done' &`,
	"other group":     `set -m; sh -c 'echo $$ >$UP; exec sleep 1000' & set +m`,
	"other session":   `setsid sh -c 'echo $$ >$UP; exec sleep 1000' &`,
	"daemon":          `setsid sh -c 'setsid sh -c "echo \$\$ >\$UP; exec sleep 1000" &'`,
	"child of daemon": `setsid sh -c 'setsid sh -c "sh -c \"echo \\\$\\\$ >\$UP; exec sleep 1000\"; true" &'`,
}

// pidFrom reads the number of a process from a fifo, and sees that it lives.
func pidFrom(t *testing.T, path string) proctab.Process {
	t.Helper()
	pid, err := strconv.Atoi(heard(t, path))
	if err != nil {
		t.Fatal(err)
	}
	p, err := proctab.Read(pid)
	if err != nil || !p.Alive() {
		t.Fatalf("the stray process %d does not run: %v", pid, err)
	}
	return p
}

// lives reports that this very process is alive.
func lives(p proctab.Process) bool {
	now, err := proctab.Read(p.PID)
	return err == nil && now.Start == p.Start && now.Alive()
}

func TestNothingIsLeft(t *testing.T) {
	for name, stray := range strays {
		for ending, c := range map[string]struct {
			script string
			stop   bool
			fails  bool
		}{
			"stopped": {"; sleep 1000", true, false},
			"ended":   {"; read x <$GO; exit 0", false, false},
			"crashed": {"; read x <$GO; kill -KILL $$", false, true},
		} {
			t.Run(name+"/"+ending, func(t *testing.T) {
				eachRealm(t, func(t *testing.T, h *Host) {
					up, leave := fifo(t), fifo(t)
					command := shell(stray + "\n: " + c.script)
					command.Env = []string{"UP=" + up, "GO=" + leave}
					n := run(t, h, command)
					p := pidFrom(t, up)
					if c.stop {
						n.Stop(10 * time.Millisecond)
					} else if err := os.WriteFile(leave, []byte("go\n"), 0); err != nil {
						t.Fatal(err)
					}
					if err := end(t, n); (err != nil) != c.fails {
						t.Errorf("got %v", err)
					}
					if lives(p) || lives(proctab.Process{PID: n.PID()}) {
						t.Error("the node is done, and a process of it lives")
					}
				})
			})
		}
	}
}

// One that hides its mark and leaves the session is found while its parents
// live.
func TestHiddenChildOfAStoppedNode(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		up := fifo(t)
		c := shell(`env -i setsid sh -c 'echo $$ >` + up + `; exec sleep 1000' & sleep 1000`)
		n := run(t, h, c)
		p := pidFrom(t, up)
		n.Stop(0)
		if err := end(t, n); err != nil || lives(p) {
			t.Errorf("got %v; the hidden child lives: %v", err, lives(p))
		}
	})
}

// Control groups find also those that nothing else finds.
func TestHiddenDaemon(t *testing.T) {
	h := open(t, Options{})
	if h.platform.group == nil {
		t.Log("this machine allows no control groups: there is no promise to test")
		return
	}
	up := fifo(t)
	n := run(t, h, shell(`env -i setsid sh -c 'sh -c "echo \$\$ >`+up+`; exec sleep 1000" &'; sleep 1000`))
	p := pidFrom(t, up)
	n.Stop(0)
	if err := end(t, n); err != nil || lives(p) {
		t.Errorf("got %v; the hidden daemon lives: %v", err, lives(p))
	}
	if left := h.platform.group.Processes(); len(left) > 0 {
		t.Errorf("processes %v are left in the group", left)
	}
	if left := h.platform.group.Groups(); len(left) > 0 {
		t.Errorf("groups %v are left", left)
	}
}

func TestCloseEndsAll(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		var nodes []Node
		for i := range 5 {
			c := shell("trap '' TERM; sleep 1000; sleep 1000")
			nodes = append(nodes, launch(t, h, h.Program(c), Spec{ID: fmt.Sprint("n_", i)}))
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		for _, n := range nodes {
			if !isClosed(n.Done()) {
				t.Error("the host is closed, and a node is not done")
			}
		}
		if _, err := h.Program(shell("")).Launch(t.Context(), Spec{ID: "late"}); err == nil {
			t.Error("a node of a closed host: no error")
		}
	})
}

func init() { roles["host"] = doomedHost }

// doomedHost opens a host, starts a node, and waits to be killed.
func doomedHost() error {
	h, err := Open(Options{Dir: os.Getenv("DIR"), Agent: "test", NoCgroups: os.Getenv("BARE") != ""})
	if err != nil {
		return err
	}
	n, err := h.Program(shell(os.Getenv("SCRIPT"))).Launch(context.Background(), Spec{ID: "test_1"})
	if err != nil {
		return err
	}
	fmt.Println("node", n.PID())
	<-n.Done()
	return errors.New("the node has ended")
}

// startDoomed runs a host in a process of its own, and returns how to kill it.
func startDoomed(t *testing.T, dir, script string, env ...string) (kill func()) {
	t.Helper()
	c := itself("host", append(env, "DIR="+dir, "SCRIPT="+script)...)
	cmd := exec.Command(c.Argv[0])
	cmd.Env = append(os.Environ(), c.Env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "node ") {
		t.Fatalf("the host says %q, %v", line, err)
	}
	return func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
}

// groupsOf are the control groups of all hosts of the directory, and of their
// nodes, but for the host's own.
func groupsOf(h *Host) (names []string) {
	if h.platform.group == nil {
		return nil
	}
	for _, g := range cgroup.At(filepath.Dir(h.platform.group.Dir())).Groups() {
		if strings.HasSuffix(g.Dir(), h.groupSuffix()) && g.Dir() != h.platform.group.Dir() {
			names = append(names, g.Dir())
		}
	}
	for _, g := range h.platform.group.Groups() {
		names = append(names, g.Dir())
	}
	return names
}

// A host is killed with -9. The next ends all that it has left, whichever way
// that went.
func TestOrphansAreEnded(t *testing.T) {
	for name, stray := range strays {
		for _, bare := range []bool{true, false} {
			t.Run(fmt.Sprint(name, "/bare=", bare), func(t *testing.T) {
				dir, up := t.TempDir(), fifo(t)
				env := []string{"UP=" + up}
				if bare {
					env = append(env, "BARE=1")
				}
				kill := startDoomed(t, dir, stray+"\n: ; sleep 1000", env...)
				p := pidFrom(t, up)
				if _, err := Open(Options{Dir: dir, Agent: "test"}); err == nil || !strings.Contains(err.Error(), "Options.Dir") {
					t.Errorf("a second host of the directory: got %v; want an error that names Options.Dir", err)
				}
				kill()
				if !lives(p) {
					t.Fatal("the stray process ended with its host: there is nothing to test")
				}
				h := open(t, Options{Dir: dir, Agent: "successor", NoCgroups: bare})
				if lives(p) {
					t.Error("the host is open, and an orphan lives")
				}
				if h.Orphans() < 1 {
					t.Errorf("%d orphans were ended; want some", h.Orphans())
				}
				if left := groupsOf(h); !bare && len(left) > 0 {
					t.Errorf("control groups are left: %v", left)
				}
				if err := end(t, run(t, h, shell("exit 0"))); err != nil {
					t.Errorf("a node by the old one's name: %v", err)
				}
			})
		}
	}
}

// What the kernel does by itself: the first process ends with its host.
func TestFirstProcessEndsWithItsHost(t *testing.T) {
	up := fifo(t)
	kill := startDoomed(t, t.TempDir(), "echo $$ >"+up+"; exec sleep 1000")
	p := pidFrom(t, up)
	held, err := os.FindProcess(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	kill()
	for lives(p) { // it was killed; the kernel may be at it yet
		syscall.Kill(p.PID, 0)
	}
}

// bystander is a process that is no node.
func bystander(t *testing.T) proctab.Process {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p, err := proctab.Read(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// leaveRecord makes a directory as a killed host leaves it.
func leaveRecord(t *testing.T, r record) string {
	t.Helper()
	dir := t.TempDir()
	h := open(t, Options{Dir: dir})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.writeRecord(r); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The number of a node that is gone may be another's: only all of number,
// start and boot together say that it is the node.
func TestOtherProcessesAreSpared(t *testing.T) {
	p := bystander(t)
	real := record{Node: "n", PID: p.PID, Start: p.Start, Boot: proctab.Boot(), Mark: "x"}
	for name, change := range map[string]func(*record){
		"another start":      func(r *record) { r.Start-- },
		"another boot":       func(r *record) { r.Boot = "another" },
		"an unknown boot":    func(r *record) { r.Boot = "" },
		"of another session": func(r *record) { r.PID = os.Getpid(); r.Start = 1 },
		"a foreign group":    func(r *record) { r.PID = 1; r.Start = 0; r.Group = "/sys/fs/cgroup/muster-test" },
	} {
		t.Run(name, func(t *testing.T) {
			r := real
			change(&r)
			h := open(t, Options{Dir: leaveRecord(t, r)})
			if !lives(p) || h.Orphans() != 0 {
				t.Errorf("a process that merely has the number lives: %v; orphans: %d", lives(p), h.Orphans())
			}
		})
	}
	h := open(t, Options{Dir: leaveRecord(t, real)})
	if lives(p) || h.Orphans() != 1 {
		t.Errorf("the recorded process lives: %v; orphans: %d; want 1", lives(p), h.Orphans())
	}
}

func TestBrokenRecordIsPassedOver(t *testing.T) {
	dir := leaveRecord(t, record{Node: "n"})
	if err := os.WriteFile(filepath.Join(dir, dirRecords, "n.json"), []byte(`{"pid": 1, "sta`), 0o600); err != nil {
		t.Fatal(err)
	}
	said := &logged{}
	open(t, Options{Dir: dir, Logger: said.logger()})
	if !strings.Contains(said.String(), "n.json") {
		t.Errorf("no warning of the broken record: %s", said)
	}
}

// An agent may be started anew from within a node of the one before: it ends
// that node, not itself.
func TestHostWithinAnOrphan(t *testing.T) {
	dir := t.TempDir()
	h := open(t, Options{Dir: dir})
	mark := h.id + ".x.1"
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	up := fifo(t)
	c := itself("host", "DIR="+dir, "SCRIPT=echo $MUSTER_MARK >"+up+"; sleep 1000", varMark+"="+mark)
	cmd := exec.Command(c.Argv[0])
	cmd.Env = append(os.Environ(), c.Env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, up); !strings.HasPrefix(got, mark+":"+h.id+".") {
		t.Errorf("got mark %q; want that of the outer node, and its own", got)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	open(t, Options{Dir: dir})
}

func TestKillSparesANewOwnerOfTheNumber(t *testing.T) {
	p := bystander(t)
	other := p
	other.Start++
	if err := proctab.Kill(other); err != nil || !lives(p) {
		t.Errorf("got %v; another process of that number lives: %v", err, lives(p))
	}
	gone := proctab.Process{PID: 1 << 29}
	if err := proctab.Kill(gone); err != nil {
		t.Errorf("a process that is gone: %v", err)
	}
	if _, err := proctab.Read(gone.PID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v; want fs.ErrNotExist", err)
	}
}

func TestTableKnowsThisProcess(t *testing.T) {
	t.Parallel()
	all, err := proctab.List()
	i := slices.IndexFunc(all, func(p proctab.Process) bool { return p.PID == os.Getpid() })
	if err != nil || i < 0 || all[i].Parent != os.Getppid() || !all[i].Alive() {
		t.Errorf("got %v; this process is at %d", err, i)
	}
}
