package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/httpapi"
)

func newWebCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Serve the page and the API of a cluster, away from its managers",
		Long: `Serve the page and the API of a cluster at an address of this machine, 127.0.0.1:8080 unless --http says
otherwise. It needs nothing but the message queue: managers with --http serve the same themselves.` + "\n" + precedence,
		Example: "  muster web --url nats://10.0.0.1:4222\n  muster web --http 0.0.0.0:8080 --http-tokens tokens",
		Args:    cli.Takes(),
	}
	settings, logs := settingsOf(cmd), loggingFlags(cmd, slog.LevelInfo)
	settings.http()
	cmd.Flags().Lookup("http").Usage = "`address` at which the page and the API are served (default " + upHTTP + ", or another port where it is taken)"
	settings.reach(clusterURL)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		return serveWeb(cmd.Context(), cfg, logs.logger(cmd.ErrOrStderr()))
	}
	return cmd
}

// serveWeb serves until ctx ends. SIGHUP reads the tokens again.
func serveWeb(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	anyPort := cfg.HTTP.Addr == ""
	if anyPort {
		cfg.HTTP.Addr = upHTTP
	}
	cfg.Raft.Addr = "" // it stands beside no manager
	hangups := catchHangups()
	conn, err := open(ctx, cfg, "muster web", log)
	if err != nil {
		return err
	}
	settings := func() []httpapi.Setting { return settingsInForce(cfg) }
	server, err := startHTTP(ctx, cfg, conn, anyPort, settings, nil, log)
	if err != nil {
		return err
	}
	for {
		select {
		case <-hangups:
			server.reloadTokens(log)
		case <-ctx.Done():
			return server.close()
		}
	}
}
