package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit statuses, which scripts rely on.
const (
	statusDone    = 0
	statusRefused = 1
	statusUsage   = 2
	// statusInterrupted is what shells give to a program that Ctrl-C ended.
	statusInterrupted = 130
)

// usageError is a command line that cannot be understood.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, a ...any) error {
	return &usageError{fmt.Sprintf(format, a...)}
}

// refusal is an error with lines that say more. They are printed below it.
type refusal struct {
	err     error
	details []string
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// report tells what went wrong and returns the exit status for it. What cobra
// finds wrong before a command has begun is always a matter of usage.
func report(w io.Writer, cmd *cobra.Command, err error, began bool) int {
	_, _ = fmt.Fprintf(w, "muster: %v\n", err)
	var usage *usageError
	if errors.As(err, &usage) || !began {
		_, _ = fmt.Fprintf(w, "Try '%s --help'.\n", cmd.CommandPath())
		return statusUsage
	}
	var refused *refusal
	if errors.As(err, &refused) {
		for _, line := range refused.details {
			_, _ = fmt.Fprintf(w, "  %s\n", line)
		}
	}
	return statusRefused
}
