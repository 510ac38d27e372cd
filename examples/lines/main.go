// Command lines is a node written in Go: a task counts the lines of a file.
//
//	go build -o lines ./examples/lines
//	muster agent --purpose text --notify --watchdog 10s -- ./lines
//	muster run text readme --wait --spec '{"file": "README.md"}'
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/muster-fleet/muster/node"
)

// spec is what a task says.
type spec struct {
	File string `json:"file"`
}

type lines struct{}

// Check refuses a spec before its task starts.
func (lines) Check(raw json.RawMessage) error {
	var s spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("want {\"file\": path}: %w", err)
	}
	if s.File == "" {
		return errors.New("file is missing: name the file to count")
	}
	return nil
}

// Do counts. What it reports is in `muster run -o json`, and on the bar.
func (lines) Do(ctx context.Context, t *node.Task) error {
	var s spec
	if err := json.Unmarshal(t.Spec, &s); err != nil {
		return err
	}
	f, err := os.Open(s.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var count, bytes int64
	report := func() {
		share := float64(bytes) / float64(max(1, info.Size()))
		t.Report(node.Progress{Share: share, Detail: map[string]int64{"lines": count}})
	}
	text := bufio.NewScanner(f)
	for text.Scan() && ctx.Err() == nil {
		count++
		if bytes += int64(len(text.Bytes())) + 1; count%10_000 == 0 {
			report()
		}
	}
	report()
	return text.Err()
}

func main() { node.Main(lines{}, node.Options{}) }
