package media

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/muster-fleet/muster/node"
)

// streamDetail is the detail of a stream's report.
type streamDetail struct {
	Stats
	// Sent is how many seconds were sent, over all attempts.
	Sent    float64 `json:"sent_seconds"`
	Retries int     `json:"retries"`
}

// streamer is a stream that goes on.
type streamer struct {
	streaming
	desk  *desk
	total float64

	mu     sync.Mutex
	detail streamDetail
	begun  float64 // seconds sent by earlier attempts
}

func stream(ctx context.Context, d *desk, p streaming) error {
	if err := p.prepare(); err != nil {
		return err
	}
	s := &streamer{streaming: p, desk: d, total: p.DurationSeconds}
	if s.total == 0 && !p.Loop {
		s.total = d.seconds(ctx, p.input)
	}
	return persistence{patience: p.RetrySeconds, run: s.run, retry: s.retry}.do(ctx)
}

// prepare makes the directory of HLS.
func (p streaming) prepare() error {
	if !p.sink.file() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(p.sink.name), 0o777); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	_, err := os.Lstat(p.sink.name)
	switch {
	case err != nil:
		return nil
	case p.Existing == Replace:
		return os.Remove(p.sink.name)
	}
	return exists("output", p.sink.name, "replace")
}

func (s *streamer) run(ctx context.Context) (float64, bool, error) {
	left := 0.0
	if s.DurationSeconds > 0 {
		left = s.DurationSeconds - s.begun
	}
	err := s.desk.ffmpeg(ctx, s.args(s.desk.tool.major(), left), s.progress)
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.detail.Sent - s.begun
	s.begun = s.detail.Sent
	return made, left > 0 && made > left-0.5, err
}

func (s *streamer) progress(now Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detail.Stats, s.detail.Sent = now, s.begun+now.Seconds
	s.desk.out.Report(node.Progress{Share: Stats{Seconds: s.detail.Sent}.share(s.total), Detail: s.detail})
}

func (s *streamer) retry(err error) {
	s.mu.Lock()
	s.detail.Retries++
	s.mu.Unlock()
	s.desk.out.Notify("retry", retryData(err))
}
