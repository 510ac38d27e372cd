package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/pause"
)

// topEvery is the pause between two looks at the cluster; what happens in between is
// counted from the events.
const topEvery = time.Second

// topWorkers is how many workers of a purpose are asked for.
const topWorkers = 200

func newTopCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top [PURPOSE]",
		Short: "Show the cluster live on the terminal",
		Long: `Show the cluster live, until q or Ctrl-C: who leads, decisions a second, and of each purpose its workers with
their load. Up and Down scroll. It needs a terminal; 'muster status -o json' is for scripts.` + "\n" + precedence,
		Example: "  muster top\n  muster top video",
		Args:    cli.Takes("[PURPOSE]"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *a.output == cli.JSON || !term.IsTerminal(int(os.Stdout.Fd())) {
			return cli.Usagef("top needs a terminal: use 'muster status -o json' and 'muster watch -o json' in scripts")
		}
		return a.attend(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			return runTop(ctx, c, optional(args))
		})
	}
	return cmd
}

func runTop(ctx context.Context, c *client.Client, purpose string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := tea.NewProgram(topModel{purpose: purpose, rates: &rates{}}, tea.WithContext(ctx))
	watching := make(chan error, 1)
	go func() { watching <- c.Watch(ctx, func(b muster.FeedBatch) { p.Send(b) }) }()
	go look(ctx, c, purpose, p.Send)
	_, err := p.Run()
	cancel()
	if watched := <-watching; err == nil {
		err = watched
	}
	if errors.Is(err, tea.ErrProgramKilled) || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

// look asks for the cluster until ctx ends.
func look(ctx context.Context, c *client.Client, purpose string, send func(tea.Msg)) {
	for {
		send(takeLook(ctx, c, purpose))
		if !pause.For(ctx, topEvery) {
			return
		}
	}
}

// topLook is the cluster at a moment.
type topLook struct {
	status  client.Status
	workers map[string][]muster.Worker // by purpose
	drains  []muster.Drain
	err     error
}

func takeLook(ctx context.Context, c *client.Client, purpose string) topLook {
	l := topLook{workers: map[string][]muster.Worker{}}
	if l.status, l.err = c.Status(ctx); l.err != nil {
		return l
	}
	if l.drains, l.err = c.Drains(ctx); l.err != nil {
		return l
	}
	for _, p := range l.status.Purposes {
		if purpose != "" && purpose != p.Purpose {
			continue
		}
		list, err := firstOf(c.EachWorker(ctx, client.WorkerQuery{Purpose: p.Purpose, Limit: topWorkers}), topWorkers)
		if err != nil {
			l.err = err
			return l
		}
		l.workers[p.Purpose] = list
	}
	return l
}

// rates counts decisions within the last seconds.
type rates struct {
	counts [6]int // by second, the first one being now
	second int64
}

func (r *rates) add(at time.Time, n int) {
	for now := at.Unix(); r.second < now; r.second++ {
		if now-r.second > int64(len(r.counts)) {
			r.second, r.counts = now-int64(len(r.counts)), [6]int{}
		}
		copy(r.counts[1:], r.counts[:])
		r.counts[0] = 0
	}
	r.counts[0] += n
}

// perSecond is the rate over the seconds that have passed.
func (r *rates) perSecond(at time.Time) float64 {
	r.add(at, 0)
	sum := 0
	for _, n := range r.counts[1:] {
		sum += n
	}
	return float64(sum) / float64(len(r.counts)-1)
}

// topModel is what is on the screen.
type topModel struct {
	purpose       string
	last          topLook
	rates         *rates
	scroll        int
	width, height int
}

// Init asks for nothing: what is shown is sent.
func (m topModel) Init() tea.Cmd { return nil }

// Update takes a key, a look at the cluster or a batch of events in.
func (m topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		case "down", "j":
			m.scroll++
		case "up", "k":
			m.scroll = max(m.scroll-1, 0)
		}
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case muster.FeedBatch:
		m.rates.add(time.Now(), msg.Placed+msg.Refused)
	case topLook:
		if msg.err != nil { // the last one stays, with what is wrong
			m.last.err = msg.err
			break
		}
		m.last = msg
	}
	return m, nil
}

// View draws the screen.
func (m topModel) View() tea.View {
	v := tea.NewView(m.screen(time.Now()))
	v.AltScreen = true
	return v
}

// screen is the text of the screen, cut to its size.
func (m topModel) screen(now time.Time) string {
	head := m.head(now)
	var body []string
	for _, p := range m.last.status.Purposes {
		if m.purpose == "" || m.purpose == p.Purpose {
			body = append(body, purposeLines(p, m.last.workers[p.Purpose], m.columns())...)
		}
	}
	room := max(m.rows()-len(head)-1, 1)
	from := min(m.scroll, max(len(body)-room, 0))
	lines := append(head, body[from:min(from+room, len(body))]...)
	lines = append(lines, "q quits, up and down scroll")
	for i, line := range lines {
		lines[i] = cutTo(line, m.columns())
	}
	return strings.Join(lines, "\n")
}

func (m topModel) columns() int { return max(m.width, 40) }

func (m topModel) rows() int {
	if m.height == 0 {
		return 24
	}
	return m.height
}

// head says who leads and what happens.
func (m topModel) head(now time.Time) []string {
	s := m.last.status
	leader := "no leader"
	for _, x := range s.Managers {
		if x.Role == "leader" {
			leader = fmt.Sprintf("leader %s, term %d", named(x), x.Term)
		}
	}
	workers, running, reserved := 0, 0, 0
	for _, p := range s.Purposes {
		workers, running, reserved = workers+p.Workers, running+p.Running, reserved+p.Reserved
	}
	lines := []string{
		fmt.Sprintf("%s  %s  %s, %s", s.Cluster, s.State, count(len(s.Managers), "manager"), leader),
		fmt.Sprintf("%s, %d running, %d reserved, %.1f decisions/s", count(workers, "worker"), running, reserved, m.rates.perSecond(now)),
	}
	for _, d := range m.last.drains {
		if d.State == muster.DrainRunning {
			lines = append(lines, drainLine(d))
		}
	}
	if m.last.err != nil {
		lines = append(lines, "! "+m.last.err.Error())
	}
	return append(lines, "")
}

// purposeLines are a purpose and its workers.
func purposeLines(p client.PurposeStatus, workers []muster.Worker, width int) []string {
	lines := []string{fmt.Sprintf("%s  %s  %d running, %d reserved  %s", p.Purpose, count(p.Workers, "worker"), p.Running, p.Reserved, p.Strategy)}
	bar := max(min(width-60, 40), 10)
	for _, w := range workers {
		running, reserved := w.CountTasks()
		lines = append(lines, fmt.Sprintf("  %-28s %s %6s  %4d+%-4d %s", cutTo(w.ID, 28), loadBar(w, bar), percent(w.Load), running, reserved, stateOf(w)))
	}
	if more := p.Workers - len(workers); more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return append(lines, "")
}

// loadBar draws the load with # and the debit with +, to the worker's whole.
func loadBar(w muster.Worker, width int) string {
	load := min(int(w.Load*float64(width)+0.5), width)
	debit := min(int(w.Debit*float64(width)+0.5), width-load)
	return "[" + strings.Repeat("#", load) + strings.Repeat("+", debit) + strings.Repeat(" ", width-load-debit) + "]"
}

func cutTo(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:max(width-1, 0)]) + "…"
}
