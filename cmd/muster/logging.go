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
	format logFormat
}

// loggingFlags adds --log-level and --log-format to a command.
func loggingFlags(cmd *cobra.Command, level slog.Level) *logging {
	l := &logging{format: "text"}
	cmd.Flags().TextVar(&l.level, "log-level", level, "least `level` that is logged: debug, info, warn or error")
	cmd.Flags().Lookup("log-level").DefValue = strings.ToLower(level.String())
	cmd.Flags().Var(&l.format, "log-format", "how to log, on stderr")
	return l
}

func (l *logging) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: l.level}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// logFormat is "text" or "json".
type logFormat string

// Set, String and Type make a logFormat a flag.
func (f *logFormat) Set(s string) error {
	if s != "text" && s != "json" {
		return cli.Usagef("must be text or json")
	}
	*f = logFormat(s)
	return nil
}

func (f *logFormat) String() string { return string(*f) }

// Type is what help shows for the value.
func (f *logFormat) Type() string { return "text|json" }
