package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/worker"
)

var agentLong = `Run an agent: a worker whose tasks are done by nodes, processes that it starts, watches and ends. It prints its
id when it has joined.

What a node is, one of three says:

  -- CMD ARGS...   any program. {task}, {room}, {node}, {agent}, {purpose} and {spec} (a file with the task's
                   input) stand for what they say; with one of task, room and spec each task has a program of its
                   own. Exit status 0 ends its tasks well, anything else is a crash. With --notify the program
                   speaks systemd's sd_notify protocol (READY=1, WATCHDOG=1, STATUS=, STOPPING=1).
  --owt DIR        OWT's own nodes: 'node ./workingNode' in that directory, configured by the agent.toml of -c.
  neither          media on ffmpeg, for the purposes ` + mediaPurposesText + `.

-c takes OWT's agent.toml as it is. The first SIGTERM drains: no new tasks, and --drain-time for those that run;
the second does not wait. What an agent leaves that is killed with -9 is ended by the next one with the same --dir.`

func newAgentCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent --purpose PURPOSE [-- CMD ARGS...]",
		Short: "Run an agent: a worker that runs processes for its tasks",
		Long:  agentLong + "\n" + precedence,
		Example: `  muster agent --purpose video                          # transcodes and mixes with ffmpeg
  muster agent --purpose thumbnails -- ./thumbnail {task}
  muster agent --purpose sfu --notify --watchdog 10s -- ./sfu --listen auto
  muster agent --purpose webrtc -c agent.toml --owt /opt/owt/webrtc_agent`,
	}
	f := agentFlagsOf(cmd)
	logs := loggingFlags(cmd, slog.LevelInfo)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if at := cmd.ArgsLenAtDash(); at != 0 && len(args) > 0 {
			return cli.Usagef("a program to run stands after --, as in: muster agent --purpose %s -- %s", orWord(f.purpose, "PURPOSE"), args[0])
		}
		plan, err := f.plan(args)
		if err != nil {
			return err
		}
		return plan.run(cmd.Context(), logs.logger(cmd.ErrOrStderr()), cmd.OutOrStdout())
	}
	return cmd
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

// run is an agent from its start to its end.
func (p *agentPlan) run(ctx context.Context, log *slog.Logger, stdout io.Writer) (err error) {
	warn(p.cfg, log)
	host, err := p.open(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	launcher, err := p.launcher(ctx, host)
	if err != nil {
		return err
	}
	if p.loadOfNodes {
		p.worker.Load = host.Load()
	}
	conn, err := openPatiently(ctx, p.cfg, "muster agent", log)
	if err != nil {
		return unlessInterrupted(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	past, err := openPast(host.Dir(), time.Now(), log)
	if err != nil {
		return err
	}
	defer past.close()
	measures := newAgentMeasures(client.New(conn, client.Options{Cluster: p.cfg.Manager.Name}), p.worker)
	if p.metrics != "" {
		server, err := serveMetrics(p.metrics, measures, log)
		if err != nil {
			return err
		}
		defer func() { _ = server.close() }()
	}
	a, err := agent.Start(ctx, conn, agent.Options{
		Worker: p.worker, Policy: p.policy, Launcher: launcher, StopGrace: p.grace, ReadLog: host.ReadLog, Logger: log,
		Slots: p.slots, SlotOf: p.slotOf,
		Ended: past.reports, OnEnded: func(r muster.TaskReport) { past.add(r); measures.ended(r) },
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // asked to end before it had joined
	case err != nil:
		return err
	}
	if _, err := fmt.Fprintln(stdout, a.ID()); err != nil {
		log.Warn("id not printed", "err", err)
	}
	select {
	case <-ctx.Done():
	case <-a.Done():
		return a.Err()
	}
	return p.end(ctx, a, log)
}

// end drains the agent, until a second signal comes, and closes it.
func (p *agentPlan) end(ctx context.Context, a *agent.Agent, log *slog.Logger) error {
	hurried := inHurry(ctx)
	drain, cancel := detached(ctx, p.drainTime)
	defer cancel()
	go func() {
		select {
		case <-hurried:
			cancel()
		case <-drain.Done():
		}
	}()
	if p.drainTime > 0 {
		log.Info("draining", "for", p.drainTime)
		if err := a.Drain(drain); err != nil {
			log.Warn("running tasks ended early", "err", err)
		}
	}
	last, stop := detached(ctx, p.grace+closeTime)
	defer stop()
	if err := a.Close(last); err != nil && !errors.Is(err, worker.ErrQuit) {
		return err
	}
	return nil
}

// closeTime is what an agent has for leaving the cluster, beside the grace of
// its nodes.
const closeTime = 2 * time.Second
