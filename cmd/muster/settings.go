package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/owtscript"
)

// settings are where a command gets its configuration from: a file, the
// environment, and flags that each stand for a key of the file.
type settings struct {
	cmd  *cobra.Command
	file string
	keys map[string]string // by flag
}

const precedence = `
Settings come from flags, then from the environment (MUSTER_BUS_URL, MUSTER_BUS_USER, MUSTER_BUS_PASSWORD,
MUSTER_BUS_TLS_CA ...), then from the file of -c, then from the defaults: see 'muster config --reference'.`

// settingsOf adds -c to a command.
func settingsOf(cmd *cobra.Command) *settings {
	s := &settings{cmd: cmd, keys: map[string]string{}}
	cmd.Flags().StringVarP(&s.file, "config", "c", "", "configuration `file`")
	return s
}

// flag adds a flag that gives a key of the configuration its value.
func (s *settings) flag(name, key, usage string) {
	s.cmd.Flags().String(name, "", usage)
	s.keys[name] = key
}

// clusterURL is the usage of --url for those who join or ask.
const clusterURL = "message `queue` of the cluster: nats://..., tls://..., amqp://... or amqps://... (default nats://127.0.0.1:4222)"

// listen adds --listen.
func (s *settings) listen() {
	s.flag("listen", "bus.listen", "`address` of the embedded message queue (default 127.0.0.1:4222)")
}

// http adds the flags of the page and the API.
func (s *settings) http() {
	s.flag("http", "http.addr", "`address` at which the page and the API are served, such as 127.0.0.1:8080 (default: nowhere)")
	s.flag("http-tokens", "http.tokens", "`file` of the tokens that let callers in: see 'muster auth --help'")
}

// reach adds the flags that say where a cluster is, and as whom to get in. A
// password has none, since other users of the machine could read it.
func (s *settings) reach(urlUsage string) {
	s.flag("url", "bus.url", urlUsage)
	for _, f := range reachFlags {
		s.flag(f.name, f.key, f.usage)
		markReach(s.cmd, f.name)
	}
	markReach(s.cmd, "url", "config")
}

// reachFlags are those of reach but for --url.
var reachFlags = []struct{ name, key, usage string }{
	{"cluster", "manager.name", "`name` of the cluster (default owt-cluster)"},
	{"user", "bus.user", "`user` of the message queue; the password is in MUSTER_BUS_PASSWORD or in the file of -c"},
	{"creds", "bus.creds", "`file` of a NATS user's JWT and seed (server in operator mode)"},
	{"nkey", "bus.nkey", "`file` of a NATS user's nkey seed"},
	{"credentials", "bus.credentials", "`file` of a user, written by 'muster auth add' (manager with --users)"},
	{"tls-ca", "bus.tls.ca", "`file` of the authorities to trust, in PEM"},
	{"tls-cert", "bus.tls.cert", "`file` of the own certificate, in PEM"},
	{"tls-key", "bus.tls.key", "`file` of the own certificate's key, in PEM"},
}

// reaching are the settings of a command with the flags of reach, as they were given.
func reaching(cmd *cobra.Command) *settings {
	s := &settings{cmd: cmd, file: cmd.Flags().Lookup("config").Value.String(), keys: map[string]string{"url": "bus.url"}}
	for _, f := range reachFlags {
		s.keys[f.name] = f.key
	}
	return s
}

// load returns what is in force.
func (s *settings) load() (*config.Config, error) { return s.read(config.Load) }

// loadShared is load where the file may be an agent's: only how to reach the
// cluster is read of it.
func (s *settings) loadShared() (*config.Config, error) { return s.read(config.LoadShared) }

func (s *settings) read(from func(string, ...config.Flag) (*config.Config, error)) (*config.Config, error) {
	cfg, err := from(s.file, s.given()...)
	var problems config.Problems
	if errors.As(err, &problems) && slices.ContainsFunc(problems, byFlag) {
		return nil, cli.Usagef("%v", err)
	}
	if err == nil && cfg.Origin("bus.listen").Source == config.FromFlag && cfg.BusKind() != config.Embedded {
		return nil, cli.Usagef("--listen is for the embedded message queue, but the settings ask for %s (from: %s)", cfg.BusKind(), cfg.Origin(urlKey(cfg)))
	}
	return cfg, err
}

func byFlag(p config.Problem) bool { return p.Origin.Source == config.FromFlag }

// given are the flags that the command line has.
func (s *settings) given() []config.Flag {
	var flags []config.Flag
	for _, name := range slices.Sorted(maps.Keys(s.keys)) {
		if flag := s.cmd.Flags().Lookup(name); flag.Changed {
			flags = append(flags, config.Flag{Name: "--" + name, Key: s.keys[name], Value: flag.Value.String()})
		}
	}
	return flags
}

// busOptions returns how to reach the message queue, under a name for its
// operator.
func busOptions(cfg *config.Config, name string, log *slog.Logger) (bus.Options, error) {
	opts, err := cfg.BusOptions()
	opts.Name, opts.Logger = name, log
	if err == nil {
		err = fromAuthStore(cfg, &opts)
	}
	return opts, err
}

// fromAuthStore takes the user and the password from where OWT's programs do: a
// store beside their configuration goes before what the file says.
func fromAuthStore(cfg *config.Config, opts *bus.Options) error {
	dir := cfg.OWTDir()
	if dir == "" {
		return nil
	}
	user, password, err := owtscript.Credentials(context.Background(), dir)
	if err == nil && user != "" {
		opts.User, opts.Password = user, password
	}
	return err
}

// warn logs what is odd about a configuration.
func warn(cfg *config.Config, log *slog.Logger) {
	for _, warning := range cfg.Warnings() {
		log.Warn("questionable configuration", "warning", warning)
	}
}

// timeoutFlag adds --timeout to a command that asks and goes.
func timeoutFlag(cmd *cobra.Command) *time.Duration {
	return cmd.Flags().Duration("timeout", bus.DefaultTimeout*time.Millisecond, "how long to wait for an answer, connecting included")
}

// detached returns a context for what must still be done after ctx is done.
func detached(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
