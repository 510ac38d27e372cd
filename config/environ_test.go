package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A program that is started with BusEnviron reaches the same queue as the one
// that started it.
func TestBusEnvironLeadsToTheSameQueue(t *testing.T) {
	for name, text := range map[string]string{
		"rabbit":   "[rabbit]\nhost = \"r.example\"\nusername = \"u\"\npassword = \"p\"\nvhost = \"/a b\"\n",
		"nats":     "[bus]\nurl = \"nats://n.example:4222\"\nuser = \"u\"\npassword = \"p\"\n",
		"embedded": "[bus]\nlisten = \"0.0.0.0:4999\"\n",
	} {
		c, err := Parse("muster.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		other := Default()
		secrets := filepath.Join(t.TempDir(), "secrets")
		if err := os.WriteFile(secrets, c.BusSecrets(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := other.ApplyEnv(append(c.BusEnviron(), SecretsFile+"="+secrets)); err != nil {
			t.Fatal(err)
		}
		want, err := c.BusOptions()
		if err != nil {
			t.Fatal(err)
		}
		got, err := other.BusOptions()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want.URL, want.User, want.Password}, []string{got.URL, got.User, got.Password}); diff != "" {
			t.Errorf("%s: want -, got + %s", name, diff)
		}
	}
}

// A file name relative to the configuration works from another directory.
func TestBusEnvironHasWholePaths(t *testing.T) {
	dir := t.TempDir()
	c, err := Parse(filepath.Join(dir, "muster.toml"), []byte("[bus]\nurl = \"tls://n.example\"\ntls.ca = \"ca.pem\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	other := Default()
	if err := other.ApplyEnv(c.BusEnviron()); err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "ca.pem"); other.Bus.TLS.CA != want {
		t.Errorf("bus.tls.ca is %q, want %q", other.Bus.TLS.CA, want)
	}
}
