package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/owt"
	"github.com/muster-fleet/muster/internal/replica/raft"
)

// cohort is this manager's part in a cluster of several.
type cohort struct {
	replica.Replica
	// members tells how the managers stand; nil where that is not known.
	members func(context.Context) ([]muster.Member, error)
	// membership changes who they are; nil where that cannot be done.
	membership manager.Membership
	// leads reports whether this manager leads; nil where it looks after itself.
	leads func(context.Context) bool
	// handOver gives the lead to another manager, if this one has it.
	handOver func(context.Context) error
	// ended is closed when it has ended by itself, which err explains; nil
	// where it never does.
	ended <-chan struct{}
	err   func() error
	close func() error
}

// startReplica starts this manager's part in a cluster of several. It is nil
// where the manager is alone.
func (h *host) startReplica(ctx context.Context) (*cohort, error) {
	switch {
	case h.cfg.Manager.Replica == "owt":
		return h.startOWT(ctx)
	case h.cfg.Raft.Addr != "":
		return h.startRaft(ctx)
	}
	return nil, nil
}

func (h *host) startOWT(ctx context.Context) (*cohort, error) {
	r, err := owt.Open(ctx, owt.Options{
		Conn: h.conn, Cluster: h.cfg.Manager.Name, Placement: h.cfg.Placement(), Logger: h.log,
	})
	if err != nil {
		return nil, err
	}
	c := &cohort{Replica: r, handOver: r.Retire, close: r.Close}
	if n := h.neighbours; n != nil {
		c.ended, c.err = n.ended, func() error { return n.err }
	}
	return c, nil
}

func (h *host) startRaft(ctx context.Context) (*cohort, error) {
	opts, err := raftOptions(h.cfg)
	if err == nil {
		err = h.lookAround(ctx)
	}
	if err != nil {
		return nil, err
	}
	opts.Logger, opts.Restored = h.log, h.restored
	rep, err := raft.Start(opts)
	if err != nil {
		return nil, err
	}
	return &cohort{Replica: rep, members: members(rep), membership: membership{rep}, leads: leading(rep), handOver: rep.Transfer,
		ended: rep.Done(), err: func() error { return fmt.Errorf("the managers' log: %w", rep.Err()) }, close: rep.Close}, nil
}

// raftOptions are those of the section [raft].
func raftOptions(cfg *config.Config) (raft.Options, error) {
	opts := raft.DefaultOptions().WithElectionTimeout(cfg.Raft.ElectionTimeout)
	opts.Cluster, opts.Addr, opts.Peers, opts.Dir = cfg.Manager.Name, cfg.Raft.Addr, cfg.Raft.PeerList(), cfg.Raft.Data
	opts.Listen, opts.Label, opts.Placement = cfg.Raft.Listen, memberLabel(os.Getpid(), version), cfg.Placement()
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

// memberLabel is what the other managers show of this one: its process and its
// version.
func memberLabel(pid int, version string) string { return fmt.Sprintf("%d %s", pid, version) }

// parseLabel reads a label: zeros where it is not known yet.
func parseLabel(label string) (pid int, version string) {
	number, version, _ := strings.Cut(label, " ")
	pid, _ = strconv.Atoi(number)
	return pid, version
}

// members tells how the managers stand, as this one sees them.
func members(rep *raft.Replica) func(context.Context) ([]muster.Member, error) {
	return func(ctx context.Context) ([]muster.Member, error) {
		s, err := rep.Status(ctx)
		if err != nil {
			return nil, err
		}
		var out []muster.Member
		for _, m := range s.Members {
			pid, version := parseLabel(m.Label)
			role := replica.Follower
			if m.Addr == s.Leader {
				role = replica.Leader
			}
			out = append(out, muster.Member{
				ID: m.ID, Addr: m.Addr, PID: pid, Version: version, Role: role.String(), Term: s.Term,
				Index: m.Match, Lag: m.Lag, Voter: m.Voter, Active: m.Active,
			})
		}
		return out, nil
	}
}
