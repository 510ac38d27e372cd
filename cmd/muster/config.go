package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
)

func newConfigCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings in force and where each came from",
		Long: `Print every setting that is in force with the file, or without one, and where its value came from. A file
that is wrong is reported with line, key and the nearest valid word. Secrets are not shown.

With --reference: every key that there is, with its type, default and meaning.` + "\n" + precedence,
		Example: "  muster config -c cluster_manager.toml\n  muster config --reference",
		Args:    cli.Takes(),
	}
	settings, output := settingsOf(cmd), cli.OutputFlag(cmd)
	reference := cmd.Flags().Bool("reference", false, "print every key that there is")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *reference {
			return config.Reference(cmd.OutOrStdout())
		}
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		return cfg.Explain(cmd.OutOrStdout(), string(*output))
	}
	return cmd
}
