package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/muster-fleet/muster/node"
)

// Segment is the data of the event "segment": a file that is whole.
type Segment struct {
	// File is its path.
	File string `json:"file"`
	// Start and End are seconds since this recording began.
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Bytes int64   `json:"bytes"`
}

// recordDetail is the detail of a recording's report.
type recordDetail struct {
	Stats
	// Segments are those that are whole; Recorded is their length in seconds.
	Segments int     `json:"segments"`
	Recorded float64 `json:"recorded_seconds"`
	Playlist string  `json:"playlist"`
	Retries  int     `json:"retries"`
}

// recorder is a recording that goes on.
type recorder struct {
	recording
	desk *desk
	list *playlist
	// total is the length of the recording, 0 where it is not known.
	total float64

	mu     sync.Mutex
	detail recordDetail
}

func record(ctx context.Context, d *desk, r recording) error {
	list, err := r.prepare()
	if err != nil {
		return err
	}
	rec := &recorder{recording: r, desk: d, list: list, total: r.DurationSeconds}
	rec.detail.Playlist = r.list
	if rec.total == 0 {
		rec.total = d.seconds(ctx, r.input)
	}
	p := persistence{patience: r.RetrySeconds, run: rec.run, retry: rec.retry}
	return errors.Join(p.do(ctx), list.end())
}

// prepare makes the directory ready, and returns the playlist.
func (r recording) prepare() (*playlist, error) {
	if err := os.MkdirAll(filepath.Dir(r.pattern), 0o777); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	old, _, err := segmentsOf(r.pattern)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	if _, err := os.Lstat(r.list); err == nil {
		old = append(old, r.list)
	}
	list := &playlist{path: r.list}
	switch {
	case len(old) == 0:
		return list, nil
	case r.Existing == Append:
		return list, list.load()
	case r.Existing == Replace:
		return list, removeAll(old)
	}
	return nil, exists("output", old[0], "append", "replace")
}

// run is one run of ffmpeg. It tells how many seconds were recorded, and
// whether that is all.
func (r *recorder) run(ctx context.Context) (float64, bool, error) {
	begun := r.recorded()
	left := 0.0
	if r.DurationSeconds > 0 {
		left = r.DurationSeconds - begun
	}
	_, from, err := segmentsOf(r.pattern)
	if err != nil {
		return 0, false, fmt.Errorf("output: %w", err)
	}
	var failed error
	err = r.desk.ffmpeg(ctx, r.args(r.desk.tool.major(), from, left), r.progress, func(in io.Reader) {
		failed = readSegments(in, func(s Segment) error { return r.finished(begun, s) })
	})
	made := r.recorded() - begun
	// A last picture may be shorter than what is left.
	return made, left > 0 && made > left-0.5, errors.Join(err, failed)
}

func (r *recorder) recorded() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.detail.Recorded
}

// finished is told of each segment that is whole.
func (r *recorder) finished(begun float64, s Segment) error {
	name := s.File
	s.File = filepath.Join(filepath.Dir(r.pattern), name)
	s.Start, s.End = s.Start+begun, s.End+begun
	if info, err := os.Stat(s.File); err == nil {
		s.Bytes = info.Size()
	}
	r.mu.Lock()
	r.detail.Segments++
	r.detail.Recorded = s.End
	r.mu.Unlock()
	r.desk.out.Notify("segment", s)
	return r.list.add(name, s.End-s.Start)
}

func (r *recorder) progress(s Stats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.detail.Stats = s
	share := Stats{Seconds: max(s.Seconds, r.detail.Recorded)}.share(r.total)
	r.desk.out.Report(node.Progress{Share: share, Detail: r.detail})
}

// retry is told that the input broke, and is tried again.
func (r *recorder) retry(err error) {
	r.mu.Lock()
	r.detail.Retries++
	r.mu.Unlock()
	r.list.gap()
	r.desk.out.Notify("retry", retryData(err))
}
