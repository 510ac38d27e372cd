package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/config"
)

// Main is the main function of a node that is a process of its own, started by
// `muster agent --notify`. Options that are not set come from the environment:
// MUSTER_NODE, MUSTER_AGENT, MUSTER_PURPOSE, and for the message queue the
// variables MUSTER_BUS_URL and so on. It exits the process: with status 0 when the
// agent stopped the node, else with status 1 and an error on stderr.
func Main(work Work, opts Options) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Run(ctx, work, opts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Run is Main without signal handling and exit: it runs a node until ctx ends.
func Run(ctx context.Context, work Work, opts Options) error {
	opts = opts.fromEnvironment()
	if err := opts.validate(); err != nil {
		return err
	}
	cfg := config.Default()
	if err := cfg.ApplyEnv(os.Environ()); err != nil {
		return fmt.Errorf("node: environment: %w", err)
	}
	reach, err := cfg.BusOptions()
	if err != nil {
		return fmt.Errorf("node: message queue: %w", err)
	}
	reach.Name, reach.Logger = opts.ID, opts.Logger
	conn, err := connect.Open(ctx, reach)
	if err != nil {
		return fmt.Errorf("node: message queue: %w", err)
	}
	opts.status = func(line string) { sdNotify("STATUS=" + strings.ReplaceAll(line, "\n", " ")) }
	var watched sync.WaitGroup
	err = Serve(ctx, conn, work, opts, func() {
		sdNotify(daemon.SdNotifyReady)
		watched.Go(func() { watchdog(ctx) })
	})
	watched.Wait()
	return errors.Join(err, conn.Close())
}

func (o Options) fromEnvironment() Options {
	for _, f := range []struct {
		field *string
		name  string
	}{{&o.ID, "MUSTER_NODE"}, {&o.Agent, "MUSTER_AGENT"}, {&o.Purpose, "MUSTER_PURPOSE"}} {
		*f.field = cmp.Or(*f.field, os.Getenv(f.name))
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	return o
}

// watchdog notifies the agent that the node is alive, twice as often as required,
// and at the end that it is stopping.
func watchdog(ctx context.Context) {
	defer sdNotify(daemon.SdNotifyStopping)
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			sdNotify(daemon.SdNotifyWatchdog)
		}
	}
}

// sdNotify sends a notification of systemd's sd_notify protocol to the agent.
// Errors are ignored: they mean that the agent is gone.
func sdNotify(state string) { _, _ = daemon.SdNotify(false, state) }
