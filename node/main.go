package node

import (
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

// Main is the main function of a node in a process of its own, which `muster
// agent --notify` starts. What opts leaves out comes from the environment:
// MUSTER_NODE, MUSTER_AGENT, MUSTER_PURPOSE, and MUSTER_BUS_URL with its like
// for the message queue. It ends the process: with status 0 when the agent
// told it to end, else with 1 and an error on stderr.
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

// Run is Main without its signals and its exit: a node until ctx is over.
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
	opts.status = func(line string) { tell("STATUS=" + strings.ReplaceAll(line, "\n", " ")) }
	var watched sync.WaitGroup
	err = Serve(ctx, conn, work, opts, func() {
		tell(daemon.SdNotifyReady)
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
		if *f.field == "" {
			*f.field = os.Getenv(f.name)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return o
}

// watchdog tells the agent that the node is alive, twice as often as it asks
// for, and at the end that it is ending.
func watchdog(ctx context.Context) {
	defer tell(daemon.SdNotifyStopping)
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
			tell(daemon.SdNotifyWatchdog)
		}
	}
}

// tell speaks systemd's sd_notify protocol to the agent. An agent that is gone
// hears nothing; it will not miss it.
func tell(state string) { _, _ = daemon.SdNotify(false, state) }
