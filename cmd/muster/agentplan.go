package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/agent/agentfile"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/owtscript"
	"github.com/muster-fleet/muster/internal/purposes"
	"github.com/muster-fleet/muster/media"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// agentFlags are an agent, as the command line has it.
type agentFlags struct {
	*workerFlags
	cmd      *cobra.Command
	settings *settings

	owt, dir, per    string
	root, user       string
	metrics          string
	prerun, maxNodes int
	reuse, notify    bool
	allowArgs        bool
	deviceSlots      int
	watchdog         time.Duration
	grace, drainTime time.Duration
	mounts           []string
	memory           string
	cpus             float64
}

const (
	// defaultGrace is more than a media node gives its ffmpeg.
	defaultGrace     = media.DefaultGrace + 5*time.Second
	defaultDrainTime = 30 * time.Second
	// defaultDeviceSlots is what the smallest encoding devices do at once.
	defaultDeviceSlots = 2
)

func agentFlagsOf(cmd *cobra.Command) *agentFlags {
	f := &agentFlags{cmd: cmd, settings: settingsOf(cmd)}
	f.settings.reach(clusterURL)
	f.workerFlags = workerFlagsOf(cmd)
	cmd.Flags().Lookup("load").Usage += "; nodes: what the agent's own nodes use of the processors"
	s := cmd.Flags()
	s.StringVar(&f.owt, "owt", "", "`directory` of an OWT agent, whose workingNode does the tasks")
	s.StringVar(&f.metrics, "metrics", "", "`address` at which /metrics is shown to Prometheus, such as 127.0.0.1:9465 (default: nowhere)")
	s.StringVar(&f.dir, "dir", "", "`directory` of this agent alone, for logs and records (default: the first free one of this user and purpose)")
	s.StringVar(&f.per, "per", "", "what has a node of its own: `task|room` (default: OWT's for the purpose)")
	s.IntVar(&f.prerun, "prerun", agent.DefaultPrerun, "how many idle nodes are kept ready")
	s.IntVar(&f.maxNodes, "max-nodes", -1, "most nodes at once; -1 means no limit")
	s.BoolVar(&f.reuse, "reuse", false, "let rooms share a node when there are no more (default: OWT's for the purpose)")
	s.BoolVar(&f.notify, "notify", false, "the program speaks sd_notify, and is ready when it says so")
	s.DurationVar(&f.watchdog, "watchdog", 0, "longest silence of a program that speaks sd_notify; 0 means forever")
	s.DurationVar(&f.grace, "grace", defaultGrace, "how long a node has to end before it is killed")
	s.DurationVar(&f.drainTime, "drain-time", defaultDrainTime, "how long running tasks may go on when the agent is asked to end")
	s.StringVar(&f.memory, "memory", "", "most `memory` of a node, as in 512M or 2G; needs cgroups")
	s.Float64Var(&f.cpus, "cpus", 0, "most processors of a node, as in 1.5; needs cgroups")
	s.StringVar(&f.user, "run-as", "", "`user` as which nodes run, on a machine where the agent is root (default: the agent's)")
	s.StringVar(&f.root, "root", "", "`directory` in which the files of media tasks must be (default: anywhere)")
	s.BoolVar(&f.allowArgs, "allow-ffmpeg-args", false, "let media tasks have ffmpeg_args of their own, which can use any file and address")
	s.IntVar(&f.deviceSlots, "hardware-slots", defaultDeviceSlots, "most media tasks at once that a hardware encoder does, beside those of --max-tasks")
	s.StringArrayVar(&f.mounts, "mount", nil, "`NAME=DIR` that tasks see as mount:NAME/...; several are allowed")
	return f
}

// agentPlan is an agent to be run: the flags, with what follows from them.
type agentPlan struct {
	*agentFlags
	cfg         *config.Config
	file        *agentfile.File
	worker      worker.Options
	policy      agent.Policy
	limits      process.Limits
	loadOfNodes bool
	argv        []string
	// libraries is LD_LIBRARY_PATH for OWT's nodes; "" leaves it.
	libraries string
	// slots and slotOf follow from the hardware encoders that are there.
	slots  map[string]int
	slotOf func(json.RawMessage) string
}

// plan puts the file and the flags together.
func (f *agentFlags) plan(argv []string) (*agentPlan, error) {
	if err := f.check(argv); err != nil {
		return nil, err
	}
	if own := filepath.Join(f.owt, "agent.toml"); f.owt != "" && f.settings.file == "" && isFile(own) {
		f.settings.file = own // as OWT's agent does
	}
	cfg, err := f.settings.loadShared()
	if err != nil {
		return nil, err
	}
	file, libraries, err := f.readFile(f.cmd.Context())
	if err != nil {
		return nil, err
	}
	p := &agentPlan{agentFlags: f, cfg: cfg, file: file, policy: f.policyOver(file.Policy), argv: argv, libraries: libraries}
	if f.root, err = rootDir(f.root); err != nil {
		return nil, err
	}
	if p.limits, err = f.readLimits(); err != nil {
		return nil, err
	}
	if p.worker, p.loadOfNodes, err = f.workerOver(cfg, file); err != nil {
		return nil, err
	}
	return p, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// readFile returns the agent's configuration. A directory of OWT's completes it with its
// own loader.
func (f *agentFlags) readFile(ctx context.Context) (file *agentfile.File, libraries string, err error) {
	if f.owt != "" && owtscript.HasLoader(f.owt) {
		if ctx == nil {
			ctx = context.Background()
		}
		made, err := owtscript.Load(ctx, f.owt, f.settings.file)
		if err != nil {
			return nil, "", err
		}
		file, err = agentfile.Loaded(made.Config, f.purpose)
		return file, made.Libraries, err
	}
	if f.settings.file == "" {
		return agentfile.Default(f.purpose), "", nil
	}
	file, err = agentfile.Read(f.settings.file, f.purpose)
	return file, "", err
}

func (f *agentFlags) check(argv []string) error {
	switch {
	case f.purpose == "":
		return cli.Usagef("--purpose is missing: say what the agent is for, as in --purpose video")
	case len(argv) > 0 && f.owt != "":
		return cli.Usagef("--owt and a program after -- exclude each other: a node is one or the other")
	case len(argv) == 0 && f.owt == "" && purposes.Of(f.purpose).Media == "":
		return cli.Usagef("say what does the tasks: a program after --, or --owt DIR; only %s have media of their own", mediaPurposesText)
	case f.per != "" && f.per != "task" && f.per != "room":
		return cli.Usagef("--per must be task or room, not %q", f.per)
	case f.watchdog > 0 && !f.notify:
		return cli.Usagef("--watchdog needs --notify: only a program that speaks sd_notify can say that it is alive")
	case f.allowArgs && f.root != "":
		return cli.Usagef("--allow-ffmpeg-args lets tasks use any file, so that --root would not hold: leave one of them out")
	case f.user != "" && f.owt != "":
		return cli.Usagef("--run-as is for media and for a program after --, and OWT's nodes run as the agent's user: leave it out")
	case f.deviceSlots < 1:
		return cli.Usagef("--hardware-slots must be at least 1, but is %d", f.deviceSlots)
	case f.grace < 0 || f.drainTime < 0 || f.watchdog < 0:
		return cli.Usagef("--grace, --drain-time and --watchdog must not be negative")
	}
	return nil
}

// given reports whether the command line has the flag.
func (f *agentFlags) given(name string) bool { return f.cmd.Flags().Changed(name) }

func (f *agentFlags) policyOver(p agent.Policy) agent.Policy {
	if f.given("prerun") {
		p.Prerun = f.prerun
	}
	if f.given("max-nodes") {
		p.MaxNodes = f.maxNodes
	}
	if f.per != "" {
		p.PerTask = f.per == "task"
		p.ReuseWhenFull = p.ReuseWhenFull && !p.PerTask // a default, which means nothing then
	}
	if f.given("reuse") {
		p.ReuseWhenFull = f.reuse
	}
	return p
}

// workerOver is what the file says, and what the flags say over it.
func (f *agentFlags) workerOver(cfg *config.Config, file *agentfile.File) (opts worker.Options, ofNodes bool, err error) {
	if len(f.loads) == 1 && f.loads[0] == "nodes" {
		f.loads, ofNodes = []string{"cpu"}, true
	}
	opts, err = f.options(cfg)
	if err != nil {
		return opts, false, err
	}
	opts.Handlers = nil
	opts.ID = cmp.Or(opts.ID, f.newID(file))
	opts.IP, opts.Hostname, opts.Port = file.IP, file.Hostname, file.Port
	opts.JoinRetries, opts.LoadInterval = file.JoinRetries, file.LoadInterval
	if !f.given("cluster") {
		opts.Cluster = file.Cluster
	}
	if !f.given("max-load") {
		opts.MaxLoad = file.MaxLoad
	}
	if !f.given("load") {
		opts.Load = loadOf(file.Load)
	}
	f.capacityOver(&opts, file)
	err = f.ownLabels(&opts)
	return opts, ofNodes, err
}

// newID makes an id. It ends in the machine's name, and where OWT's nodes run
// in the address at which clients reach them, as OWT's own agents do.
func (f *agentFlags) newID(file *agentfile.File) string {
	if f.owt == "" {
		return newWorkerID(f.purpose)
	}
	id, _, _ := strings.Cut(newWorkerID(f.purpose), "@")
	return id + "@" + cmp.Or(file.Hostname, file.IP, worker.Address())
}

func (f *agentFlags) capacityOver(opts *worker.Options, file *agentfile.File) {
	if !f.given("isp") {
		opts.Capacity.ISPs = file.Capacity.ISPs
	}
	if !f.given("region") {
		opts.Capacity.Regions = file.Capacity.Regions
	}
	if !f.given("algorithm") {
		opts.Capacity.Algorithms = file.Capacity.Algorithms
	}
	if opts.Capacity.Video == nil {
		opts.Capacity.Video = file.Capacity.Video
	}
}

func loadOf(l agentfile.Load) load.Source {
	switch l.Item {
	case "network":
		return load.Network(l.Interface, l.Mbps)
	case "disk":
		return load.Disk(l.Disk)
	case "gpu":
		return load.GPU()
	}
	return load.CPU()
}

func (f *agentFlags) readLimits() (process.Limits, error) {
	l := process.Limits{CPUs: f.cpus}
	if f.cpus < 0 {
		return l, cli.Usagef("--cpus must not be negative, but is %v", f.cpus)
	}
	if f.memory == "" {
		return l, nil
	}
	bytes, err := parseBytes(f.memory)
	if err != nil {
		return l, cli.Usagef("--memory: %v", err)
	}
	l.MemoryBytes = bytes
	return l, nil
}

// parseBytes reads 512M, 2G, 1048576.
func parseBytes(text string) (int64, error) {
	number, scale := text, int64(1)
	if i := strings.IndexByte("KMG", upper(text[len(text)-1])); i >= 0 {
		number, scale = text[:len(text)-1], 1<<(10*(i+1))
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)/scale {
		return 0, cli.Usagef("%q is no amount of memory: write 512M, 2G or a number of bytes", text)
	}
	return n * scale, nil
}

func upper(b byte) byte { return strings.ToUpper(string(b))[0] }

// mostDirs is how many agents of a purpose find a directory by themselves.
const mostDirs = 1000

// open takes the agent's directory: the one of --dir, or the first of this user
// and purpose that no other agent has. So the next agent of the purpose ends
// what one has left that was killed.
func (p *agentPlan) open(log *slog.Logger) (*process.Host, error) {
	opts := process.Options{Dir: p.dir, Agent: p.worker.ID, Limits: p.limits, Logger: log}
	if p.dir != "" {
		return process.Open(opts)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	for i := 1; ; i++ {
		opts.Dir = filepath.Join(base, "muster", "agents", fmt.Sprintf("%s-%d", url.PathEscape(p.worker.Purpose), i))
		host, err := process.Open(opts)
		if err == nil || i == mostDirs || !errors.Is(err, process.ErrTaken) {
			return host, err
		}
	}
}

// launcher starts what does the tasks.
func (p *agentPlan) launcher(ctx context.Context, host *process.Host) (process.Launcher, error) {
	switch {
	case p.owt != "":
		return p.owtNodes(host)
	case len(p.argv) > 0:
		return p.programs(host)
	}
	return p.mediaNodes(ctx, host)
}

func (p *agentPlan) owtNodes(host *process.Host) (process.Launcher, error) {
	ip := cmp.Or(p.file.IP, worker.Address())
	settings, err := p.file.NodeConfig(p.worker.Purpose, ip)
	if err != nil {
		return nil, err
	}
	c := process.OWTCommand{Dir: p.owt, Config: settings}
	if p.libraries != "" {
		c.Env = []string{"LD_LIBRARY_PATH=" + p.libraries}
	}
	if err := c.Validate(); err != nil {
		return nil, cli.Usagef("--owt: %v", err)
	}
	return host.OWT(c), nil
}

// busEnviron leads nodes to the message queue, and to the collector of traces. The password is in a file that
// only the agent's user can read.
func (p *agentPlan) busEnviron(host *process.Host) ([]string, error) {
	env, secrets := append(p.cfg.BusEnviron(), p.cfg.TraceEnviron()...), p.cfg.BusSecrets()
	if len(secrets) == 0 {
		return env, nil
	}
	path, err := host.WriteSecretFor(p.user, "bus", secrets)
	return append(env, config.SecretsFile+"="+path), err
}

func (p *agentPlan) programs(host *process.Host) (process.Launcher, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	env, err := p.busEnviron(host)
	if err != nil {
		return nil, err
	}
	c := process.Command{Argv: p.argv, Dir: here, Env: env, User: p.user, Notify: p.notify, Watchdog: p.watchdog}
	if err := c.Validate(); err != nil {
		return nil, cli.Usagef("%v", err)
	}
	return host.Program(c), nil
}
