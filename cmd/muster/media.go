package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/purposes"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomfeed"
	"github.com/muster-fleet/muster/internal/roomrec"
	"github.com/muster-fleet/muster/internal/roomstream"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/media"
	"github.com/muster-fleet/muster/node"
)

// mediaPurposesText names the purposes that have media.
var mediaPurposesText = strings.Join(purposes.OfMedia(), ", ")

// mediaWatchdog is the longest silence of a media node.
const mediaWatchdog = 10 * time.Second

// mediaNodes starts this program again for each node, as `muster node`. The
// agent offers what the installed ffmpeg can.
func (p *agentPlan) mediaNodes(ctx context.Context, host *process.Host) (process.Launcher, error) {
	tool, err := media.Find(ctx)
	if err != nil {
		return nil, err
	}
	if p.worker.Capacity.Video == nil {
		formats := tool.Capacity(ctx)
		p.worker.Capacity.Video = &formats
	}
	if p.worker.MaxTasks == 0 {
		p.worker.MaxTasks = runtime.NumCPU() // each ffmpeg would take all of them
	}
	p.offerDevices(ctx, tool)
	this, err := os.Executable()
	if err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	env, err := p.busEnviron(host)
	if err != nil {
		return nil, err
	}
	argv := []string{this, "node"}
	if p.root != "" {
		argv = append(argv, "--root", p.root)
	}
	if p.allowArgs {
		argv = append(argv, "--allow-ffmpeg-args")
	}
	for _, mount := range p.mounts {
		argv = append(argv, "--mount", mount)
	}
	c := process.Command{
		Argv: argv, Dir: cmp.Or(p.root, here), Env: append(env, tool.Environ()...), User: p.user, Notify: true, Watchdog: mediaWatchdog,
	}
	if err := c.Validate(); err != nil {
		return nil, cli.Usagef("--run-as: %v", err)
	}
	return host.Program(c), nil
}

// offerDevices adds the hardware encoders that work: a label for each, and slots
// beside those for the processors.
func (p *agentPlan) offerDevices(ctx context.Context, tool *media.Tool) {
	devices := tool.Hardware(ctx)
	if len(devices) == 0 {
		return
	}
	for _, name := range devices {
		p.worker.Labels[media.EncoderLabel(name)] = "hardware"
	}
	p.slots, p.slotOf = map[string]int{"": p.worker.MaxTasks, media.SlotHardware: p.deviceSlots}, tool.Slot
	p.worker.MaxTasks += p.deviceSlots
}

// rootDir is the absolute path of a --root; "" stays.
func rootDir(root string) (string, error) {
	if root == "" {
		return "", nil
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return "", cli.Usagef("--root must be a directory that exists, not %q", root)
	}
	return filepath.Abs(root)
}

// newNodeCmd is what an agent starts for media tasks. It takes everything from
// the environment, and is of no use by hand.
func newNodeCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "node",
		Short:  "Do the tasks of a media agent (started by 'muster agent')",
		Hidden: true,
		Args:   cli.Takes(),
	}
	root := cmd.Flags().String("root", "", "`directory` in which the files of tasks must be")
	allowArgs := cmd.Flags().Bool("allow-ffmpeg-args", false, "let tasks have ffmpeg_args")
	mounts := cmd.Flags().StringArray("mount", nil, "`NAME=DIR` that tasks see as mount:NAME/...")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		named, err := mountsOf(*mounts)
		if err != nil {
			return err
		}
		cfg := config.Default()
		if err := cfg.ApplyEnv(os.Environ()); err != nil {
			return err
		}
		recordTraces(cfg, "muster node", nil)
		tool, err := media.Find(cmd.Context())
		if err != nil {
			return err
		}
		o := media.Options{Root: *root, Mounts: named, AllowArgs: *allowArgs}
		purpose := os.Getenv("MUSTER_PURPOSE")
		work, err := media.NewAny(purposes.Of(purpose).Media, tool, o)
		if err == nil {
			work, err = withRooms(work, purpose, tool, o)
		}
		if err != nil {
			return err
		}
		return node.Run(cmd.Context(), work, node.Options{})
	}
	return cmd
}

// withRooms adds what the purpose of a media node does with rooms: it streams them,
// records them, or does its work on what a participant sends.
func withRooms(work node.Work, purpose string, tool *media.Tool, o media.Options) (node.Work, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	open := func(ctx context.Context) (bus.Conn, error) {
		cfg, err := config.Load("") // the agent leads us to the queue by the environment
		if err != nil {
			return nil, err
		}
		return open(ctx, cfg, "muster "+purpose, log)
	}
	switch purpose {
	case room.PurposeStreaming:
		rooms, err := roomstream.New(roomstream.Options{Open: open, Tool: tool, Media: o, Logger: log})
		return roomsub.Beside(work, rooms), err
	case room.PurposeRecording:
		return roomsub.Beside(work, roomrec.New(roomrec.Options{Open: open, Dir: o.Directory, Logger: log})), nil
	}
	return roomsub.Beside(work, roomfeed.New(roomfeed.Options{Open: open, Work: work, Logger: log})), nil
}
