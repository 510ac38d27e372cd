package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A node gets an environment without a password, and connects to the same queue
// with the secrets file.
func TestBusEnvironHasNoPassword(t *testing.T) {
	for _, url := range []string{
		"nats://u:hunter2@one:4222,nats://u:hunter2@two:4222", "amqp://u:hunter2@one:5672/vhost", "nats://hunter2@one:4222", "nats://one:4222",
	} {
		c := Default()
		if err := c.ApplyEnv([]string{"MUSTER_BUS_URL=" + url, "MUSTER_BUS_PASSWORD=hunter2"}); err != nil {
			t.Fatal(err)
		}
		environ := c.BusEnviron()
		if all := strings.Join(environ, " "); strings.Contains(all, "hunter2") {
			t.Errorf("%s: %s", url, all)
		}
		file := filepath.Join(t.TempDir(), "secrets")
		if err := os.WriteFile(file, c.BusSecrets(), 0o600); err != nil {
			t.Fatal(err)
		}
		again := Default()
		if err := again.ApplyEnv(append(environ, SecretsFile+"="+file)); err != nil {
			t.Fatal(err)
		}
		if again.BusURL() != c.BusURL() || again.Bus.Password != c.Bus.Password {
			t.Errorf("%s: the node goes to %s with %q", url, again.BusURL().Reveal(), again.Bus.Password.Reveal())
		}
	}
	if got := withoutUser("amqp://u:a/b@host:1/v,nats://h/"); got != "amqp://host:1/v,nats://h/" {
		t.Error(got)
	}
}
