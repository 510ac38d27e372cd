package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/muster-fleet/muster/internal/cli"
)

// roleWords say what each role may do on the queue.
var roleWords = map[bus.Role]string{
	bus.RoleWorker:   "join and speak for themselves alone, run nodes, place tasks",
	bus.RoleCaller:   "place tasks and give them up, call workers, look up",
	bus.RoleViewer:   "look up",
	bus.RoleOperator: "do what callers and viewers do, drain, cordon, take workers out",
	bus.RoleAdmin:    "do what operators do, and change the managers",
	bus.RoleManager:  "do everything: managers on another machine, and 'muster web'",
}

// newAuthAddUserCmd adds users of one role.
func newAuthAddUserCmd(role bus.Role) *cobra.Command {
	cmd := &cobra.Command{
		Use:   string(role) + " NAME...",
		Short: "Add users of the message queue who may " + roleWords[role],
		Long: fmt.Sprintf(`Add users of the message queue who may %s. Each gets a file
NAME.credentials, which its program takes with --credentials. The file of --users has the public keys only; managers
read it again at SIGHUP.`, roleWords[role]),
		Example: fmt.Sprintf("  muster auth add %s %s --users users", role, exampleName(role)),
		Args:    cli.Takes("NAME..."),
	}
	file := cmd.Flags().String("users", "users", "`file` to add them to")
	dir := cmd.Flags().String("dir", ".", "`directory` of the files of credentials")
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		for _, name := range names {
			if err := addUser(cmd, *file, *dir, bus.Identity{Role: role, Name: name}); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func exampleName(role bus.Role) string {
	switch role {
	case bus.RoleWorker:
		return "video-1 video-2"
	case bus.RoleManager:
		return "web"
	}
	return "ann"
}

// initUsers makes the file of users, with an admin.
func initUsers(cmd *cobra.Command, file string) error {
	err := writeNew(file, "")
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: add users to it with `muster auth add ROLE NAME --users %s`", file, file)
	}
	if err != nil {
		return err
	}
	return addUser(cmd, file, filepath.Dir(file), bus.Identity{Role: bus.RoleAdmin, Name: "admin"})
}

// addUser writes the user's credentials first: a user who is let in and has none is
// worse than a file that is of no use.
func addUser(cmd *cobra.Command, file, dir string, who bus.Identity) error {
	users, err := natsauth.ReadUsers(file)
	if err != nil {
		return err
	}
	user, credentials, err := natsauth.NewUser(who)
	if err == nil {
		err = natsauth.CheckNew(users, user)
	}
	if err != nil {
		return cli.Usagef("%v", err)
	}
	path := filepath.Join(dir, strings.ReplaceAll(who.Name, string(filepath.Separator), "_")+".credentials")
	if err := writeNew(path, credentials); err != nil {
		return err
	}
	if err := appendTo(file, user.String()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
	return err
}

// writeNew writes a file that only its owner can read, and that is not there yet.
func writeNew(path, text string) error { return writeTo(path, os.O_CREATE|os.O_EXCL, text) }

// appendTo adds to a file that is there.
func appendTo(path, text string) error { return writeTo(path, os.O_APPEND, text) }

func writeTo(path string, how int, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|how, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
