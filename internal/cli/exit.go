package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit statuses, which scripts rely on.
const (
	Done       = 0
	Refused    = 1
	WrongUsage = 2
	// Interrupted is what shells give to a program that Ctrl-C ended.
	Interrupted = 130
)

// UsageError is a command line that cannot be understood.
type UsageError struct{ message string }

func (e *UsageError) Error() string { return e.message }

func Usagef(format string, a ...any) error {
	return &UsageError{fmt.Sprintf(format, a...)}
}

// Refusal is an error with lines that say more. They are printed below it.
type Refusal struct {
	Err     error
	Details []string
}

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// Report prints what went wrong and returns the exit status for it. What cobra
// finds wrong before a command has begun is always a matter of usage.
func Report(w io.Writer, cmd *cobra.Command, err error, began bool) int {
	_, _ = fmt.Fprintf(w, "%s: %v\n", cmd.Root().Name(), err)
	var usage *UsageError
	if errors.As(err, &usage) || !began {
		_, _ = fmt.Fprintf(w, "Try '%s --help'.\n", cmd.CommandPath())
		return WrongUsage
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		for _, line := range refused.Details {
			_, _ = fmt.Fprintf(w, "  %s\n", line)
		}
	}
	return Refused
}
