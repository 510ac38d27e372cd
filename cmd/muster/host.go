package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cascading"
	"github.com/muster-fleet/muster/internal/host"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/tracing"
)

// managerProcess is a manager, and the message queue under it where the
// configuration names no other.
type managerProcess struct {
	cfg     *config.Config
	log     *slog.Logger
	server  *natsserver.Server // nil where the message queue is elsewhere
	conn    bus.Conn
	cloud   *cascading.Cloud // nil where none is configured
	running *host.Host       // nil where there is only the queue
	metrics *metricsServer   // nil unless configured
	http    *httpServer      // nil unless configured
	// inForce is cfg, for the goroutines of http.
	inForce atomic.Pointer[config.Config]
	// users are those of the queue under it, and records are entries of the audit on
	// their way.
	users   []natsauth.User
	records sync.WaitGroup
	// anyPort lets http take another port where its own is taken.
	anyPort bool
	// restored takes the data directory as it is: see raft.Options.
	restored bool
}

// start starts what the configuration asks for, or ends what it had started.
func (h *managerProcess) start(ctx context.Context) error {
	err := h.connect(ctx)
	if err == nil && h.cfg.Cascading.Offered() {
		h.cloud, err = h.openCloud()
	}
	var opts host.Options
	if err == nil {
		opts, err = h.options()
	}
	if err == nil {
		h.running, err = host.Start(ctx, opts)
	}
	if err == nil && h.cfg.Metrics.Addr != "" {
		h.metrics, err = serveMetrics(h.cfg.Metrics.Addr, h.running.Manager().Collector(), h.log)
	}
	if err == nil && h.cfg.HTTP.Addr != "" {
		h.http, err = h.serveHTTP(ctx)
	}
	if err != nil {
		return errors.Join(err, h.close())
	}
	return nil
}

// startQueue starts only the message queue, around which others run managers.
func (h *managerProcess) startQueue(ctx context.Context) error {
	if err := h.connect(ctx); err != nil {
		return errors.Join(err, h.close())
	}
	return nil
}

// connect opens the message queue, and starts it first where it is embedded.
func (h *managerProcess) connect(ctx context.Context) error {
	opts, err := busOptions(h.cfg, "muster manager", h.log)
	if err != nil {
		return err
	}
	recordTraces(h.cfg, "muster manager", h.log)
	if h.cfg.BusKind() != config.Embedded {
		h.conn, err = patiently(ctx, h.log, func(ctx context.Context) (bus.Conn, error) {
			conn, err := connect.Open(ctx, opts)
			return conn, unreachable(err, h.cfg)
		})
		return err
	}
	if path := h.cfg.UsersFile(); path != "" {
		if h.users, err = natsauth.ReadUsers(path); err != nil {
			return err
		}
		h.users = append([]natsauth.User{}, h.users...) // an empty file lets no user in; nil would let all in
	}
	if h.server, err = startServer(h.cfg, h.users, h.log); err != nil {
		return err
	}
	conn, err := natsbus.DialInProcess(ctx, h.server, opts)
	if err == nil {
		h.conn = conn
	}
	return err
}

func startServer(cfg *config.Config, users []natsauth.User, log *slog.Logger) (*natsserver.Server, error) {
	tls, err := cfg.ServerTLS()
	if err != nil {
		return nil, err
	}
	cluster, err := busCluster(cfg)
	if err != nil {
		return nil, err
	}
	server, err := natsserver.Start(natsserver.Options{
		Users: users, Fleet: cfg.Manager.Name,
		Listen: cfg.Bus.Listen, TLS: tls, Logger: log, Cluster: cluster,
		User: cfg.Bus.User, Password: cfg.Bus.Password.Reveal(), Token: cfg.Bus.Token.Reveal(),
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken, perhaps by another muster: end that one, or choose another address with --listen", cfg.Bus.Listen)
	}
	return server, err
}

// busCluster is how the embedded server finds those of the other managers; nil
// where it is alone.
func busCluster(cfg *config.Config) (*natsserver.Cluster, error) {
	b := cfg.Bus.Cluster
	if b.Listen == "" {
		return nil, nil
	}
	tls, err := cfg.RoutesTLS()
	if err != nil {
		return nil, err
	}
	c := &natsserver.Cluster{Name: b.Name, Listen: b.Listen, TLS: tls}
	if b.Password != "" {
		c.User, c.Password = "muster", b.Password.Reveal()
	}
	for _, addr := range b.RouteList() {
		c.Routes = append(c.Routes, "nats://"+addr)
	}
	return c, nil
}

// options are those of the manager.
func (h *managerProcess) options() (host.Options, error) {
	opts := host.Options{
		Conn: h.conn, OwnQueue: h.server != nil, OWTQueue: h.cfg.BusKind() == config.RabbitMQ,
		OWT: h.cfg.Manager.Replica == "owt",
		Manager: manager.Options{
			Cluster: h.cfg.Manager.Name, ClusterID: h.cfg.Cascading.ClusterID, Version: version,
			Settings: managerSettings(h.cfg), Logger: h.log, Tracer: tracing.Tracer(),
		},
	}
	if h.cloud != nil {
		opts.Manager.Cloud = h.cloud
	}
	if opts.OWT || h.cfg.Raft.Addr == "" {
		return opts, nil
	}
	raft, err := raftOptions(h.cfg)
	raft.Restored = h.restored
	opts.Raft = &raft
	return opts, err
}

func managerSettings(cfg *config.Config) manager.Settings {
	s := manager.Settings{
		InitialTime:        cfg.Manager.InitialTime,
		CheckAliveInterval: cfg.Manager.CheckAliveInterval,
		CheckAliveCount:    cfg.Manager.CheckAliveCount,
		MaxSilentShare:     cfg.Manager.MaxSilentShare,
		RecheckShare:       cfg.Manager.RecheckShare,
		StaleAfter:         cfg.Manager.StaleAfter,
		Placement:          cfg.Placement(),
	}
	if cfg.Manager.Replica == "owt" {
		s.StaleAfter = 0 // OWT's managers do not say who leads
	}
	return s
}

// url is where programs on this machine reach the message queue.
func (h *managerProcess) url() string {
	if h.server != nil {
		return h.server.URL()
	}
	return h.cfg.BusURL().String()
}

// reload puts in force what can change while the manager runs, and says what
// changed and what needs a restart. A configuration that is wrong changes
// nothing.
func (h *managerProcess) reload(ctx context.Context, load func() (*config.Config, error)) {
	h.http.reloadTokens(h.log)
	h.reloadUsers()
	next, err := load()
	if err != nil {
		h.log.Error("configuration not reloaded: everything stays as it was", "err", err)
		return
	}
	warn(next, h.log)
	applied, restart := config.Reload(h.cfg, next)
	changes := config.Diff(h.cfg, applied)
	if err := h.running.Manager().Reconfigure(ctx, managerSettings(applied)); err != nil {
		h.log.Error("configuration not reloaded: everything stays as it was", "err", err)
		return
	}
	for _, c := range changes {
		h.log.Info("setting changed", "key", c.Key, "from", c.From, "to", c.To)
	}
	for _, key := range restart {
		h.log.Warn("setting requires a restart", "key", key)
	}
	h.log.Info("configuration reloaded", "changed", len(changes), "need_restart", len(restart))
	h.cfg = applied
	h.inForce.Store(applied)
}

// reloadUsers reads the file of the queue's users again, and puts who is no longer let
// in and who is new into the audit.
func (h *managerProcess) reloadUsers() {
	path := h.cfg.UsersFile()
	if path == "" || h.server == nil {
		return
	}
	users, err := natsauth.ReadUsers(path)
	if err == nil {
		err = h.server.SetUsers(append([]natsauth.User{}, users...))
	}
	if err != nil {
		h.log.Error("users of the queue not reloaded: they stay as they were", "err", err)
		return
	}
	h.log.Info("users of the queue reloaded", "users", len(users))
	before, after := lacking(h.users, users), lacking(users, h.users)
	h.users = users
	if before != after {
		asker := client.New(h.conn, client.Options{Cluster: h.cfg.Manager.Name, TryTimeout: tryTime})
		record(&h.records, asker, client.Record{By: operator(), Action: "reload-users", Target: h.url(), Before: before, After: after}, h.log)
	}
}

// lacking lists the users of one file that another lacks, or has with another key.
func lacking(from, in []natsauth.User) string {
	var names []string
	for _, u := range from {
		if !slices.Contains(in, u) {
			names = append(names, fmt.Sprintf("%s (%s)", u.Name, u.Role))
		}
	}
	return strings.Join(names, ", ")
}

// close ends the manager, its connection and the embedded message queue.
func (h *managerProcess) close() error {
	var errs []error
	if h.http != nil {
		errs = append(errs, h.http.close())
	}
	if h.metrics != nil {
		errs = append(errs, h.metrics.close())
	}
	if h.running != nil {
		errs = append(errs, h.running.Close())
	}
	if h.cloud != nil {
		h.closeCloud(h.running != nil && h.running.Last())
	}
	if h.conn != nil {
		errs = append(errs, h.conn.Close())
	}
	h.records.Wait() // no longer than the connection was there
	if h.server != nil {
		errs = append(errs, h.server.Close())
	}
	return errors.Join(errs...)
}
