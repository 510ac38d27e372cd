package process

import "time"

// used is the processor time of each node that runs, by its mark.
func (h *Host) used() (map[string]time.Duration, error) {
	used := map[string]time.Duration{}
	var counted []*node
	for _, n := range h.alive() {
		if n.processTree.group == nil {
			counted = append(counted, n)
		} else if t, err := n.processTree.group.CPU(); err == nil { // it may just have ended
			used[n.mark] = t
		}
	}
	if len(counted) == 0 {
		return used, nil
	}
	t := h.platform.procScan.take()
	for _, n := range counted {
		for _, p := range t.with(n.processTree.owns(t)) {
			used[n.mark] += p.CPU
		}
	}
	return used, t.err
}
