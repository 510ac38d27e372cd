//go:build linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func init() {
	roles["speaker"] = speaker
	roles["messenger"] = messenger
	roles["ticker"] = ticker
}

func tell(message string, rights ...int) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	to := &syscall.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}
	var beside []byte
	if len(rights) > 0 {
		beside = syscall.UnixRights(rights...)
	}
	return syscall.Sendmsg(fd, []byte(message), beside, to, 0)
}

// speaker is a node that says each message of SAY, which "|" separates. A
// message "hang" or "exit=N" is what it does, "wait=FILE" opens a fifo first.
func speaker() error {
	for message := range strings.SplitSeq(os.Getenv("SAY"), "|") {
		verb, value, _ := strings.Cut(message, "=")
		switch verb {
		case "hang":
			time.Sleep(time.Hour)
		case "exit":
			fmt.Println("leaving")
			os.Exit(int(value[0] - '0'))
		case "wait":
			if _, err := os.ReadFile(value); err != nil {
				return err
			}
		default:
			if err := tell(message); err != nil {
				return err
			}
		}
	}
	return nil
}

// messenger is a child of a node that is heard although it ends at once: it
// waits until its message was read, by systemd's barrier.
func messenger() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := tell("STATUS=by a child\nREADY=1\nBARRIER=1", int(w.Fd())); err != nil {
		return err
	}
	_ = w.Close()
	_, _ = r.Read(make([]byte, 1)) // ends when the last copy is closed
	return nil
}

// ticker is a node that is alive for longer than its watchdog, and then ends.
func ticker() error {
	period, err := time.ParseDuration(os.Getenv("WATCHDOG_USEC") + "us")
	if err != nil {
		return err
	}
	if err := tell("READY=1"); err != nil {
		return err
	}
	for range 30 {
		time.Sleep(period / 20)
		if err := tell("WATCHDOG=1"); err != nil {
			return err
		}
	}
	return nil
}

// says is a command that speaks sd_notify.
func says(messages ...string) Command {
	c := itself("speaker", "SAY="+strings.Join(messages, "|"))
	c.Notify = true
	return c
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestNotifyReady(t *testing.T) {
	h := open(t, Options{})
	n := run(t, h, says("STATUS=warming\tup", "MAINPID=1\nREADY=1", "hang"))
	soon(t, n.Ready(), "READY=1")
	if got := n.Status(); got != "warming up" {
		t.Errorf("got status %q; want what it said", got)
	}
	n.Stop(time.Hour)
	if err := end(t, n); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(h.sockets); err != nil || len(left) > 0 {
		t.Errorf("sockets are left: %v, %v", left, err)
	}
}

// What a node said just before its end is heard.
func TestNotifyLastWords(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		for range 20 {
			n := run(t, h, says("READY=1", "STATUS=all done", "exit=0"))
			if err := end(t, n); err != nil {
				t.Fatal(err)
			}
			if !isClosed(n.Ready()) || n.Status() != "all done" {
				t.Fatalf("ready is %v, status %q; want what it said last", isClosed(n.Ready()), n.Status())
			}
		}
	})
}

func TestNotifyFaults(t *testing.T) {
	watched := func(c Command) Command { c.Watchdog = 50 * time.Millisecond; return c }
	hasty := func(c Command) Command {
		c.ReadyTimeout, c.StopTimeout = 50*time.Millisecond, 50*time.Millisecond
		return c
	}
	unhurried := func(c Command) Command { // to be ready
		c.StopTimeout = 50 * time.Millisecond
		return c
	}
	for name, c := range map[string]struct {
		command Command
		want    []string
	}{
		"hangs":                 {watched(says("READY=1", "hang")), []string{"hangs: no WATCHDOG=1 for 50ms"}},
		"hangs as it announced": {says("READY=1", "WATCHDOG_USEC=20000", "hang"), []string{"no WATCHDOG=1 for 20ms"}},
		"trigger":               {says("READY=1", "WATCHDOG=trigger", "hang"), []string{"WATCHDOG=trigger"}},
		"not ready":             {hasty(says("STATUS=x", "hang")), []string{"did not say READY=1 in time"}},
		"asked for more":        {hasty(says("EXTEND_TIMEOUT_USEC=60000", "hang")), []string{"did not say READY=1 in time"}},
		"ends before it is":     {says("STATUS=x", "exit=0"), []string{"ended before it said READY=1", "leaving"}},
		"crashes":               {says("READY=1", "exit=4"), []string{"exit status 4", "leaving"}},
		"does not leave":        {unhurried(says("READY=1", "STOPPING=1", "hang")), []string{"said STOPPING=1 and did not end"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failsWith(t, run(t, open(t, Options{}), c.command), c.want...)
		})
	}
}

func TestNotifyLeavesByItself(t *testing.T) {
	n := run(t, open(t, Options{}), says("READY=1", "STOPPING=1", "exit=0"))
	if err := end(t, n); err != nil {
		t.Error(err)
	}
}

func TestWatchdogIsFed(t *testing.T) {
	t.Parallel()
	c := itself("ticker")
	c.Notify, c.Watchdog = true, time.Second
	if err := end(t, run(t, open(t, Options{}), c)); err != nil {
		t.Error(err)
	}
}

func TestNotifyBelievesOnlyItsOwn(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		heardOfThem := fifo(t)
		n := run(t, h, says("wait="+heardOfThem, "READY=1", "hang"))
		t.Setenv("NOTIFY_SOCKET", n.(*node).notifyChannel.(*notify).path)
		if err := tell("STATUS=not the node's\nSTOPPING=1\nWATCHDOG=trigger"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(heardOfThem, []byte("go on"), 0); err != nil {
			t.Fatal(err)
		}
		soon(t, n.Ready(), "READY=1")
		if got := n.Status(); got != "" {
			t.Errorf("got status %q by another process; want none", got)
		}
		n.Stop(0)
		if err := end(t, n); err != nil {
			t.Error(err)
		}
	})
}

func TestNotifyBelievesChildren(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	eachRealm(t, func(t *testing.T, h *Host) {
		read := fifo(t)
		c := shell(varRole + "=messenger setsid " + program + " && echo yes >" + read + "; sleep 1000")
		c.Notify = true
		n := run(t, h, c)
		soon(t, n.Ready(), "READY=1 of a child in a session of its own")
		if got := n.Status(); got != "by a child" {
			t.Errorf("got status %q; want the child's", got)
		}
		heard(t, read) // the child knows that it was heard
		n.Stop(0)
		if err := end(t, n); err != nil {
			t.Error(err)
		}
	})
}

// The paths of sockets are short, those of directories need not be.
func TestNotifyInADeepDirectory(t *testing.T) {
	deep := t.TempDir() + "/" + strings.Repeat("d", 120)
	h := open(t, Options{Dir: deep})
	n := run(t, h, says("READY=1", "exit=0"))
	if err := end(t, n); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(h.sockets)
	if err != nil || info.Mode().Perm() != socketDirMode {
		t.Errorf("got %v, %v; want a directory that no one else can list", info, err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.sockets); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", h.sockets, err)
	}
}

// The tool that scripts use, where the machine has it: its own reading of the
// protocol counts more than ours.
func TestNotifyBySystemd(t *testing.T) {
	if _, err := exec.LookPath("systemd-notify"); err != nil {
		t.Log("no systemd-notify here: only our own sender was tried")
		return
	}
	c := shell("systemd-notify --ready --status='by systemd'; sleep 1000")
	c.Notify = true
	n := run(t, open(t, Options{}), c)
	soon(t, n.Ready(), "READY=1")
	if got := n.Status(); got != "by systemd" {
		t.Errorf("got status %q", got)
	}
	n.Stop(0)
	end(t, n)
}

func TestUnderstandNotify(t *testing.T) {
	for message, want := range map[string][]saying{
		"READY=1\nSTATUS=a=b\n":                {{word: saysStatus, text: "a=b"}, {word: saysReady}},
		"READY=1\nWATCHDOG=1\nSTATUS=x":        {{word: saysAlive}, {word: saysStatus, text: "x"}, {word: saysReady}},
		"READY=0\nREADY\nSTOPPING=yes":         nil,
		"STATUS=\x1b[2Jx":                      {{word: saysStatus, text: " [2Jx"}},
		"WATCHDOG=1\nSTOPPING=1":               {{word: saysAlive}, {word: saysStopping}},
		"WATCHDOG_USEC=1500":                   {{word: saysWatchdog, time: 1500 * time.Microsecond}},
		"EXTEND_TIMEOUT_USEC=2000000":          {{word: saysMoreTime, time: 2 * time.Second}},
		"WATCHDOG_USEC=0":                      nil,
		"WATCHDOG_USEC=-5":                     nil,
		"EXTEND_TIMEOUT_USEC=9999999999999999": nil,
		"EXTEND_TIMEOUT_USEC=1e3":              nil,
		"X_OWN=1\n\n=\nMAINPID=7":              nil,
	} {
		if got := understandNotify(message); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v; want %+v", message, got, want)
		}
	}
}
