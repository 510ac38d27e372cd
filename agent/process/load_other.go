//go:build !linux

package process

import (
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// used is the processor time of each node that runs, by its mark: of the first
// process, and of those below it.
func (h *Host) used() (map[string]time.Duration, error) {
	used := map[string]time.Duration{}
	for _, n := range h.alive() {
		if p, err := process.NewProcess(int32(n.PID())); err == nil { // it may just have ended
			used[n.mark] = usedBelow(p)
		}
	}
	return used, nil
}

func usedBelow(p *process.Process) time.Duration {
	var sum time.Duration
	if t, err := p.Times(); err == nil {
		sum = time.Duration((t.User + t.System) * float64(time.Second))
	}
	children, _ := p.Children() // none is an error here
	for _, child := range children {
		sum += usedBelow(child)
	}
	return sum
}
