package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/muster-fleet/muster/internal/cli"
)

// newAuthNATSCmd writes what a NATS server of the user's own needs to know of users.
func newAuthNATSCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "nats",
		Short: "Print the users as configuration of a NATS server of your own",
		Long: `Print the users of the message queue as configuration of a nats-server that runs by itself, instead of inside a
manager: each with its key, and the subjects that its role may use. Include the output in the server's file, and send
the server SIGHUP after a change. Managers, too, need credentials then: those of 'muster auth add manager NAME'.`,
		Example: "  muster auth nats --users users > users.conf",
		Args:    cli.Takes(),
	}
	file := cmd.Flags().String("users", "users", "`file` of users, as 'muster auth init --users' makes it")
	cluster := cmd.Flags().String("cluster", muster.DefaultCluster, "`name` of the cluster")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		users, err := natsauth.ReadUsers(*file)
		if err != nil {
			return err
		}
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetEscapeHTML(false) // the server takes > as it is
		out.SetIndent("", "  ")
		if _, err := fmt.Fprint(cmd.OutOrStdout(), "authorization: "); err != nil {
			return err
		}
		return out.Encode(map[string]any{"users": natsUsers(users, *cluster)})
	}
	return cmd
}

// natsUser is a user in the words of a NATS server's file.
type natsUser struct {
	NKey        string          `json:"nkey"`
	Permissions natsPermissions `json:"permissions"`
}

type natsPermissions struct {
	Publish   natsSubjects   `json:"publish"`
	Subscribe natsSubjects   `json:"subscribe"`
	Answers   *natsResponses `json:"allow_responses,omitempty"`
}

type natsSubjects struct {
	Allow []string `json:"allow"`
}

type natsResponses struct {
	Max     int    `json:"max"`
	Expires string `json:"expires"`
}

func natsUsers(users []natsauth.User, cluster string) []natsUser {
	out := []natsUser{}
	for _, u := range users {
		a := natsauth.AllowedTo(u.Identity, cluster)
		p := natsPermissions{Publish: natsSubjects{a.Publish}, Subscribe: natsSubjects{a.Subscribe}}
		if a.Answers {
			p.Answers = &natsResponses{natsauth.AnswersEach, natsauth.AnswerTime.String()}
		}
		out = append(out, natsUser{u.Key, p})
	}
	return out
}
