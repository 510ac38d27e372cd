package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-fleet/muster/internal/cli"
)

// reachGroup marks flags that say where the cluster is and as whom to get in: every
// command has them, and help shows them after the command's own.
const reachGroup = "muster-reach"

// markReach puts flags into that group.
func markReach(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil {
			f.Annotations = map[string][]string{reachGroup: {"true"}}
		}
	}
}

// groupFlags has help show the flags of a command in two groups.
func groupFlags(root *cobra.Command) {
	cobra.AddTemplateFunc("ownFlags", func(f *pflag.FlagSet) string { return usagesOf(f, false) })
	cobra.AddTemplateFunc("reachFlags", func(f *pflag.FlagSet) string { return usagesOf(f, true) })
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), cli.LocalFlags,
		"{{.LocalFlags | ownFlags}}{{with .LocalFlags | reachFlags}}\n\nFlags to reach the cluster:\n{{.}}{{end}}", 1))
}

// usagesOf are the lines of the flags that are in the group, or not.
func usagesOf(flags *pflag.FlagSet, inGroup bool) string {
	part := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if (f.Annotations[reachGroup] != nil) == inGroup {
			part.AddFlag(f)
		}
	})
	return cli.FlagUsages(part)
}
