package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/httpapi"
)

func newOpenAPICmd() *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the description of the HTTP API (OpenAPI 3.1)",
		Long: `Print the description of the HTTP API as OpenAPI 3.1, in JSON. It is made of the code that answers; a server
has the same at /v1/openapi.json.`,
		Example: "  muster openapi > muster.json",
		Args:    cli.Takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := httpapi.Describe(version)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		},
	}
}
