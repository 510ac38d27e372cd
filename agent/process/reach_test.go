//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func init() { roles["stranger"] = stranger }

// stranger is a node that gives its rights up before it says anything.
func stranger() error {
	if err := syscall.Setgid(65534); err != nil {
		return err
	}
	if err := syscall.Setuid(65534); err != nil {
		return err
	}
	if err := tell("STATUS=as another user\nREADY=1"); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

func TestNotifyByAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must run it as root: only root can change its user")
		}
		t.Skip("only root can change its user")
	}
	c := itself("stranger")
	c.Notify = true
	n := run(t, open(t, Options{}), c)
	select {
	case <-n.Ready():
	case <-n.Done():
		t.Fatal(n.Err())
	}
	if n.Status() != "as another user" {
		t.Errorf("got %q", n.Status())
	}
	n.Stop(0)
	_ = end(t, n)
}

func TestNotifyFailureText(t *testing.T) {
	n := run(t, open(t, Options{}), says("STATUS=cannot open the camera\nERRNO=2", "exit=3"))
	failsWith(t, n, "exit status 3", "ERRNO: 2 (no such file or directory)", "STATUS: cannot open the camera")
}

// The agent sees until when a node that starts asked to be waited for.
func TestNotifyExtends(t *testing.T) {
	h := open(t, Options{})
	release := fifo(t)
	before := time.Now()
	n := run(t, h, says("EXTEND_TIMEOUT_USEC=3600000000", "STATUS=said", "wait="+release, "READY=1", "hang"))
	for n.Status() != "said" {
		time.Sleep(time.Millisecond)
	}
	if until := n.(Extender).ExtendedUntil(); until.Before(before.Add(time.Hour)) {
		t.Errorf("extended until %v", until)
	}
	if err := os.WriteFile(release, nil, 0); err != nil {
		t.Fatal(err)
	}
	soon(t, n.Ready(), "READY=1")
	n.Stop(0)
	_ = end(t, n)
}

// Whatever a node is waited for when it asks for an hour, it gets that.
func TestNotifyMovesTheTimerThatRuns(t *testing.T) {
	for name, c := range map[string]struct {
		node  *node
		timer func(*node) **time.Timer
	}{
		"starts":          {&node{}, func(n *node) **time.Timer { return &n.deadline.ready }},
		"leaves":          {&node{isReady: true, leaving: true}, func(n *node) **time.Timer { return &n.deadline.parting }},
		"is asked to end": {&node{isReady: true, asked: true}, func(n *node) **time.Timer { return &n.deadline.end }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := c.node
				n.killAt = time.Now().Add(time.Minute)
				timer := time.NewTimer(time.Minute)
				*c.timer(n) = timer
				n.extend(time.Hour)
				begun := time.Now()
				<-timer.C
				if after := time.Since(begun); after != time.Hour {
					t.Errorf("its time is over after %v", after)
				}
				if n.asked && n.killAt != begun.Add(time.Hour) {
					t.Errorf("it is killed at %v", n.killAt)
				}
			})
		})
	}
}

// What a task is called never becomes an option, and what cannot be run is the
// task's fault.
func TestNamesAsArguments(t *testing.T) {
	h := open(t, Options{})
	for _, c := range []struct {
		argv []string
		task string
		good bool
	}{
		{[]string{"true", "{task}"}, "--help", false},
		{[]string{"true", "{task}"}, "-rf", false},
		{[]string{"true", "{task}.mp4"}, "-rf", false},
		{[]string{"true", "{room}"}, "fine", false}, // the room is -r
		{[]string{"true", "--name={task}"}, "--help", true},
		{[]string{"true", "--", "{task}"}, "--help", true},
		{[]string{"true", "in/{task}"}, "-rf", true},
		{[]string{"true", "-x", "{task}"}, "clip", true},
		{[]string{"true", "{task}"}, "a\x00b", false},
		{[]string{"true", "x{task}"}, strings.Repeat("n", 200<<10), false},
	} {
		n, err := h.Program(Command{Argv: c.argv}).Launch(t.Context(), Spec{ID: "test_1", Task: c.task, Room: "-r"})
		switch {
		case c.good && err != nil:
			t.Errorf("%q for %.20q: %v", c.argv, c.task, err)
		case !c.good && !errors.Is(err, ErrSpec):
			t.Errorf("%q for %.20q: got %v, want ErrSpec", c.argv, c.task, err)
		}
		if err == nil {
			_ = end(t, n)
		}
	}
}

// No variable that may hold a password reaches a node, and the file that does
// is its user's alone.
func TestSecretsStayOutOfTheEnvironment(t *testing.T) {
	t.Setenv("MUSTER_BUS_PASSWORD", "hunter2")
	t.Setenv("MUSTER_BUS_URL", "nats://u:hunter2@example.com")
	t.Setenv("MUSTER_RAFT_SECRET", "hunter2")
	t.Setenv("MUSTER_ROOMS_KEY", "hunter2")
	h := open(t, Options{})
	path, err := h.WriteSecret("bus", []byte("MUSTER_BUS_PASSWORD=hunter2\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := shell("exec sleep 1000")
	c.Env = []string{"MUSTER_BUS_SECRETS_FILE=" + path}
	n := run(t, h, c)
	for file, own := range map[string]string{"environ": varNode, "cmdline": "sleep"} {
		text := ""
		for !strings.Contains(text, own) { // while it is being executed there is none
			raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", n.PID(), file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(raw)
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s is %q", file, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	n.Stop(0)
	_ = end(t, n)
}
