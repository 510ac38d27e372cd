package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
)

func newVersionCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version of this program and of the Go that built it.",
		Example: "  muster version -o json",
		Args:    cli.Takes(),
	}
	output := cli.OutputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *output == cli.JSON {
			return cli.PrintJSON(cmd.OutOrStdout(), map[string]string{
				"version": version, "go": runtime.Version(), "platform": platform(),
			})
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine())
		return err
	}
	return cmd
}

func versionLine() string {
	return fmt.Sprintf("muster %s (%s, %s)", version, runtime.Version(), platform())
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }
