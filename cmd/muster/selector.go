package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/cli"
)

// selecting is the flags that say which workers an order is for.
type selecting struct {
	purpose, region string
	labels          map[string]string
}

// selectorFlags adds them to a command that takes a worker's id instead.
func selectorFlags(cmd *cobra.Command) *selecting {
	s := &selecting{}
	cmd.Flags().StringVar(&s.purpose, "purpose", "", "all workers of this `purpose`")
	cmd.Flags().StringVar(&s.region, "region", "", "all workers that serve this `region`")
	cmd.Flags().StringToStringVar(&s.labels, "label", nil, "all workers with this label, `key=value`; several must all match")
	return s
}

// selector returns what the flags and the arguments select. It must be something.
func (s *selecting) selector(cmd *cobra.Command, args []string) (muster.Selector, error) {
	sel := muster.Selector{Worker: optional(args), Purpose: s.purpose, Region: s.region, Labels: s.labels}
	if sel.IsEmpty() {
		return sel, cli.Usagef("%s needs the ID of a worker, or --purpose, --region or --label", cmd.Name())
	}
	return sel, nil
}
