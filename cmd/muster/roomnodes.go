package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/conference"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/sfu"
	"github.com/muster-fleet/muster/node"
	"github.com/muster-fleet/muster/worker"
)

// newSFUCmd is the node of an agent of purpose webrtc.
func newSFUCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sfu",
		Short: "Forward the media of rooms (a node, started by 'muster agent')",
		Long: `Forward the media of rooms, on one port for UDP and one for TCP. It serves Muster's conference, and OWT's own
in place of OWT's webrtc nodes, both at once.`,
		Hidden:  true,
		Args:    cli.Takes(),
		Example: "  muster agent --purpose webrtc --max-nodes 1 --reuse --prerun 1 --notify -- muster sfu --listen 192.0.2.7:7882",
	}
	logs := loggingFlags(cmd, slog.LevelInfo)
	listen := cmd.Flags().String("listen", "127.0.0.1:0", "`address` for media, over UDP and over TCP: one port each")
	public := cmd.Flags().String("public", "", "`address` in the candidates, if it is behind a one-to-one NAT")
	var relay rtc.TURN
	cmd.Flags().StringVar(&relay.Listen, "turn", "", "`HOST:PORT` of TURN, over UDP and over TCP, for clients that do not reach --listen (default: none)")
	cmd.Flags().StringVar(&relay.TLS, "turn-tls", "", "`HOST:PORT` of TURN over TLS (default: none)")
	cmd.Flags().StringVar(&relay.CertFile, "turn-cert", "", "`file` of the certificate of --turn-tls, in PEM, read again when it changes")
	cmd.Flags().StringVar(&relay.KeyFile, "turn-key", "", "`file` of its private key, in PEM")
	cmd.Flags().StringVar(&relay.Host, "turn-host", "", "`name` or address by which clients reach TURN (default: --public, else the HOST at which it listens)")
	configFile := cmd.Flags().StringP("config", "c", "", "`file` with rooms.key, which TURN needs (default: the secret that the managers of this machine share)")
	roomRate := cmd.Flags().Int("room-bitrate", 0, "most `kbit/s` that all pictures of a room may take as they arrive; 0 is no limit")
	limits := rtc.DefaultLimits()
	sessions := cmd.Flags().Int("max-sessions", limits.Sessions, "most sessions, of which a participant has two; from 80 % on, people who come to a room go to another SFU")
	packets := cmd.Flags().Int("max-packets", limits.Packets, "RTP packets a second, in and out, that are all the machine can do; from 80 % on, people go to another SFU")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		fixGC(rtc.GCPercent)
		log := logs.logger(cmd.ErrOrStderr())
		if relay.Listen != "" || relay.TLS != "" {
			cfg, err := config.Load(*configFile)
			if err != nil {
				return err
			}
			if relay.Key, err = roomKey(cfg); err != nil {
				return err
			}
		}
		return onOwnBus(cmd.Context(), log, func(ctx context.Context, conn bus.Conn) error {
			n, err := sfu.Start(conn, rtc.Options{Listen: *listen, Public: *public, TURN: relay, Limits: rtc.Limits{RoomBitrate: *roomRate * 1000, Sessions: *sessions, Packets: *packets}, Logger: log})
			if err != nil {
				return err
			}
			log.Info("media", "addr", n.Addr(), "turn", n.TURN())
			err = node.Run(ctx, n, node.Options{Methods: n.Methods(), Logger: log})
			return errors.Join(err, n.Close())
		})
	}
	return cmd
}

// newConferenceCmd is the node of an agent of purpose conference.
func newConferenceCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "conference",
		Short:   "Know who is in which room (a node, started by 'muster agent')",
		Hidden:  true,
		Args:    cli.Takes(),
		Example: "  muster agent --purpose conference --max-nodes 1 --reuse --prerun 1 --notify -- muster conference",
	}
	logs := loggingFlags(cmd, slog.LevelInfo)
	cluster := cmd.Flags().String("cluster", worker.DefaultCluster, "`name` of the cluster")
	recordTo := cmd.Flags().String("record-to", conference.DefaultRecordTo, "`directory` of recordings, as the workers of purpose recording see it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log := logs.logger(cmd.ErrOrStderr())
		return onOwnBus(cmd.Context(), log, func(ctx context.Context, conn bus.Conn) error {
			c := conference.New(conference.Options{
				Conn: conn, Client: client.New(conn, client.Options{Cluster: *cluster}), Cluster: *cluster, RecordTo: *recordTo, Logger: log,
			})
			stop, err := c.WatchExits(ctx)
			if err != nil {
				return err
			}
			err = node.Run(ctx, c, node.Options{Methods: c.Methods(), Logger: log})
			return errors.Join(err, stop())
		})
	}
	return cmd
}

// onOwnBus runs a node that calls others: it has a connection for that beside
// the one on which it is called.
func onOwnBus(ctx context.Context, log *slog.Logger, run func(context.Context, bus.Conn) error) error {
	cfg, err := config.Load("") // the agent leads us to the queue by the environment
	if err != nil {
		return err
	}
	conn, err := open(ctx, cfg, "muster node", log)
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, conn), conn.Close())
}
