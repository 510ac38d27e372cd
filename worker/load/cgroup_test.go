package load

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

const v2 = "sys/fs/cgroup/"

// container lays out a version 2 hierarchy: half a processor and 1000 bytes on
// the pod, more on the container in it.
func container(t *testing.T) string {
	root := t.TempDir()
	writeFile(t, root, "proc/self/cgroup", "0::/pod/app\n")
	writeFile(t, root, v2+"cgroup.controllers", "cpu memory\n")
	writeFile(t, root, v2+"pod/app/cpu.max", "200000 100000\n")
	writeFile(t, root, v2+"pod/cpu.max", "50000 100000\n")
	writeFile(t, root, v2+"pod/cpu.stat", "usage_usec 1000000\nuser_usec 1\n")
	writeFile(t, root, v2+"pod/app/memory.max", "max\n")
	writeFile(t, root, v2+"pod/memory.max", "1000\n")
	writeFile(t, root, v2+"pod/memory.current", "700\n")
	writeFile(t, root, v2+"pod/memory.stat", "anon 5\ninactive_file 200\n")
	return root
}

func TestCgroupQuota(t *testing.T) {
	root := container(t)
	synctest.Test(t, func(t *testing.T) {
		quota, ok := findCgroup(root).cpuQuota()
		if !ok || quota.processors != 0.5 {
			t.Fatalf("got %v processors, %v; want the pod's 0.5", quota.processors, ok)
		}
		s := newGrowth(quota.read, quota.load)
		if err := s.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*time.Second - firstWindow)
		writeFile(t, root, v2+"pod/cpu.stat", "usage_usec 1400000\n")
		if got, err := s.Load(t.Context()); math.Abs(got-0.4) > 1e-9 || err != nil {
			t.Errorf("0.4 s of the 1 s that 2 s allow: got %v, %v; want 0.4", got, err)
		}
	})
}

func TestCgroupQuotaThatTellsNoUse(t *testing.T) {
	root := container(t)
	writeFile(t, root, v2+"pod/cpu.stat", "\n")
	quota, _ := findCgroup(root).cpuQuota()
	if _, err := newGrowth(quota.read, quota.load).Load(t.Context()); err == nil {
		t.Error("no usage_usec: no error")
	}
}

func TestCgroupMemory(t *testing.T) {
	limit, ok := findCgroup(container(t)).memoryLimit()
	if !ok {
		t.Fatal("no limit found; want the pod's")
	}
	if got, err := limit.load(t.Context()); got != 0.5 || err != nil {
		t.Errorf("700 of 1000 used, 200 of them reclaimable: got %v, %v; want 0.5", got, err)
	}
}

func TestCgroupVersion1(t *testing.T) {
	root := t.TempDir()
	writeFile(t, root, "proc/self/cgroup", "5:memory:/on/the/host\n3:cpu,cpuacct:/\n")
	writeFile(t, root, v2+"cpu/cpu.cfs_quota_us", "300000\n")
	writeFile(t, root, v2+"cpu/cpu.cfs_period_us", "100000\n")
	writeFile(t, root, v2+"cpuacct/cpuacct.usage", "2500000000\n")
	writeFile(t, root, v2+"memory/memory.limit_in_bytes", "400\n")
	writeFile(t, root, v2+"memory/memory.usage_in_bytes", "300\n")
	writeFile(t, root, v2+"memory/memory.stat", "inactive_file 1\ntotal_inactive_file 200\n")
	group := findCgroup(root)
	quota, ok := group.cpuQuota()
	if used, err := quota.usage(); !ok || quota.processors != 3 || used != 2.5 || err != nil {
		t.Errorf("got %v processors, %v s used, %v; want 3 and 2.5", quota.processors, used, err)
	}
	limit, _ := group.memoryLimit()
	if got, err := limit.load(t.Context()); got != 0.25 || err != nil {
		t.Errorf("memory: got %v, %v; want 0.25", got, err)
	}
}

func TestCgroupWithoutLimits(t *testing.T) {
	bare, free := t.TempDir(), t.TempDir()
	writeFile(t, free, "proc/self/cgroup", "2:memory:/\n1:cpu:/\n")
	writeFile(t, free, v2+"cpu/cpu.cfs_quota_us", "-1\n")
	writeFile(t, free, v2+"cpu/cpu.cfs_period_us", "100000\n")
	writeFile(t, free, v2+"memory/memory.limit_in_bytes", "9223372036854771712\n")
	for _, root := range []string{bare, free} {
		group := findCgroup(root)
		if q, ok := group.cpuQuota(); ok {
			t.Errorf("got a quota of %v; want none", q.processors)
		}
		if l, ok := group.memoryLimit(); ok {
			t.Errorf("got a limit of %v; want none", l.bytes)
		}
	}
}

func TestGrowthBetweenCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counter, reads := 0.0, 0
		s := newGrowth(
			func(context.Context) (float64, error) { reads++; return counter, nil },
			func(before, after float64, passed time.Duration) (float64, error) {
				return (after - before) / passed.Seconds(), nil
			})
		began := time.Now()
		if got, err := s.Load(t.Context()); got != 0 || err != nil || time.Since(began) != firstWindow {
			t.Errorf("first: got %v, %v after %v", got, err, time.Since(began))
		}
		time.Sleep(time.Second)
		counter += 0.5
		for range 3 {
			if got, err := s.Load(t.Context()); got != 0.5 || err != nil {
				t.Errorf("got %v, %v; want 0.5", got, err)
			}
		}
		if reads != 3 {
			t.Errorf("read %d times; want 3: calls too soon must not read again", reads)
		}
	})
}
