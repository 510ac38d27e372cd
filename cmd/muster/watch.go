package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

func newWatchCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch [PURPOSE]",
		Short: "Show events as they come",
		Long: `Show what happens to the cluster as it happens, until Ctrl-C: workers that come and go, tasks that are placed,
run, end or are refused, drains, another leader. With a PURPOSE, only what happens to its workers and tasks.

With -o json each event is an object on a line of its own: {"feed", "number", "at", "type", ...}. Numbers rise by
one within a feed, and another leader begins another feed. At more than 256 events in a moment the rest is left
out, and counted by an event of the type "skipped".` + "\n" + precedence,
		Example: "  muster watch\n  muster watch video\n  muster watch -o json | jq 'select(.type==\"task.refused\")'",
		Args:    cli.Takes("[PURPOSE]"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.attend(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			w := &watchShow{w: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), purpose: optional(args), json: *a.output == cli.JSON}
			ctx, w.stop = context.WithCancel(ctx)
			if err := c.Watch(ctx, w.batch); err != nil {
				return err
			}
			return w.broken()
		})
	}
	return cmd
}

// watchShow prints events.
type watchShow struct {
	// w gets the events, stderr a line as soon as they are heard.
	w, stderr io.Writer
	purpose   string
	json      bool
	stop      context.CancelFunc

	mu   sync.Mutex
	err  error  // of the output
	feed string // of the last batch
	next uint64 // the number that is expected
}

// watched is an event with its number, as a line of JSON.
type watched struct {
	Feed   string         `json:"feed"`
	Number uint64         `json:"number,omitempty"`
	At     muster.Instant `json:"at"`
	muster.FeedEvent
	Skipped int `json:"skipped,omitempty"`
}

func (w *watchShow) batch(b muster.FeedBatch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.feed == "" {
		_, _ = fmt.Fprintf(w.stderr, "muster: watching %s\n", b.Cluster)
	}
	skipped := b.Skipped
	if w.feed == b.Feed && b.First > w.next {
		skipped += int(b.First - w.next)
	}
	w.feed, w.next = b.Feed, b.First+uint64(len(b.Events))
	for i, e := range b.Events {
		if w.purpose == "" || e.Purpose == w.purpose {
			w.print(watched{Feed: b.Feed, Number: b.First + uint64(i), At: b.At, FeedEvent: e})
		}
	}
	if skipped > 0 {
		w.print(watched{Feed: b.Feed, At: b.At, FeedEvent: muster.FeedEvent{Type: "skipped"}, Skipped: skipped})
	}
}

func (w *watchShow) print(e watched) {
	if w.err != nil {
		return
	}
	if w.json {
		w.err = printLines(w.w, []watched{e})
	} else {
		_, w.err = fmt.Fprintln(w.w, e.At.Time().Format("15:04:05.000"), eventLine(e))
	}
	if w.err != nil {
		w.stop() // a closed pipe
	}
}

func (w *watchShow) broken() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// eventLine is an event for people: its type, and what it has.
func eventLine(e watched) string {
	var entry muster.AuditEntry
	if e.Type == muster.FeedOrder && json.Unmarshal(e.Detail, &entry) == nil {
		return fmt.Sprintf("%-22s %s %s %s: %s", e.Type, by(entry.By), entry.Action, entry.Target, entry.After)
	}
	parts := []string{fmt.Sprintf("%-22s", e.Type)}
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, strings.TrimPrefix(name+" "+value, " "))
		}
	}
	add("", e.Purpose)
	add("", e.Task)
	add("on", e.Worker)
	add("state", e.State)
	add("has it", e.Holder)
	add("", e.Reason)
	if e.Drain > 0 {
		add("drain", fmt.Sprint(e.Drain))
	}
	if e.Skipped > 0 {
		add("", fmt.Sprintf("%d events", e.Skipped))
	}
	return strings.TrimRight(strings.Join(parts, "  "), " ")
}
