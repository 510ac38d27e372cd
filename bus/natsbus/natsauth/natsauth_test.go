package natsauth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
)

func user(t *testing.T, role bus.Role, name string) natsauth.User {
	t.Helper()
	u, _, err := natsauth.NewUser(bus.Identity{Role: role, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUsersFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	worker, caller := user(t, bus.RoleWorker, "w"), user(t, bus.RoleCaller, "w")
	for text, want := range map[string]string{
		"# users\n\n" + worker.String() + caller.String():                   "",
		worker.String() + worker.String():                                   `line 2: the worker "w" is there twice`,
		worker.String() + strings.Replace(worker.String(), " w ", " x ", 1): `line 2: "w" and "x" have the same key`,
		worker.String() + user(t, bus.RoleWorker, "w_1").String():           `line 2: the worker "w_1" would be named like a node of "w"`,
		user(t, bus.RoleWorker, "w_1").String() + worker.String():           `line 2: the worker "w" would be named like a node of "w_1"`,
		"king w " + worker.Key:                                              "line 1: role must be worker",
		"worker w":                                                          "line 1: must be ROLE NAME KEY",
		"worker w SUAB":                                                     "line 1: the key must be a public nkey",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		users, err := natsauth.ReadUsers(path)
		if want == "" && (err != nil || len(users) != 2 || users[0] != worker || users[1] != caller) {
			t.Errorf("%v: %v", users, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := natsauth.ReadUsers(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others may write: %v", err)
	}
}

// Names and the subjects of requests are each other's reverse.
func TestSenderOf(t *testing.T) {
	for _, name := range []string{"w", "video-1@10.0.0.1", "a b", "*", ">", "w_1", "%", "é"} {
		who := bus.Identity{Role: bus.RoleWorker, Name: name}
		for _, server := range []string{"owt-cluster", "a.b.c", "w_7", "_7", "w_", "7", ""} {
			from, reply, ok := natsauth.SenderOf(natsauth.RequestSubject(who, server))
			if !ok || from != who || reply != natsauth.ReplyPrefix(who) {
				t.Errorf("%q to %q: %v %q %v", name, server, from, reply, ok)
			}
		}
	}
	for _, subject := range []string{"", "muster.rpc.x", "muster.as.worker", "muster.as.worker.%2.x"} {
		if from, _, ok := natsauth.SenderOf(subject); ok {
			t.Errorf("%q is from %v", subject, from)
		}
	}
}
