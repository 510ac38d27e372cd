package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/config"
)

// Managers of one machine that start at once and have no secret in their
// configuration find the same one, in a file that others cannot read.
func TestLocalManagersMakeUpOneSecret(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("HOME", home) // where os.UserConfigDir looks elsewhere
	cfg := config.Default()
	cfg.Raft.Addr, cfg.Raft.Peers = "127.0.0.1:7400", "127.0.0.1:7400,127.0.0.1:7401"
	secrets := make([]string, 8)
	var managers sync.WaitGroup
	for i := range secrets {
		managers.Go(func() {
			secret, err := raftSecret(cfg)
			if err != nil {
				t.Error(err)
			}
			secrets[i] = string(secret)
		})
	}
	managers.Wait()
	for _, secret := range secrets {
		if len(secret) != 64 || secret != secrets[0] {
			t.Fatalf("secrets %q, want the same 64 digits everywhere", secrets)
		}
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "muster", "raft.secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v, want mode 0600", info, err)
	}
}
