package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-fleet/muster"
)

// past is how the tasks of an agent ended, in a file of its directory, so that
// the next agent there still knows it.
type past struct {
	reports []muster.TaskReport
	file    *os.File
	log     *slog.Logger
}

const (
	pastFile = "tasks.jsonl"
	// pastTime is for how long, and mostPast of how many tasks it is kept.
	pastTime = 24 * time.Hour
	mostPast = 1000
	mostLine = 1 << 20
)

// openPast reads the file, and writes it again without what is too old.
func openPast(dir string, now time.Time, log *slog.Logger) (*past, error) {
	p := &past{log: log}
	if err := p.open(filepath.Join(dir, pastFile), now.Add(-pastTime)); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	return p, nil
}

func (p *past) open(path string, since time.Time) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, mostLine)
	for lines.Scan() {
		var r muster.TaskReport
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.EndedAt.Time().After(since) {
			p.reports = append(p.reports, r)
		}
	}
	p.reports = p.reports[max(0, len(p.reports)-mostPast):]
	var kept bytes.Buffer
	if err := printLines(&kept, p.reports); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", kept.Bytes(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	p.file, err = os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

// add is called by one goroutine.
func (p *past) add(r muster.TaskReport) {
	if err := printLines(p.file, []muster.TaskReport{r}); err != nil {
		p.log.Warn("outcome of a task not recorded", "task", r.Task, "err", err)
	}
}

func (p *past) close() { _ = p.file.Close() }
