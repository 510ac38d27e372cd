package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dir is a directory with the files of a control group.
func dir(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func holds(t *testing.T, root, name, want string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, name))
	if err != nil || string(raw) != want {
		t.Errorf("%s: got %q, %v; want %q", name, raw, err, want)
	}
}

func TestLimit(t *testing.T) {
	root := dir(t, map[string]string{"memory.max": "", "memory.oom.group": "", "cpu.max": ""})
	if err := At(root).Limit(64<<20, 1.5); err != nil {
		t.Fatal(err)
	}
	holds(t, root, "memory.max", "67108864")
	holds(t, root, "memory.oom.group", "1")
	holds(t, root, "cpu.max", "150000 100000")
	root = dir(t, map[string]string{"cpu.max": ""})
	if err := At(root).Limit(0, 0.0001); err != nil {
		t.Fatal(err)
	}
	holds(t, root, "cpu.max", "1000 100000")
	if err := At(t.TempDir()).Limit(1, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a group without controllers: got %v; want fs.ErrNotExist", err)
	}
}

func TestDelegate(t *testing.T) {
	root := dir(t, map[string]string{"cgroup.subtree_control": "", "sub/cgroup.subtree_control": ""})
	if err := At(root).Delegate(At(filepath.Join(root, "sub"))); err != nil {
		t.Fatal(err)
	}
	holds(t, root, "cgroup.subtree_control", controllers)
	holds(t, root, "sub/cgroup.subtree_control", controllers)
}

func TestStepDownLeavesOthersAlone(t *testing.T) {
	root := dir(t, map[string]string{"cgroup.procs": "1\n"})
	if err := At(root).stepDown(); err == nil || !strings.Contains(err.Error(), "Delegate=yes") {
		t.Errorf("got %v; want an error that says what to do", err)
	}
}

func TestReadings(t *testing.T) {
	root := dir(t, map[string]string{
		"cgroup.procs": "12\n0\n7\n", "inner/cgroup.procs": "9\n", "cgroup.events": "populated 1\nfrozen 0\n",
		"cpu.stat": "usage_usec 1500000\nuser_usec 3\n", "memory.events": "oom 1\noom_kill 2\n",
	})
	g := At(root)
	if got := g.Processes(); len(got) != 3 || got[0] != 12 || got[1] != 7 || got[2] != 9 {
		t.Errorf("got processes %v", got)
	}
	if empty, err := g.Empty(); empty || err != nil {
		t.Errorf("a populated group: empty %v, %v", empty, err)
	}
	if used, err := g.CPU(); used != 1500*time.Millisecond || err != nil {
		t.Errorf("got %v, %v", used, err)
	}
	if !g.OutOfMemory() || At(t.TempDir()).OutOfMemory() {
		t.Error("running out of memory is not reported right")
	}
	if empty, err := At(filepath.Join(root, "gone")).Empty(); !empty || err != nil {
		t.Errorf("a group that is gone: empty %v, %v", empty, err)
	}
	if _, err := At(t.TempDir()).CPU(); err == nil {
		t.Error("no cpu.stat: no error")
	}
}

func TestMountPoint(t *testing.T) {
	const others = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n28 21 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
	root := dir(t, map[string]string{
		"hybrid": others + "40 28 0:36 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n",
		"none":   others,
	})
	if got, err := mountPoint(filepath.Join(root, "hybrid")); got != "/sys/fs/cgroup/unified" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := mountPoint(filepath.Join(root, "none")); err == nil {
		t.Errorf("got %q; want an error", got)
	}
}

// A directory of another file system is no control group, and is not left.
func TestMakeElsewhere(t *testing.T) {
	root := t.TempDir()
	if _, err := At(root).Make("x"); err == nil {
		t.Error("a group of an ordinary directory: no error")
	}
	if left, _ := os.ReadDir(root); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
