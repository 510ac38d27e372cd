package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/worker"
)

// quitTime is how long a worker that ends tries to tell the manager so.
const quitTime = 800 * time.Millisecond

func newWorkerCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker [ID]",
		Short: "Show everything about a worker; or run one without media",
		Long: `With the ID of a worker, show everything about it: load, state, drain, tasks, nodes.

With --purpose instead, run a worker that joins a cluster and reports the load of this machine. It prints its id when it has joined.

It handles no media: tasks are reserved on it, and never picked up. It is there to try a cluster out, and to
hold a place. On the message queue it answers the method "ping", sent to its id. Workers that do something are
programs of your own, written with the package worker.` + "\n" + precedence,
		Example: `  muster worker video-1@host
  muster worker --purpose webrtc --region eu --isp telco --label gpu=a100
  muster worker --purpose video --encode vp8,h264 --decode vp8,h264 --load cpu,memory --max-tasks 4`,
		Args: cli.Takes("[ID]"),
	}
	a, logs := askingFlags(cmd), loggingFlags(cmd, slog.LevelInfo)
	flags := workerFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return a.showWorker(args[0])
		}
		cfg, err := a.load()
		if err != nil {
			return err
		}
		opts, err := flags.options(cfg)
		if err != nil {
			return err
		}
		opts.Logger = logs.logger(cmd.ErrOrStderr())
		return runWorker(cmd.Context(), cfg, opts, cmd.OutOrStdout())
	}
	return cmd
}

// workerFlags are what a worker is, as the command line has it.
type workerFlags struct {
	purpose, id               string
	isps, regions, algorithms []string
	encode, decode            []string
	labels, loads             []string
	maxLoad                   float64
	maxTasks                  int
}

func workerFlagsOf(cmd *cobra.Command) *workerFlags {
	w, f := &workerFlags{}, cmd.Flags()
	f.StringVar(&w.purpose, "purpose", "", "what the worker is for, its `purpose`: webrtc, video, recording ... (required)")
	f.StringVar(&w.id, "id", "", "`name` of the worker (default: one that no other has)")
	f.StringSliceVar(&w.isps, "isp", nil, "`provider` that the worker serves; several are allowed, none means any")
	f.StringSliceVar(&w.regions, "region", nil, "`region` that the worker is in; several are allowed")
	f.StringSliceVar(&w.encode, "encode", nil, "video `codec` that the worker encodes; several are allowed")
	f.StringSliceVar(&w.decode, "decode", nil, "video `codec` that the worker decodes; several are allowed")
	f.StringSliceVar(&w.algorithms, "algorithm", nil, "`algorithm` of an analytics worker; several are allowed")
	f.StringArrayVar(&w.labels, "label", nil, "`key=value` that a task can ask for; several are allowed")
	f.StringSliceVar(&w.loads, "load", []string{"cpu"}, loadUsage)
	f.Float64Var(&w.maxLoad, "max-load", worker.DefaultMaxLoad, "load from which the worker gets no further tasks, above 0 and up to 1")
	f.IntVar(&w.maxTasks, "max-tasks", 0, "most tasks that it gets at once; 0 means no limit")
	return w
}

// options returns the worker that the flags describe.
func (w *workerFlags) options(cfg *config.Config) (worker.Options, error) {
	none := worker.Options{}
	switch {
	case w.purpose == "":
		return none, cli.Usagef("--purpose is missing: say what the worker is for, as in --purpose webrtc")
	case !(w.maxLoad > 0 && w.maxLoad <= 1):
		return none, cli.Usagef("--max-load must be above 0 and at most 1, not %v", w.maxLoad)
	case w.maxTasks < 0:
		return none, cli.Usagef("--max-tasks must not be negative, but is %d (0 means no limit)", w.maxTasks)
	}
	id, err := w.ownID(cfg)
	if err != nil {
		return none, err
	}
	labels, err := w.allLabels(cfg)
	if err != nil {
		return none, err
	}
	source, err := loadSource(w.loads)
	if err != nil {
		return none, err
	}
	opts := worker.Options{
		Purpose: w.purpose, Cluster: cfg.Manager.Name, ID: id, Load: source, Labels: labels,
		MaxLoad: w.maxLoad, MaxTasks: w.maxTasks, Capacity: w.capacity(),
		Handlers: map[string]worker.Handler{"ping": ping},
	}
	if err := opts.Validate(); err != nil {
		return none, cli.Usagef("%v", err)
	}
	return opts, nil
}

// ownID is --id, or the name that the worker has on a queue that knows its users: it
// can have no other there.
func (w *workerFlags) ownID(cfg *config.Config) (string, error) {
	opts, err := cfg.BusOptions()
	if err != nil || opts.Credentials == "" {
		return w.id, err
	}
	who, err := natsauth.ReadCredentials(opts.Credentials)
	switch {
	case err != nil:
		return "", err
	case who.Role == bus.RoleManager:
		return w.id, nil
	case who.Role != bus.RoleWorker:
		return "", fmt.Errorf("the credentials are of a %s: a worker needs those of `muster auth add worker ID`", who.Role)
	case w.id != "" && w.id != who.Name:
		return "", cli.Usagef("--id %s: the credentials are of %s", w.id, who.Name)
	}
	return who.Name, nil
}

func (w *workerFlags) capacity() muster.Capacity {
	c := muster.Capacity{ISPs: w.isps, Regions: w.regions, Algorithms: w.algorithms}
	if len(w.encode)+len(w.decode) > 0 {
		c.Video = &muster.Formats{Encode: w.encode, Decode: w.decode}
	}
	return c
}

// allLabels are those of the configuration, and those of the flags over them.
func (w *workerFlags) allLabels(cfg *config.Config) (map[string]string, error) {
	labels := maps.Clone(cfg.Labels)
	for _, label := range w.labels {
		key, value, found := strings.Cut(label, "=")
		if key == "" || !found {
			return nil, cli.Usagef("--label must be key=value, as in --label gpu=a100, not %q", label)
		}
		labels[key] = value
	}
	return labels, nil
}

// pong is the answer to ping.
type pong struct {
	Worker  string   `json:"worker"`
	PID     int      `json:"pid"`
	Version string   `json:"version"`
	Tasks   []string `json:"tasks"`
}

// ping shows that the worker can be reached. Its arguments do not matter.
func ping(_ context.Context, w *worker.Worker, r *bus.Request) {
	r.Reply(pong{Worker: w.ID(), PID: os.Getpid(), Version: version, Tasks: append([]string{}, w.Tasks()...)})
}

// runWorker is a worker from joining to leaving.
func runWorker(ctx context.Context, cfg *config.Config, opts worker.Options, stdout io.Writer) error {
	log := opts.Logger
	warn(cfg, log)
	conn, err := openPatiently(ctx, cfg, "muster worker", log)
	if err != nil {
		return unlessInterrupted(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	w, err := worker.Join(ctx, conn, opts)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil // asked to end before it had joined
	case err != nil:
		return err
	}
	if _, err := fmt.Fprintln(stdout, w.ID()); err != nil {
		log.Warn("id not printed", "err", err)
	}
	select {
	case <-ctx.Done():
	case <-w.Done():
		return w.Err()
	}
	ctx, cancel := detached(ctx, quitTime)
	defer cancel()
	return w.Quit(ctx)
}
