package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

func newTokenCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token ROOM USER",
		Short: "Make a token that lets its holder into a room",
		Long: `Make a token that lets its holder into a room. A presenter sends and receives, a viewer receives only.

No manager is involved: the token is signed with rooms.key, or with the secret that the managers of this machine share,
and portals verify it with that. It cannot be revoked before it expires.` + "\n" + precedence,
		Example: `  muster token standup alice --role presenter
  muster token standup bob --role viewer --for 1h --link http://127.0.0.1:8780
  muster token standup carol --owt https://rooms.example`,
		Args: cli.Takes("ROOM", "USER"),
	}
	settings, output := settingsOf(cmd), cli.OutputFlag(cmd)
	role := cmd.Flags().String("role", string(room.Presenter), "`role`, which says what they may do: presenter or viewer")
	life := cmd.Flags().Duration("for", roomtoken.DefaultLife, "how long the token can be used")
	link := cmd.Flags().String("link", "", "`URL` of a portal: print the link of the room instead of the token alone")
	owt := cmd.Flags().String("owt", "", "`URL` of a portal: print a token for clients of OWT, which find the portal in it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		claims := roomtoken.Claims{Room: args[0], User: args[1], Role: room.Role(*role)}
		if err := claims.Check(); err != nil {
			return cli.Usagef("%v", err)
		}
		if *link != "" && *owt != "" {
			return cli.Usagef("--link and --owt print different things: choose one")
		}
		if *life <= 0 {
			return cli.Usagef("--for must be positive, not %v", *life)
		}
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		key, err := roomKey(cfg)
		if err != nil {
			return err
		}
		until := time.Now().Add(*life)
		token, err := key.Sign(claims, until)
		if err != nil {
			return err
		}
		if *owt != "" {
			if token, err = roomtoken.OWT(token, *owt); err != nil {
				return cli.Usagef("--owt: %v", err)
			}
		}
		if *output == cli.JSON {
			return cli.PrintJSON(cmd.OutOrStdout(), madeToken{claims.Room, claims.User, claims.Role, until, token})
		}
		if *link != "" {
			token = roomLink(*link, claims.Room, token)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
		return err
	}
	return cmd
}

type madeToken struct {
	Room  string    `json:"room"`
	User  string    `json:"user"`
	Role  room.Role `json:"role"`
	Until time.Time `json:"until"`
	Token string    `json:"token"`
}

// roomLink is the page of a room. What is behind the # is not sent to servers,
// and does not appear in their logs.
func roomLink(portal, name, token string) string {
	return strings.TrimSuffix(portal, "/") + "/r/" + url.PathEscape(name) + "#token=" + token
}
