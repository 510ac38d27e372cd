package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/purposes"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/media"
)

// readyTime is how long up waits for its workers to report a load, before it
// prints how things stand.
const readyTime = 15 * time.Second

func newUpCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a whole cluster on this machine",
		Long: `Run a whole cluster on this machine: a message queue (NATS), a manager, and workers, each a process of its
own that reports what its own work takes of the processors. Ctrl-C ends everything; a second one ends it at once.

The page that it prints the address of shows the fleet in a browser of this machine, and serves the API of
docs/http.md.

The workers are for webrtc, video, recording and streaming, and so on in turn. Where ffmpeg is installed, those for video
transcode and mix, those for recording record, and those for streaming stream: see 'muster run --help'. Those for webrtc
forward the media of rooms; a conference and a portal complete them, and a link to a room is printed. With --media=false the workers
handle no media: see 'muster worker --help'. The death of a worker is reported; it is not replaced.

Media tasks may read and write files in the current directory only, or in that of --root: all programs that reach the
message queue may start them.

No other worker is expected, so the manager places tasks at once unless the file says initial_time. Without a
message queue in the settings, one is started on this machine.` + "\n" + precedence,
		Example: `  muster up
  muster up --managers 3 --workers 6  # a page for each manager, which goes on when its manager dies
  muster up --workers 6 --listen 127.0.0.1:4333
  muster up --load cpu,memory         # the load of this whole machine, as workers elsewhere report it`,
		Args: cli.Takes(),
	}
	u := &up{settings: settingsOf(cmd), logs: loggingFlags(cmd, slog.LevelWarn)}
	u.settings.listen()
	u.settings.flag("cluster", "manager.name", "`name` of the cluster (default owt-cluster)")
	u.settings.flag("metrics", "metrics.addr", "`address` at which /metrics is shown to Prometheus; of several managers, that of the first, and the ports after it")
	u.settings.http()
	cmd.Flags().Lookup("http").Usage = "`address` at which the page and the API are served; of several managers, that of the first, and the ports after it; \"\" for none (default 127.0.0.1:8080, or another port where it is taken)"
	cmd.Flags().IntVar(&u.managers, "managers", 1, "how many managers to run; several agree by Raft, each in a process of its own")
	cmd.Flags().IntVar(&u.workers, "workers", len(upPurposes), "how many workers to run")
	cmd.Flags().BoolVar(&u.media, "media", true, "let ffmpeg do the work of video, recording and streaming, where it is installed")
	cmd.Flags().StringVar(&u.root, "root", ".", "`directory` in which the files of media tasks must be; \"\" is anywhere")
	cmd.Flags().StringVar(&u.rooms.portal, "portal", defaultPortal, "`address` of the portal of rooms, where it is free; \"\" or --media=false runs none")
	cmd.Flags().StringSliceVar(&u.loads, "load", []string{"own"}, loadUsage+"; of workers with media, own is that of their tasks")
	cmd.Flags().Float64Var(&u.maxLoad, "max-load", 1, "load from which a worker gets no further tasks, above 0 and up to 1")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		u.stdout, u.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		return u.run(cmd.Context())
	}
	return cmd
}

// up is a cluster on one machine.
type up struct {
	settings *settings
	logs     *logging
	managers int
	workers  int
	loads    []string
	maxLoad  float64
	media    bool
	// root is the directory that media tasks may use, "" for all.
	root string
	// pages are the addresses of the managers' pages, where there are several managers.
	pages []string
	// first is the address of the first manager.
	first     string
	announced announcedPages
	// noMedia is why there is none.
	noMedia error
	rooms   upRooms

	stdout, stderr io.Writer
}

// upPurposes are those of the workers, in turn.
var upPurposes = []string{"webrtc", "video", "recording", "streaming"}

// run starts everything, and ends it when ctx is done.
func (u *up) run(ctx context.Context) error {
	if err := u.check(); err != nil {
		return err
	}
	cfg, err := u.load()
	if err != nil {
		return err
	}
	log := u.logs.logger(u.stderr)
	warn(cfg, log)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
	defer stop()
	h := &managerProcess{cfg: cfg, log: log, anyPort: cfg.Origin("http.addr").Source == config.FromDefault}
	if u.managers > 1 {
		err = h.startQueue(ctx)
	} else {
		err = h.start(ctx)
	}
	if err != nil {
		return err
	}
	err = u.staff(ctx, h)
	return errors.Join(err, h.close())
}

// check finds what is wrong with the flags before anything runs.
func (u *up) check() error {
	if u.managers < 1 {
		return cli.Usagef("--managers must be at least 1, but is %d", u.managers)
	}
	if u.workers < 0 {
		return cli.Usagef("--workers must not be negative, but is %d", u.workers)
	}
	var err error
	if u.root, err = rootDir(u.root); err != nil {
		return err
	}
	if len(u.loads) > 1 && slices.Contains(u.loads, "own") {
		return cli.Usagef("--load own stands alone: it is not of the machine, as the others are")
	}
	flags := workerFlags{purpose: "any", loads: u.loads, maxLoad: u.maxLoad}
	_, err = flags.options(config.Default())
	return err
}

// upHTTP is where the page is where nothing is said about it.
const upHTTP = "127.0.0.1:8080"

// load returns the configuration in force: initial_time is 0 unless the operator
// sets it.
func (u *up) load() (*config.Config, error) {
	cfg, err := u.settings.load()
	if err != nil {
		return nil, err
	}
	if cfg.Origin("manager.initial_time").Source == config.FromDefault {
		cfg.Manager.InitialTime = 0
	}
	if cfg.Origin("http.addr").Source == config.FromDefault {
		cfg.HTTP.Addr = upHTTP
	}
	return cfg, nil
}

// staff runs the workers until ctx is done.
func (u *up) staff(ctx context.Context, h *managerProcess) error {
	u.findMedia(ctx)
	if err := u.prepareRooms(h); err != nil {
		return err
	}
	specs, err := u.workerSpecs(h)
	if err != nil {
		return err
	}
	if u.managers > 1 {
		managers, err := u.managerSpecs(h)
		if err != nil {
			return err
		}
		specs = append(managers, specs...)
		heard, err := u.announced.listen(ctx, h.conn, h.cfg.Manager.Name)
		if err != nil {
			return err
		}
		defer func() { _ = heard.Close() }()
	}
	started, err := startChildren(specs)
	if err != nil {
		return err
	}
	defer started.stop()
	if ready := awaitWorkers(ctx, h, started.list); ctx.Err() == nil {
		u.greet(h, started.list, ready)
	}
	for {
		select {
		case end := <-started.exits:
			_, _ = fmt.Fprintf(u.stderr, "muster: %s (pid %d) ended: %s.%s\n", end.name, end.pid, end.how, consequence(ctx, end, h))
		case <-ctx.Done():
			_, _ = fmt.Fprintln(u.stderr, "muster: ending")
			return nil
		}
	}
}

// consequence is what the end of a process means for the cluster.
func consequence(ctx context.Context, end childExit, h *managerProcess) string {
	if end.purpose == managerPurpose {
		return " The others go on as long as they are a majority. To start it again:\n  " + end.commandLine()
	}
	if err := takeOut(ctx, end.name, h); err != nil {
		return " The manager forgets it " + forgets(h.cfg) + "."
	}
	return " Its tasks are released."
}

// takeOutTime bounds how long the managers are asked to take a worker out.
const takeOutTime = 2 * time.Second

// takeOut has the managers take out a worker whose process has ended for certain: its
// silence need not be waited for.
func takeOut(ctx context.Context, worker string, h *managerProcess) error {
	ctx, cancel := context.WithTimeout(ctx, takeOutTime)
	defer cancel()
	_, err := h.conn.Call(ctx, h.cfg.Manager.Name, "quit", worker)
	if errors.Is(err, client.ErrUnknownWorker) {
		return nil // it did so itself
	}
	return err
}

// forgets is when the manager gives up a worker that died.
func forgets(cfg *config.Config) string {
	return fmt.Sprintf("after %v of silence", time.Duration(cfg.Manager.CheckAliveCount+1)*cfg.Manager.CheckAliveInterval)
}

// findMedia looks whether there can be media.
func (u *up) findMedia(ctx context.Context) {
	if u.media {
		_, u.noMedia = media.Find(ctx)
	}
}

// offersMedia reports whether the workers of the purpose are agents that do real
// work.
func (u *up) offersMedia(purpose string) bool {
	return u.media && u.noMedia == nil && purposes.Of(purpose).Media != ""
}

// workerSpecs are the command lines of the workers.
func (u *up) workerSpecs(h *managerProcess) ([]childSpec, error) {
	specs, err := u.roomSpecs(h)
	for i := range u.workers {
		purpose := upPurposes[i%len(upPurposes)]
		if purpose == room.PurposeSFU && u.offersRooms() {
			var forwards childSpec
			if forwards, err = u.sfuSpec(h); err != nil {
				return nil, err
			}
			specs = append(specs, forwards)
			continue
		}
		id := newWorkerID(purpose)
		args := append(u.kindArgs(purpose), "--purpose", purpose, "--id", id,
			"--max-load", strconv.FormatFloat(u.maxLoad, 'g', -1, 64))
		args = append(args, u.commonArgs(h)...)
		args = append(args, u.loadArgs(args[0])...)
		specs = append(specs, childSpec{name: id, purpose: purpose, args: args})
	}
	return specs, err
}

// loadArgs say what counts as load. Own is what the cluster itself uses, so that nothing
// is full because the machine is busy with something else.
func (u *up) loadArgs(verb string) []string {
	var args []string
	for _, load := range u.loads {
		if load == "own" && verb == "agent" {
			load = "nodes"
		}
		args = append(args, "--load", load)
	}
	return args
}

// kindArgs say whether a worker is an agent with media, or only holds a place.
func (u *up) kindArgs(purpose string) []string {
	if u.offersMedia(purpose) {
		return []string{"agent", "--drain-time", "0s", "--grace", (stopTime / 2).String(), "--root", u.root}
	}
	return []string{"worker"} // it claims no codecs: nothing would encode
}

// commonArgs say to each process where the cluster is.
func (u *up) commonArgs(h *managerProcess) []string {
	args := []string{"--cluster", h.cfg.Manager.Name,
		"--log-level", u.logs.level.String(), "--log-format", u.logs.format}
	if h.server != nil {
		args = append(args, "--url", h.server.URL())
	}
	if u.settings.file != "" {
		args = append(args, "--config", u.settings.file)
	}
	return args
}

// newWorkerID makes a name in OWT's form, which no other worker has.
func newWorkerID(purpose string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%s-%s@%s", purpose, hex.EncodeToString(random[:]), host)
}

// awaitWorkers waits until every worker has reported a load below its limit,
// and says whether that came true within readyTime.
func awaitWorkers(ctx context.Context, h *managerProcess, workers []child) (ready bool) {
	asker := client.New(h.conn, client.Options{Cluster: h.cfg.Manager.Name})
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for {
		known, err := asker.Workers(ctx, "")
		if err == nil && allReady(known, workers) {
			return true
		}
		if !pause.For(ctx, 50*time.Millisecond) {
			return false
		}
	}
}
