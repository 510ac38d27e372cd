package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/httpapi"
)

func newAuthCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "auth",
		Short: "Say who may use the message queue, the page and the HTTP API",
		Long: `Say who may use the message queue, the page and the HTTP API. Managers read both files again at SIGHUP: callers
and users that were taken out are refused from then on.

The page and the API: each caller has a token, of which the file of --http-tokens has the SHA-256 only.

The message queue inside a manager: each user has a file of credentials, and the file of --users has the public keys.
A worker speaks for itself alone, a caller cannot take workers out: see docs/queue-users.md.

Roles: viewer reads; caller places tasks; operator does both, and drains, cordons and steers; admin may do everything.
On the message queue also: worker, and manager.`,
		Example: `  muster auth init --file tokens
  muster auth add grafana --role viewer --file tokens
  muster manager --http 0.0.0.0:8080 --http-tokens tokens
  muster auth init --users users
  muster auth add worker video-1 --users users
  muster manager --listen 0.0.0.0:4222 --users users
  curl -H "Authorization: Bearer $TOKEN" http://10.0.0.1:8080/v1/workers`,
		Args: cli.NoSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuthInitCmd(), newAuthAddCmd(), newAuthNATSCmd())
	return cmd
}

func newAuthInitCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Make a file of tokens or of users, with an admin",
		Long:    "Make a file of tokens, with one for an admin. The token is printed and stored nowhere: keep it.\nWith --users, make a file of users of the message queue, and admin.credentials beside it.",
		Example: "  muster auth init --file tokens\n  muster auth init --users users",
		Args:    cli.Takes(),
	}
	file := cmd.Flags().String("file", "tokens", "`file` of tokens to make")
	users := cmd.Flags().String("users", "", "`file` of users of the message queue to make instead")
	cmd.MarkFlagsMutuallyExclusive("file", "users")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *users != "" {
			return initUsers(cmd, *users)
		}
		err := addToken(cmd, writeNew, *file, "admin", httpapi.Admin)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists: add a token to it with `muster auth add NAME --role ROLE --file %s`", *file, *file)
		}
		return err
	}
	return cmd
}

func newAuthAddCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a token to a file, or users to the message queue",
		Long: `Add a token to a file, and print it: it is stored nowhere, so keep it. NAME is what the audit and the log call its
owner. Managers read the file again at SIGHUP.
With a role as the first word, add users of the message queue: see 'muster auth add worker --help'.`,
		Example: `  muster auth add grafana --role viewer --file tokens
  muster auth add ops.example.org --role operator --certificate --file tokens`,
		Args: cli.Takes("NAME"),
	}
	file := cmd.Flags().String("file", "tokens", "`file` to add it to")
	name := cmd.Flags().String("role", string(httpapi.Viewer), "`role`: viewer, caller, operator or admin")
	byCertificate := cmd.Flags().Bool("certificate", false, "instead of a token, let in callers with a client certificate of the common name or DNS name NAME (http.tls.ca)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		role, err := httpapi.ParseRole(*name)
		if err != nil {
			return cli.Usagef("--%v", err)
		}
		text, err := os.ReadFile(*file)
		if err != nil {
			return fmt.Errorf("%w: make it with `muster auth init --file %s`", err, *file)
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 0 && fields[0] == args[0] {
				return fmt.Errorf("%s has a token in %s already: delete its line to replace it", args[0], *file)
			}
		}
		if *byCertificate {
			line, err := httpapi.CertificateLine(args[0], role)
			if err != nil {
				return err
			}
			return appendTo(*file, line)
		}
		return addToken(cmd, appendTo, *file, args[0], role)
	}
	for _, role := range natsauth.Roles {
		cmd.AddCommand(newAuthAddUserCmd(role))
	}
	return cmd
}

// addToken writes a token's line to the file, and prints the token.
func addToken(cmd *cobra.Command, write func(path, text string) error, file, name string, role httpapi.Role) error {
	token, line, err := httpapi.NewToken(name, role)
	if err == nil {
		err = write(file, line)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
	return err
}
