package cli

import (
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"
)

// MarkBegun makes every command set began before it runs.
func MarkBegun(cmd *cobra.Command, began *bool) {
	if runE := cmd.RunE; runE != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return runE(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		MarkBegun(sub, began)
	}
}

// NoSuchCommand refuses arguments of muster itself, and names the commands
// that may have been meant.
func NoSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return Usagef("%s", message)
}

// Takes refuses a wrong number of arguments, and says which ones are wanted.
// Names in brackets may be left out; a last one that ends in "..." may be given
// several times.
func Takes(names ...string) cobra.PositionalArgs {
	least, most := 0, len(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "[") {
			least++
		}
		if strings.HasSuffix(name, "...") {
			most = math.MaxInt
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) >= least && len(args) <= most:
			return nil
		case len(names) == 0:
			return Usagef("%s takes no arguments, got %q", cmd.Name(), args[0])
		}
		return Usagef("%s takes %s, got %d", cmd.Name(), strings.Join(names, " "), len(args))
	}
}
