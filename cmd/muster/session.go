package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/span"
)

// asking is a command that asks the manager of a cluster something.
type asking struct {
	*settings
	output  *cli.Format
	timeout *time.Duration
}

// askingFlags adds the flags of such a command.
func askingFlags(cmd *cobra.Command) *asking {
	a := &asking{settings: settingsOf(cmd), output: cli.OutputFlag(cmd), timeout: timeoutFlag(cmd)}
	a.reach(clusterURL)
	return a
}

// askingFor is askingFlags for a command that needs more time than others.
func askingFor(cmd *cobra.Command, timeout time.Duration) *asking {
	a := askingFlags(cmd)
	*a.timeout = timeout
	cmd.Flags().Lookup("timeout").DefValue = timeout.String()
	return a
}

// ask connects, runs f, and explains errors in plain words. All of it together
// takes no longer than --timeout.
func (a *asking) ask(ctx context.Context, f func(context.Context, *client.Client) error) error {
	return a.session(ctx, func(ctx, limited context.Context, c *client.Client) (err error) {
		limited, end := span.Begin(limited, span.Internal, "muster "+a.cmd.Name())
		defer func() { end(err) }()
		return f(bus.OnStale(limited, func(age time.Duration) { tellStale(a.cmd.ErrOrStderr(), age) }), c)
	})
}

// show asks for something and prints it, in the format of -o: text is for people.
func show[T any](a *asking, ask func(context.Context, *client.Client) (T, error), text func(*cli.Page, T)) error {
	return a.ask(a.cmd.Context(), func(ctx context.Context, c *client.Client) error {
		got, err := ask(ctx, c)
		if err != nil {
			return err
		}
		return printAs(*a.output, a.cmd.OutOrStdout(), got, text)
	})
}

// printAs prints what was asked for in a format.
func printAs[T any](f cli.Format, w io.Writer, got T, text func(*cli.Page, T)) error {
	if f == cli.JSON {
		return cli.PrintJSON(w, got)
	}
	return cli.PrintPage(w, func(p *cli.Page) { text(p, got) })
}

// attend is ask for a command that goes on: each of its calls takes no longer than
// --timeout.
func (a *asking) attend(ctx context.Context, f func(context.Context, *client.Client) error) error {
	return a.session(ctx, func(ctx, _ context.Context, c *client.Client) error { return f(ctx, c) })
}

// session connects, and calls f with a context that --timeout limits, too.
func (a *asking) session(ctx context.Context, f func(ctx, limited context.Context, c *client.Client) error) error {
	if *a.timeout <= 0 {
		return cli.Usagef("--timeout must be positive, not %v", *a.timeout)
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, *a.timeout)
	defer cancel()
	conn, err := open(limited, cfg, "muster "+a.cmd.Name(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	c := client.New(conn, client.Options{
		Cluster: cfg.Manager.Name, Timeout: *a.timeout, TryTimeout: tryTime, Operator: operatorOf(cfg),
	})
	return plain(f(ctx, limited, c), cfg, *a.timeout)
}

// operatorOf is operator, or the user of the queue: managers take no other name from
// that user.
func operatorOf(cfg *config.Config) muster.Operator {
	o := operator()
	if opts, err := cfg.BusOptions(); err == nil && opts.Credentials != "" {
		if who, err := natsauth.ReadCredentials(opts.Credentials); err == nil && who.Role != bus.RoleManager {
			o.Name = who.Name
		}
	}
	return o
}

// operator is who runs this command, as the audit has it.
func operator() muster.Operator {
	o := muster.Operator{Name: cmp.Or(os.Getenv("MUSTER_OPERATOR"), os.Getenv("SUDO_USER"))}
	if o.Name == "" {
		o.Name = fmt.Sprintf("uid %d", os.Getuid())
		if account, err := user.Current(); err == nil {
			o.Name = account.Username
		}
	}
	if host, err := os.Hostname(); err == nil {
		o.From = host
	}
	return o
}

// tellStale says beside an answer that it is an old one.
func tellStale(w io.Writer, age time.Duration) {
	_, _ = fmt.Fprintf(w, "muster: state of %v ago: the managers have no quorum\n", age.Round(100*time.Millisecond))
}

// tryTime is how long one try to reach the manager may take: when the leader
// dies, what it had received is asked of the next one after this time.
const tryTime = 500 * time.Millisecond

// open connects to the message queue of a cluster, under a name for its
// operator.
func open(ctx context.Context, cfg *config.Config, name string, log *slog.Logger) (bus.Conn, error) {
	opts, err := busOptions(cfg, name, log)
	if err != nil {
		return nil, err
	}
	recordTraces(cfg, name, log)
	if cfg.BusKind() == config.RabbitMQ {
		var cancel context.CancelFunc
		ctx, cancel = atLeast(ctx, refusalTime)
		defer cancel()
	}
	conn, err := connect.Open(ctx, opts)
	return conn, unreachable(err, cfg)
}

// refusalTime is how long RabbitMQ takes to refuse a password, and a little
// more.
const refusalTime = 4 * time.Second

// atLeast returns a context with no deadline before that time.
func atLeast(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); !ok || time.Until(end) >= limit {
		return ctx, func() {}
	}
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return longer, func() { stop(); cancel() }
}

// unreachable puts in plain words that nothing answers; an error that says
// more than that, such as a wrong password, stays as it is.
func unreachable(err error, cfg *config.Config) error {
	var failed *net.OpError
	var why error
	switch {
	case errors.Is(err, bus.ErrDenied):
		return fmt.Errorf("%w (%s)", err, loginFrom(cfg))
	case errors.Is(err, context.DeadlineExceeded):
		why = errors.New("no answer in time")
	case errors.As(err, &failed) && failed.Op == "dial":
		why = failed.Err
	default:
		return err
	}
	start := "start `muster up`"
	if cfg.BusKind() == config.RabbitMQ {
		start = "start RabbitMQ"
	}
	return silentQueue{fmt.Errorf("nothing answers at %s: %s there, or say with --url where the cluster is (%w; the address is from: %s)",
		cfg.BusURL(), start, why, originOf(cfg, urlKey(cfg)))}
}

// originsOf says where the address and the name of the cluster come from, unless they
// are the defaults.
func originsOf(cfg *config.Config) string {
	var from []string
	for what, key := range map[string]string{"address": urlKey(cfg), "cluster": "manager.name"} {
		if origin := cfg.Origin(key); origin.Source != config.FromDefault {
			from = append(from, "the "+what+" is from: "+originOf(cfg, key))
		}
	}
	if len(from) == 0 {
		return ""
	}
	slices.Sort(from)
	return " (" + strings.Join(from, "; ") + ")"
}

// originOf says where a setting comes from; of a file with the key.
func originOf(cfg *config.Config, key string) string {
	origin := cfg.Origin(key)
	if origin.Source == config.FromFile {
		return origin.String() + " " + key
	}
	return origin.String()
}

// urlKey is the key that says where the message queue is.
func urlKey(cfg *config.Config) string {
	switch {
	case cfg.Bus.URL != "" && cfg.BusURL() == cfg.Bus.URL:
		return "bus.url"
	case cfg.BusKind() == config.RabbitMQ:
		return "rabbit.host"
	}
	return "bus.listen"
}

// loginFrom says where the settings come from with which the queue was asked to
// let us in.
func loginFrom(cfg *config.Config) string {
	from := []string{urlKey(cfg) + " from " + cfg.Origin(urlKey(cfg)).String()}
	for _, key := range []string{
		"bus.user", "bus.password", "bus.token", "bus.creds", "bus.nkey", "bus.credentials", "rabbit.username", "rabbit.login", "rabbit.password",
	} {
		if origin := cfg.Origin(key); origin.Source != config.FromDefault {
			from = append(from, key+" from "+origin.String())
		}
	}
	return strings.Join(from, ", ")
}

// plain puts what a manager, or the lack of one, answered in plain words. A
// refusal is the manager's own, word for word.
func plain(err error, cfg *config.Config, waited time.Duration) error {
	var refused *bus.RemoteError
	switch {
	case err == nil, errors.As(err, new(*cli.Refusal)), errors.As(err, new(*cli.UsageError)):
		return err
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, bus.ErrNoServer):
		return fmt.Errorf("no manager serves the cluster %q at %s: start `muster manager`, or say with --cluster which one is meant%s",
			cfg.Manager.Name, cfg.BusURL(), originsOf(cfg))
	case errors.Is(err, bus.ErrBlocked):
		return fmt.Errorf("the broker at %s is blocked (memory or disk alarm): it takes no messages; free memory or disk there (rabbitmqctl status shows the alarm)", cfg.BusURL())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the manager of %q at %s does not answer within %v: look at its log, or wait longer with --timeout%s",
			cfg.Manager.Name, cfg.BusURL(), waited, originsOf(cfg))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	}
	return err
}
