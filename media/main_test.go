package media

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var found = sync.OnceValues(func() (*Tool, error) { return Find(context.Background()) })

// tool is the ffmpeg that is installed; scripts/install-tools brings it.
func tool(t testing.TB) *Tool {
	t.Helper()
	tool, err := found()
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// patience is how long a test waits for what must come.
const patience = 4 * time.Minute

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// watcher is a teller that remembers, and that can be waited for.
type watcher struct {
	mu       sync.Mutex
	changed  chan struct{}
	reports  []node.Progress
	events   []string
	payloads []any
}

func newWatcher() *watcher { return &watcher{changed: make(chan struct{})} }

func (w *watcher) Report(p node.Progress) {
	w.change(func() { w.reports = append(w.reports, p) })
}

func (w *watcher) Notify(event string, data any) {
	w.change(func() { w.events, w.payloads = append(w.events, event), append(w.payloads, data) })
}

func (w *watcher) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// await waits until ready says so.
func (w *watcher) await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		w.mu.Lock()
		ok, changed := ready(), w.changed
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("no %s; there were the events %q", what, w.events)
		}
	}
}

// awaitFrames waits until ffmpeg has written pictures.
func (w *watcher) awaitFrames(t *testing.T) {
	t.Helper()
	w.await(t, "progress", func() bool {
		return len(w.reports) > 0 && strings.Contains(inJSONText(w.reports[len(w.reports)-1].Detail), `"frames":`) &&
			!strings.Contains(inJSONText(w.reports[len(w.reports)-1].Detail), `"frames":0,`)
	})
}

func (w *watcher) last() node.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.reports) == 0 {
		return node.Progress{}
	}
	return w.reports[len(w.reports)-1]
}

func (w *watcher) heard(event string) []any {
	w.mu.Lock()
	defer w.mu.Unlock()
	var data []any
	for i, e := range w.events {
		if e == event {
			data = append(data, w.payloads[i])
		}
	}
	return data
}

func inJSONText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// runner is what the works of all kinds have.
type runner interface {
	node.Work
	run(ctx context.Context, spec json.RawMessage, name string, out teller) error
}

func workOf(t *testing.T, kind string, o Options) runner {
	t.Helper()
	return workWith(t, tool(t), kind, o)
}

func workWith(t *testing.T, with *Tool, kind string, o Options) runner {
	t.Helper()
	w, err := New(kind, with, o)
	if err != nil {
		t.Fatal(err)
	}
	return w.(runner)
}

// do does a task to its end.
func do(t *testing.T, kind, spec string) (*watcher, error) {
	t.Helper()
	w := newWatcher()
	return w, workOf(t, kind, Options{}).run(within(t), json.RawMessage(spec), "agent_1", w)
}

func mustDo(t *testing.T, kind, spec string) *watcher {
	t.Helper()
	w, err := do(t, kind, spec)
	if err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	return w
}

// begin starts a task; end stops it and returns how it ended.
func begin(t *testing.T, kind, spec string) (w *watcher, end func() error) {
	t.Helper()
	return beginWith(t, tool(t), kind, spec)
}

func beginWith(t *testing.T, with *Tool, kind, spec string) (w *watcher, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	w = newWatcher()
	ended := make(chan error, 1)
	work := workWith(t, with, kind, Options{})
	go func() { ended <- work.run(ctx, json.RawMessage(spec), "agent_1", w) }()
	end = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = end() })
	return w, end
}

// generate makes a file with ffmpeg's own sources.
func generate(t testing.TB, path string, args ...string) string {
	t.Helper()
	all := slices.Concat([]string{"-loglevel", "error", "-nostdin", "-y"}, args, []string{path})
	if _, err := output(within(t), tool(t).FFmpeg, all...); err != nil {
		t.Fatal(err)
	}
	return path
}

func moving(size string, secs float64) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=25:duration=%v", size, secs)}
}

func sound(secs float64) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("sine=duration=%v", secs)}
}

var coded = []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac"}

// clip is a file with picture and sound, 160 by 120 pixels.
func clip(t testing.TB, secs float64) string {
	t.Helper()
	return generate(t, filepath.Join(t.TempDir(), "clip.mp4"), slices.Concat(moving("160x120", secs), sound(secs), coded)...)
}

func look(t testing.TB, path string) *Probe {
	t.Helper()
	p, err := tool(t).Probe(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lasts checks a length, to half a second.
func lasts(t *testing.T, p *Probe, secs float64) {
	t.Helper()
	if p.Seconds < secs-0.5 || p.Seconds > secs+0.5 {
		t.Errorf("lasts %v s, not %v", p.Seconds, secs)
	}
}

func looksLike(t *testing.T, p *Probe, codec string, width, height int) {
	t.Helper()
	v := p.Video()
	if v == nil || v.Codec != codec || v.Width != width || v.Height != height {
		t.Errorf("has the picture %+v, not %s of %d by %d", v, codec, width, height)
	}
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
