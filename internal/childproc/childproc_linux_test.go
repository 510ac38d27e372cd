package childproc_test

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/muster-fleet/muster/internal/childproc"
)

// TestMain lets the test binary be the parent that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("CHILDPROC_PARENT") != "" {
		parent()
	}
	os.Exit(m.Run())
}

// parent starts a child that lasts, prints its process id, and waits.
func parent() {
	launcher := childproc.NewLauncher()
	cmd := exec.Command("sleep", "600")
	if err := launcher.StartInGroup(cmd); err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(strconv.Itoa(cmd.Process.Pid) + "\n")
	select {}
}

// A killed parent takes its children along.
func TestChildEndsWithItsParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CHILDPROC_PARENT=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	// A pidfd is readable once its process has ended. go test bounds the wait.
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err == nil {
			return
		}
		if err != unix.EINTR {
			t.Fatal(err)
		}
	}
}

// All jobs run on one thread, and no other goroutine does.
func TestJobsShareAThread(t *testing.T) {
	launcher := childproc.NewLauncher()
	defer launcher.Close()
	first := 0
	for i := range 100 {
		launcher.Do(func() {
			if i == 0 {
				first = syscall.Gettid()
			} else if id := syscall.Gettid(); id != first {
				t.Errorf("job %d runs on thread %d, the first on %d", i, id, first)
			}
		})
	}
	if first == 0 || first == syscall.Gettid() {
		t.Errorf("jobs run on thread %d, which is also the test's", first)
	}
}
