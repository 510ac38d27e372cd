package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersionCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version of this program and of the Go that built it.",
		Example: "  muster version -o json",
		Args:    takes(),
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *output == formatJSON {
			return printJSON(cmd.OutOrStdout(), map[string]string{
				"version": version, "go": runtime.Version(), "platform": platform(),
			})
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "muster %s (%s, %s)\n", version, runtime.Version(), platform())
		return err
	}
	return cmd
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }
