package lockfile_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/muster-fleet/muster/internal/lockfile"
)

// With LOCKFILE this program takes the lock, says so, and stays until it is killed.
func TestMain(m *testing.M) {
	path := os.Getenv("LOCKFILE")
	if path == "" {
		os.Exit(m.Run())
	}
	lock, err := lockfile.Take(path)
	fmt.Println(err)
	_, _ = os.Stdin.Read(make([]byte, 1))
	_ = lock.Close()
}

func TestLockEndsWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if pid, held := lockfile.Holder(path); held || pid != 0 {
		t.Errorf("no file is there, and process %d holds it", pid)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command(self)
	other.Env = append(os.Environ(), "LOCKFILE="+path)
	if _, err := other.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("the other process took it: %q, %v", line, err)
	}

	_, err = lockfile.Take(path)
	var held *lockfile.HeldError
	if !errors.As(err, &held) || held.PID != other.Process.Pid {
		t.Errorf("%v, want process %d", err, other.Process.Pid)
	}
	if pid, held := lockfile.Holder(path); !held || pid != other.Process.Pid {
		t.Errorf("process %d, %v holds it, want %d", pid, held, other.Process.Pid)
	}

	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	if pid, held := lockfile.Holder(path); held {
		t.Errorf("process %d was killed, and holds it", pid)
	}
	lock, err := lockfile.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockfile.Take(path); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("twice in a process: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	if lock, err = lockfile.Take(path); err != nil {
		t.Errorf("after Close: %v", err)
	}
	_ = lock.Close()
}

func TestErrorsOfTheFileSystem(t *testing.T) {
	_, err := lockfile.Take(filepath.Join(t.TempDir(), "none", "lock"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
