package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/replica/raft"
)

// raftOptions are those of the section [raft].
func raftOptions(cfg *config.Config) (raft.Options, error) {
	opts := raft.DefaultOptions().WithElectionTimeout(cfg.Raft.ElectionTimeout)
	opts.Addr, opts.Peers, opts.Dir = cfg.Raft.Addr, cfg.Raft.PeerList(), cfg.Raft.Data
	opts.Listen = cfg.Raft.Listen
	var err error
	if opts.TLS, err = cfg.RaftTLS(); err == nil {
		opts.Secret, err = raftSecret(cfg)
	}
	return opts, err
}

// raftSecret is what the managers of the cluster share. Those that are all on
// this machine need none in their configuration: they find it in a file that
// only their user can read, and the first of them makes it up.
func raftSecret(cfg *config.Config) ([]byte, error) {
	switch secret := cfg.Raft.Secret.Reveal(); {
	case secret != "":
		return []byte(secret), nil
	case cfg.Raft.TLS != (config.TLS{}):
		return nil, nil // the certificates do
	case !cfg.Raft.Local():
		return []byte(secret), nil
	}
	return localSecret()
}

// localSecret is the one in this user's file, made up where there is none yet.
func localSecret() ([]byte, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, fmt.Errorf("the managers' secret: %w: set MUSTER_RAFT_SECRET", err)
	}
	path := filepath.Join(dir, "muster", "raft.secret")
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret, err = makeSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("the managers' secret: %w: set MUSTER_RAFT_SECRET", err)
	}
	return secret, nil
}

// makeSecret writes a secret whole, unless another process was faster.
func makeSecret(path string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".raft-") // only its user can read it
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	if _, err = draft.WriteString(randomSecret()); err != nil {
		return nil, errors.Join(err, draft.Close())
	}
	if err = draft.Close(); err != nil {
		return nil, err
	}
	if err = os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

func randomSecret() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}
