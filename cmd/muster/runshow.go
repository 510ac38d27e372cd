package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/muster-fleet/muster/job"
)

// barSteps is how finely the bar moves.
const barSteps = 1000

// runShow shows the progress of tasks: a bar on a terminal, elsewhere a line
// for each event.
type runShow struct {
	w   io.Writer
	bar *progressbar.ProgressBar
	// shares is how much of each task is done; live those that run.
	shares map[string]float64
	phases map[string]job.Phase
	over   int
	total  int
}

func newRunShow(w io.Writer, jobs []job.Job) *runShow {
	s := &runShow{w: w, shares: map[string]float64{}, phases: map[string]job.Phase{}, total: len(jobs)}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		s.bar = progressbar.NewOptions(barSteps, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(30),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	}
	return s
}

func (s *runShow) update(u job.Update) {
	changed := s.phases[u.Job.Task] != u.Phase
	s.phases[u.Job.Task] = u.Phase
	switch u.Phase {
	case job.Over:
		s.over++
		s.shares[u.Job.Task] = 1
	case job.Again:
		s.shares[u.Job.Task] = 0
	case job.Running:
		if p := u.Report.Progress; p != nil {
			s.shares[u.Job.Task] = *p
		}
	}
	if s.bar != nil {
		s.draw(u)
		return
	}
	if changed {
		s.line(u)
	}
}

// draw moves the bar. What failed stays as a line above it.
func (s *runShow) draw(u job.Update) {
	if u.Phase == job.Again || u.Phase == job.Over && u.Err != nil {
		_ = s.bar.Clear()
		s.line(u)
	}
	done := 0.0
	for _, share := range s.shares {
		done += share
	}
	s.bar.Describe(s.describe(u))
	_ = s.bar.Set(int(done / float64(s.total) * barSteps))
}

func (s *runShow) describe(u job.Update) string {
	if s.total == 1 {
		return u.Job.Task + " " + string(u.Phase) + speed(u.Report.Detail)
	}
	running := 0
	for _, phase := range s.phases {
		if phase == job.Running {
			running++
		}
	}
	return fmt.Sprintf("%d of %d done, %d running", s.over, s.total, running)
}

// speed is what a media node says of itself.
func speed(detail json.RawMessage) string {
	var d struct {
		FPS   float64 `json:"fps"`
		Speed float64 `json:"speed"`
	}
	if json.Unmarshal(detail, &d) != nil || d.FPS == 0 {
		return ""
	}
	return fmt.Sprintf(", %.0f fps, %.1f ×", d.FPS, d.Speed)
}

func (s *runShow) line(u job.Update) {
	text := fmt.Sprintf("%s: %s", u.Job.Task, u.Phase)
	switch {
	case u.Phase == job.Running:
		text += " on " + u.Node
	case u.Phase == job.Over && u.Err == nil:
		text = u.Job.Task + ": done"
	case u.Phase == job.Over && errors.Is(u.Err, context.Canceled):
		text = u.Job.Task + ": stopped"
	case u.Phase == job.Over:
		text = u.Job.Task + ": failed: " + failure(reasonOf(u.Err))
	case u.Err != nil:
		text += ": " + reasonOf(u.Err).Error()
	}
	_, _ = fmt.Fprintln(s.w, text)
}

func (s *runShow) close() {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
}
