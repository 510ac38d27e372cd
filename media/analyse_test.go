package media

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// marked is 5 s long: black in the first and the last second, frozen from 2 to
// 3.5 s, silent from 1 to 3 s.
func marked(t *testing.T) string {
	t.Helper()
	return generate(t, filepath.Join(t.TempDir(), "marked.mkv"),
		"-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1,drawbox=color=black:t=fill[a];"+
			"testsrc2=size=160x120:rate=25:duration=1[b];color=red:size=160x120:rate=25:duration=1.52[c];"+
			"testsrc2=size=160x120:rate=25:duration=0.48[d];color=black:size=160x120:rate=25:duration=1[e];[a][b][c][d][e]concat=n=5",
		"-f", "lavfi", "-i", "sine=frequency=997:duration=1[a];anullsrc=sample_rate=44100:channel_layout=mono,atrim=duration=2[b];sine=frequency=997:duration=2[c];[a][b][c]concat=n=3:v=0:a=1",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le")
}

func TestAnalyseFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	w := mustDo(t, Analyse, fmt.Sprintf(`{"input": %q, "detect": {"black": {"min_seconds": 0.5}, "freeze": {"min_seconds": 1.2},
		"silence": {"min_seconds": 0.5}, "loudness": {"every_seconds": 2}}}`, marked(t)))
	d := w.last().Detail.(Analysis)
	spans(t, "black", d.Black, Span{0, 1, 1}, Span{4, 5, 1})
	spans(t, "freeze", d.Freeze, Span{2, 3.5, 1.5})
	spans(t, "silence", d.Silence, Span{1, 3, 2})
	if l := d.Loudness; math.Abs(l.Integrated+22) > 3 || math.Abs(l.TruePeak+18) > 1 {
		t.Errorf("the loudness is %+v, not about -22 LUFS and -18 dBTP", l)
	}
	for event, n := range map[string]int{"black_start": 2, "black_end": 2, "freeze_start": 1, "freeze_end": 1, "silence_start": 1, "silence_end": 1, "loudness": 2} {
		if got := len(w.heard(event)); got != n {
			t.Errorf("%s was reported %d times, not %d", event, got, n)
		}
	}
	if w.last().Share != 1 {
		t.Errorf("the share %v is done at the end", w.last().Share)
	}
}

func spans(t *testing.T, what string, got *Finds, want ...Span) {
	t.Helper()
	if got == nil || len(got.Spans) != len(want) || got.Count != len(want) {
		t.Errorf("%s: found %+v, not %+v", what, got, want)
		return
	}
	for i, w := range want {
		if g := got.Spans[i]; math.Abs(g.Start-w.Start) > 0.1 || math.Abs(g.End-w.End) > 0.1 || math.Abs(g.Seconds-w.Seconds) > 0.15 {
			t.Errorf("%s: found %+v, not %+v", what, g, w)
		}
	}
}

func TestAnalyseOfOneThing(t *testing.T) {
	t.Parallel()
	in := marked(t)
	d := mustDo(t, Analyse, fmt.Sprintf(`{"input": %q, "detect": {"black": {"min_seconds": 2}}}`, in)).last().Detail.(Analysis)
	spans(t, "black of 2 s", d.Black)
	if d.Freeze != nil || d.Silence != nil || d.Loudness != nil {
		t.Errorf("what was not asked for was found: %+v", d)
	}
}

// What goes on at the time of a stop is reported too.
func TestAnalyseStopped(t *testing.T) {
	t.Parallel()
	still := generate(t, filepath.Join(t.TempDir(), "still.mp4"), append([]string{"-f", "lavfi", "-i", "color=black:size=160x120:rate=25:duration=30"}, coded...)...)
	w, end := begin(t, Analyse, fmt.Sprintf(`{"input": %q, "realtime": true, "detect": {"black": {"min_seconds": 0.2}}}`, still))
	w.await(t, "black_start", func() bool { return len(w.events) > 0 && w.events[0] == "black_start" })
	_ = end()
	if len(w.heard("black_end")) != 1 {
		t.Errorf("there were the events %q", w.events)
	}
}

func TestAnalyseWithoutSound(t *testing.T) {
	t.Parallel()
	mute := generate(t, filepath.Join(t.TempDir(), "mute.mp4"), append(moving("160x120", 1), coded...)...)
	_, err := do(t, Analyse, fmt.Sprintf(`{"input": %q, "detect": {"loudness": {}}}`, mute))
	if err == nil || !strings.Contains(err.Error(), "has no sound: leave detect.silence") {
		t.Errorf("the sound of a silent film is the error %v", err)
	}
}
