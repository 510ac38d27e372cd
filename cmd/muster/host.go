package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cascading"
	"github.com/muster-fleet/muster/internal/manager"
)

// handOverTime is how long a manager that ends tries to hand over the lead.
const handOverTime = time.Second

// host is a manager and the message queue under it, which is in this process
// where the configuration names no other.
type host struct {
	cfg    *config.Config
	log    *slog.Logger
	server *natsserver.Server // nil where the message queue is elsewhere
	conn   bus.Conn
	// neighbours is nil where no manager of OWT can be.
	neighbours  *neighbours
	cloud       *cascading.Cloud // nil where none is configured
	cohort      *cohort          // nil where the manager is alone
	manager     *manager.Manager
	leaderWatch *leaderWatch   // nil where no other manager could lead
	metrics     *metricsServer // nil unless configured
	http        *httpServer    // nil unless configured
	// inForce is cfg, for the goroutines of http.
	inForce atomic.Pointer[config.Config]
	// anyPort lets http take another port where its own is taken.
	anyPort bool
	// restored takes the data directory as it is: see raft.Options.
	restored bool
}

// start starts what the configuration asks for, or ends what it had started.
func (h *host) start(ctx context.Context) error {
	err := h.connect(ctx)
	if err == nil {
		err = h.meetNeighbours(ctx)
	}
	if err == nil {
		h.cohort, err = h.startReplica(ctx)
	}
	if err == nil && h.cfg.Cascading.Offered() {
		h.cloud, err = h.openCloud()
	}
	if err == nil {
		h.manager, err = manager.Start(ctx, h.conn, h.managerOptions())
	}
	if err == nil {
		h.leaderWatch, err = h.startLeaderWatch(ctx)
	}
	if err == nil && h.cfg.Metrics.Addr != "" {
		h.metrics, err = serveMetrics(h.cfg.Metrics.Addr, h.manager.Collector(), h.log)
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
func (h *host) startQueue(ctx context.Context) error {
	if err := h.connect(ctx); err != nil {
		return errors.Join(err, h.close())
	}
	return nil
}

// connect opens the message queue, and starts it first where it is embedded.
func (h *host) connect(ctx context.Context) error {
	opts, err := busOptions(h.cfg, "muster manager", h.log)
	if err != nil {
		return err
	}
	if h.cfg.BusKind() != config.Embedded {
		h.conn, err = connect.Open(ctx, opts)
		return unreachable(err, h.cfg)
	}
	if h.server, err = startServer(h.cfg, h.log); err != nil {
		return err
	}
	conn, err := natsbus.DialInProcess(ctx, h.server, opts)
	if err == nil {
		h.conn = conn
	}
	return err
}

func startServer(cfg *config.Config, log *slog.Logger) (*natsserver.Server, error) {
	tls, err := cfg.ServerTLS()
	if err != nil {
		return nil, err
	}
	cluster, err := busCluster(cfg)
	if err != nil {
		return nil, err
	}
	server, err := natsserver.Start(natsserver.Options{
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

func (h *host) managerOptions() manager.Options {
	opts := manager.Options{
		Cluster: h.cfg.Manager.Name, ClusterID: h.cfg.Cascading.ClusterID, Version: version,
		Settings: managerSettings(h.cfg), Logger: h.log,
	}
	if h.cloud != nil {
		opts.Cloud = h.cloud
	}
	if h.cohort != nil {
		opts.Replica, opts.Members, opts.Membership = h.cohort, h.cohort.members, h.cohort.membership
	}
	return opts
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
func (h *host) url() string {
	if h.server != nil {
		return h.server.URL()
	}
	return h.cfg.BusURL().String()
}

// reload puts in force what can change while the manager runs, and says what
// changed and what needs a restart. A configuration that is wrong changes
// nothing.
func (h *host) reload(ctx context.Context, load func() (*config.Config, error)) {
	h.http.reloadTokens(h.log)
	next, err := load()
	if err != nil {
		h.log.Error("configuration not reloaded: everything stays as it was", "err", err)
		return
	}
	warn(next, h.log)
	applied, restart := config.Reload(h.cfg, next)
	changes := config.Diff(h.cfg, applied)
	if err := h.manager.Reconfigure(ctx, managerSettings(applied)); err != nil {
		h.log.Error("configuration not reloaded: everything stays as it was", "err", err)
		return
	}
	for _, c := range changes {
		h.log.Info("setting changed", "key", c.Key, "from", c.From, "to", c.To)
	}
	for _, key := range restart {
		h.log.Warn("setting changes with a restart only", "key", key)
	}
	h.log.Info("configuration reloaded", "changed", len(changes), "need_restart", len(restart))
	h.cfg = applied
	h.inForce.Store(applied)
}

// ended is closed when this manager cannot go on by itself.
func (h *host) ended() <-chan struct{} {
	if h.cohort == nil {
		return nil
	}
	return h.cohort.ended
}

// close ends the manager, its connection and the embedded message queue. One
// that leads others hands over first, so that nobody has to wait for an
// election.
func (h *host) close() error {
	var errs []error
	last := h.cohort == nil // no other manager leads the cluster then
	if h.http != nil {
		errs = append(errs, h.http.close())
	}
	if h.metrics != nil {
		errs = append(errs, h.metrics.close())
	}
	if h.leaderWatch != nil {
		errs = append(errs, h.leaderWatch.close())
	}
	if h.cohort != nil && h.manager != nil {
		ctx, cancel := context.WithTimeout(context.Background(), handOverTime)
		if err := h.cohort.handOver(ctx); err != nil {
			h.log.Warn("the lead was not handed over", "err", err)
			last = h.cohort.leads != nil && h.cohort.leads(ctx)
		}
		cancel()
	}
	if h.manager != nil {
		errs = append(errs, h.manager.Close())
	}
	if h.cloud != nil {
		h.closeCloud(last && h.manager != nil)
	}
	if h.cohort != nil {
		errs = append(errs, h.cohort.close())
	}
	if h.neighbours != nil {
		errs = append(errs, h.neighbours.close())
	}
	if h.conn != nil {
		errs = append(errs, h.conn.Close())
	}
	if h.server != nil {
		errs = append(errs, h.server.Close())
	}
	return errors.Join(errs...)
}
