package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/manager"
)

// newBehindProxyCmd is a manager for bench failover --how cut: it listens
// behind the proxy that has its address.
func newBehindProxyCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "manager-behind-proxy", Hidden: true, Args: takes(), Short: "Run a manager that can be cut off"}
	settings, logs := settingsOf(cmd), loggingFlags(cmd, slog.LevelInfo)
	settings.flag("raft", "raft.addr", "`address` of the proxy")
	settings.flag("peers", "raft.peers", "`addresses` of all proxies")
	settings.reach(clusterURL)
	listen := cmd.Flags().String("raft-listen", "", "`address` behind the proxy")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		h, err := startBehindProxy(cmd.Context(), cfg, *listen, logs.logger(cmd.ErrOrStderr()))
		if err != nil {
			return err
		}
		<-cmd.Context().Done()
		return h.close()
	}
	return cmd
}

// startBehindProxy is startHost, but for where the other managers are let in.
func startBehindProxy(ctx context.Context, cfg *config.Config, listen string, log *slog.Logger) (*host, error) {
	h := &host{cfg: cfg, log: log}
	err := h.connect(ctx)
	if err == nil {
		h.cohort, err = h.startRaft(listen)
	}
	if err == nil {
		h.manager, err = manager.Start(ctx, h.conn, h.managerOptions())
	}
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}
