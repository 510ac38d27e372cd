package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
)

func newManagerCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run the manager of a cluster",
		Long: `Run the manager of a cluster. OWT's cluster_manager.toml works as it is.

The message queue is RabbitMQ where the file has a section [rabbit], else the one of bus.url, else a NATS
server inside the manager, at 127.0.0.1:4222 unless --listen says otherwise.

Several managers agree by Raft: each gets its own --raft address and the --peers of all, and they share one
message queue. The leader answers; when it dies, another one does. With --replica owt they speak the protocol of OWT's
managers of 4.2 to 5.1, among those and among themselves: it promises less, see docs/decisions/owt-election.md.

With --http the manager serves a page and an API at that address, see docs/http.md: without tokens only to its
own machine.

SIGHUP reads the file again, and that of the tokens: what can change while the manager runs does, the rest is named in the log.
SIGINT and SIGTERM end it.` + "\n" + precedence,
		Example: `  muster manager
  muster manager -c cluster_manager.toml
  muster manager -c FILE --raft 10.0.0.1:7400 --peers 10.0.0.1:7400,10.0.0.2:7400,10.0.0.3:7400
  kill -HUP $(pidof muster)          # after a change of the file`,
		Args: cli.Takes(),
	}
	settings, logs := settingsOf(cmd), loggingFlags(cmd, slog.LevelInfo)
	settings.listen()
	settings.flag("users", "bus.users", "`file` of the users that the embedded message queue lets in: see 'muster auth --help'")
	settings.flag("initial-time", "manager.initial_time", "`duration` for which a fresh manager only gathers workers (default 10s)")
	settings.flag("replica", "manager.replica", "how several managers agree: `raft|owt`, owt being the protocol of OWT's own managers (default raft where --raft is given)")
	settings.flag("raft", "raft.addr", "`address` at which the other managers reach this one")
	settings.flag("raft-listen", "raft.listen", "`address` to listen at for them, where it is another one")
	settings.flag("peers", "raft.peers", "comma-separated `addresses` of all managers that form the cluster; without its own, this one joins theirs")
	settings.flag("data", "raft.data", "`directory` of the log (default: in memory)")
	settings.flag("metrics", "metrics.addr", "`address` at which /metrics is shown to Prometheus, such as 127.0.0.1:9464 (default: nowhere)")
	settings.http()
	settings.reach("message `queue`, instead of the embedded one: nats://..., tls://..., amqp://... or amqps://...")
	restored := cmd.Flags().Bool("restored", false, "take the --data directory as it is, though other managers may know of more in it: for one start of all managers from copies")
	anyPort := anyPortFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return runManager(cmd.Context(), settings.load, &managerProcess{restored: *restored, anyPort: *anyPort, log: logs.logger(cmd.ErrOrStderr())})
	}
	return cmd
}

// runManager runs a manager on the host, which has no configuration yet.
func runManager(ctx context.Context, load func() (*config.Config, error), h *managerProcess) error {
	log := h.log
	cfg, err := load()
	if err != nil {
		return err
	}
	warn(cfg, log)
	hangups := catchHangups()
	defer signal.Stop(hangups)
	h.cfg = cfg
	if err = h.start(ctx); err != nil {
		return unlessInterrupted(ctx, err)
	}
	log.Info("manager takes requests", "cluster", cfg.Manager.Name, "bus", string(cfg.BusKind()), "url", h.url(), "version", version)
	for {
		select {
		case <-hangups:
			h.reload(ctx, load)
		case <-h.running.Done():
			return errors.Join(h.running.Err(), h.close())
		case <-ctx.Done():
			log.Info("manager stopped")
			return h.close()
		}
	}
}

// catchHangups hears SIGHUP from now on.
func catchHangups() chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}
