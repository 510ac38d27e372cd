package load

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// systemRoot is where proc and sys are mounted. Tests use another.
const systemRoot = "/"

// cgroup is where the files of this process's control group are. Version 1
// has a directory for each controller, version 2 one for all.
type cgroup struct {
	version int
	cpu     []string
	// usage has, for each of cpu, where the time used is counted.
	usage  []string
	memory []string
}

// findCgroup finds the directories of this process, the deepest first, up to
// the root of the hierarchy as this process sees it: a limit may stand on any
// of them. Systems that have no cgroups yield an empty one, without limits.
func findCgroup(root string) cgroup {
	raw, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return cgroup{}
	}
	base := filepath.Join(root, "sys/fs/cgroup")
	paths := controllerPaths(string(raw))
	if _, err := os.Stat(filepath.Join(base, "cgroup.controllers")); err == nil {
		dirs := ancestry(base, paths[""])
		return cgroup{version: 2, cpu: dirs, usage: dirs, memory: dirs}
	}
	return cgroup{
		version: 1,
		cpu:     ancestry(filepath.Join(base, "cpu"), paths["cpu"]),
		usage:   ancestry(filepath.Join(base, "cpuacct"), paths["cpu"]),
		memory:  ancestry(filepath.Join(base, "memory"), paths["memory"]),
	}
}

// controllerPaths reads lines such as "4:memory:/a/b" and "0::/a/b".
func controllerPaths(raw string) map[string]string {
	paths := map[string]string{}
	for line := range strings.Lines(raw) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			paths[controller] = parts[2]
		}
	}
	return paths
}

// ancestry lists the directory of a group and those above it. In a container
// the path is often that of the host, and does not exist here; the root does.
func ancestry(base, group string) []string {
	var dirs []string
	for p := path.Clean("/" + group); ; p = path.Dir(p) {
		dirs = append(dirs, filepath.Join(base, p))
		if p == "/" {
			return dirs
		}
	}
}

// cpuQuota is a group that may use so many processors, and the file that says
// how much it has used.
type cpuQuota struct {
	processors float64
	usage      func() (seconds float64, err error)
}

func (q cpuQuota) read(context.Context) (float64, error) { return q.usage() }

func (q cpuQuota) load(before, after float64, passed time.Duration) (float64, error) {
	return (after - before) / passed.Seconds() / q.processors, nil
}

// cpuQuota returns the tightest quota on the way up.
func (c cgroup) cpuQuota() (cpuQuota, bool) {
	var tightest cpuQuota
	for i, dir := range c.cpu {
		q := cpuQuota{processors: processorsV1(dir), usage: func() (float64, error) { return usageV1(c.usage[i]) }}
		if c.version == 2 {
			q = cpuQuota{processors: processorsV2(dir), usage: func() (float64, error) { return usageV2(dir) }}
		}
		if q.processors > 0 && (tightest.usage == nil || q.processors < tightest.processors) {
			tightest = q
		}
	}
	return tightest, tightest.usage != nil
}

// processorsV2 reads "200000 100000": so many micros in every period of so many;
// "max" is no limit, and 0 here.
func processorsV2(dir string) float64 {
	f := strings.Fields(readText(dir, "cpu.max"))
	if len(f) != 2 {
		return 0
	}
	return ratio(f[0], f[1])
}

// processorsV1 reads the same from two files; -1 is no limit.
func processorsV1(dir string) float64 {
	return ratio(readText(dir, "cpu.cfs_quota_us"), readText(dir, "cpu.cfs_period_us"))
}

func ratio(quota, period string) float64 {
	q, ok := number(quota)
	p, known := number(period)
	if !ok || !known || q <= 0 || p <= 0 {
		return 0
	}
	return q / p
}

func usageV2(dir string) (float64, error) {
	micros, ok := statField(readText(dir, "cpu.stat"), "usage_usec")
	if !ok {
		return 0, fmt.Errorf("load: %s/cpu.stat has no usage_usec", dir)
	}
	return micros / 1e6, nil
}

// usageV1 reads nanoseconds. The accounting is a controller of its own, even
// where it is mounted together with the other.
func usageV1(dir string) (float64, error) {
	ns, ok := number(readText(dir, "cpuacct.usage"))
	if !ok {
		return 0, fmt.Errorf("load: %s has no cpuacct.usage", dir)
	}
	return ns / 1e9, nil
}

// memoryLimit is a group that may use so many bytes.
type memoryLimit struct {
	dir            string
	bytes          float64
	usage, reclaim string
}

// unlimited is a limit that version 1 has where none was set: nearly all of
// the address space.
const unlimited = 1 << 60

// memoryLimit returns the tightest limit on the way up.
func (c cgroup) memoryLimit() (memoryLimit, bool) {
	limitFile, tightest := "memory.limit_in_bytes", memoryLimit{bytes: unlimited}
	found := memoryLimit{usage: "memory.usage_in_bytes", reclaim: "total_inactive_file"}
	if c.version == 2 {
		limitFile = "memory.max"
		found = memoryLimit{usage: "memory.current", reclaim: "inactive_file"}
	}
	for _, dir := range c.memory {
		limit, ok := number(readText(dir, limitFile))
		if ok && limit > 0 && limit < tightest.bytes {
			found.dir, found.bytes = dir, limit
			tightest = found
		}
	}
	return tightest, tightest.bytes < unlimited
}

// load leaves out file pages that were not used lately: the kernel takes them
// back before it runs out.
func (m memoryLimit) load(context.Context) (float64, error) {
	used, ok := number(readText(m.dir, m.usage))
	if !ok {
		return 0, fmt.Errorf("load: %s/%s is not a number", m.dir, m.usage)
	}
	reclaimable, _ := statField(readText(m.dir, "memory.stat"), m.reclaim)
	return clamp((used - reclaimable) / m.bytes)
}

// readText returns a small file's text; an unreadable one is empty, which no
// caller can take for a number.
func readText(dir, name string) string {
	raw, _ := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(raw))
}

// statField finds the value of a line such as "usage_usec 123".
func statField(text, field string) (float64, bool) {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == field {
			return number(value)
		}
	}
	return 0, false
}
