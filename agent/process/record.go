package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// record is what is written of a node so that the next host finds it where
// this one is killed.
type record struct {
	Node string `json:"node"`
	PID  int    `json:"pid"`
	// Start is when PID began, and Boot the run of the system that both count
	// in. The same number with another start is another process.
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
	Mark  string `json:"mark"`
	Group string `json:"cgroup,omitempty"`
}

func (h *Host) recordPath(node string) string { return h.path(dirRecords, node+".json") }

func (h *Host) writeRecord(r record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(h.recordPath(r.Node), raw, 0o600); err != nil {
		return fmt.Errorf("process: record of node %s: %w", r.Node, err)
	}
	return nil
}

// readRecords returns those that can be read: one that was being written when
// its host was killed is as good as none, and the marks say the same.
func (h *Host) readRecords() ([]record, error) {
	entries, err := os.ReadDir(h.path(dirRecords))
	if err != nil {
		return nil, err
	}
	var all []record
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(h.path(dirRecords), e.Name()))
		var r record
		if err = errors.Join(err, json.Unmarshal(raw, &r)); err != nil {
			h.opts.Logger.Warn("unreadable record of an earlier node ignored", "file", e.Name(), "err", err)
			continue
		}
		all = append(all, r)
	}
	return all, nil
}
