package main

import (
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
)

// logging configures the log of a long-running command, on stderr.
type logging struct {
	level  slog.Level
	format string
}

// loggingFlags adds --log-level and --log-format to a command.
func loggingFlags(cmd *cobra.Command, level slog.Level) *logging {
	l := &logging{}
	cmd.Flags().TextVar(&l.level, "log-level", level, "least `level` that is logged: debug, info, warn or error")
	cmd.Flags().Lookup("log-level").DefValue = strings.ToLower(level.String())
	cli.WordVar(cmd.Flags(), &l.format, "log-format", "", "how to log, on stderr", "text", "json")
	return l
}

func (l *logging) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: l.level}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
