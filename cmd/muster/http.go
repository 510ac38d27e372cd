package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/httpapi"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// httpServer is the page and the API, on a connection of their own, so that a slow
// browser holds nothing up that the manager does.
type httpServer struct {
	*httpapi.Server
	conn   bus.Conn
	asker  *client.Client
	auth   *httpapi.Auth // nil without tokens
	reload sync.WaitGroup
}

// startHTTP serves them. The connection is closed with the server. beside is the manager
// of this process, which /metrics and /readyz speak of; nil means that there is none.
func startHTTP(ctx context.Context, cfg *config.Config, conn bus.Conn, anyPort bool, settings func() []httpapi.Setting, beside *manager.Manager, log *slog.Logger) (*httpServer, error) {
	h := &httpServer{conn: conn}
	var registry *prometheus.Registry
	var metrics http.Handler
	var ready func(context.Context) error
	asked := conn
	if beside != nil {
		registry = newRegistry(beside.Collector())
		metrics = metricsHandler(registry, log)
		ready = beside.Ready
		asked = ownCopy{conn, beside, cfg.Manager.Name}
	}
	h.asker = client.New(asked, client.Options{Cluster: cfg.Manager.Name, TryTimeout: tryTime})
	secure, err := cfg.HTTPTLS()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if path := cfg.TokensFile(); path != "" {
		if h.auth, err = httpapi.OpenAuth(path); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	h.Server, err = httpapi.New(httpapi.Options{
		Cluster: h.asker,
		Queue:   conn, Name: cfg.Manager.Name, Manager: cfg.Raft.Addr, Version: version,
		Settings: settings, Metrics: metrics, Ready: ready, RoomKey: func() (roomtoken.Key, error) { return roomKey(cfg) }, Auth: h.auth, Logger: log.With("component", "http"),
	})
	if err == nil {
		if registry != nil {
			registry.MustRegister(h.Server)
		}
		err = h.Start(ctx, httpapi.Listening{Addr: cfg.HTTP.Addr, AnyPort: anyPort, Insecure: cfg.HTTP.Insecure, TLS: secure})
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return h, nil
}

func (h *httpServer) close() error {
	err := errors.Join(h.Close(), h.conn.Close())
	h.reload.Wait()
	return err
}

// recordTime bounds how long the managers are asked to put a reload into the audit.
const recordTime = 10 * time.Second

// reloadTokens reads the file of tokens again, and puts who was let in before and who
// is now into the audit.
func (h *httpServer) reloadTokens(log *slog.Logger) {
	if h == nil || h.auth == nil {
		return
	}
	before := h.auth.Names()
	if err := h.auth.Reload(); err != nil {
		log.Error("tokens not reloaded: they stay as they were", "err", err)
		return
	}
	log.Info("tokens reloaded")
	record(&h.reload, h.asker, client.Record{By: operator(), Action: "reload-tokens", Target: h.URL(), Before: before, After: h.auth.Names()}, log)
}

// record puts an entry into the audit, without waiting for the managers.
func record(group *sync.WaitGroup, asker *client.Client, entry client.Record, log *slog.Logger) {
	group.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), recordTime)
		defer cancel()
		if err := asker.Record(ctx, entry); err != nil {
			log.Warn("not in the audit", "action", entry.Action, "err", err)
		}
	})
}

// serveHTTP serves them beside this manager.
func (h *managerProcess) serveHTTP(ctx context.Context) (*httpServer, error) {
	conn, err := h.dial(ctx, "muster http")
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	h.inForce.Store(h.cfg)
	settings := func() []httpapi.Setting { return settingsInForce(h.inForce.Load()) }
	return startHTTP(ctx, h.cfg, conn, h.anyPort, settings, h.running.Manager(), h.log)
}

// dial opens another connection to the message queue.
func (h *managerProcess) dial(ctx context.Context, name string) (bus.Conn, error) {
	opts, err := busOptions(h.cfg, name, h.log)
	if err != nil {
		return nil, err
	}
	if h.server != nil {
		return natsbus.DialInProcess(ctx, h.server, opts)
	}
	return connect.Open(ctx, opts)
}

func settingsInForce(cfg *config.Config) []httpapi.Setting {
	var out []httpapi.Setting
	for _, s := range cfg.Settings() {
		out = append(out, httpapi.Setting(s))
	}
	return out
}

// anyPortName is a flag for the managers of `muster up`: another program may take the
// port of a page between the look for it and their start.
const anyPortName = "http-any-port"

func anyPortFlag(cmd *cobra.Command) *bool {
	any := cmd.Flags().Bool(anyPortName, false, "let the page take another port where its own is taken")
	_ = cmd.Flags().MarkHidden(anyPortName) // it is there
	return any
}

// announcedPages hears at which addresses the managers really serve their pages.
type announcedPages struct {
	mu  sync.Mutex
	url map[string]string // by the manager's address
}

func (a *announcedPages) listen(ctx context.Context, conn bus.Conn, cluster string) (bus.Subscription, error) {
	return conn.Subscribe(ctx, bus.TopicEvents, bus.KeyHTTP, func(_ string, body json.RawMessage) {
		var p httpapi.Peer
		if json.Unmarshal(body, &p) != nil || p.Cluster != cluster {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.url == nil {
			a.url = map[string]string{}
		}
		a.url[p.Manager] = p.URL
	})
}

// of returns where the page of a manager is, or where it was meant to be.
func (a *announcedPages) of(manager, meant string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if url := a.url[manager]; url != "" {
		return url
	}
	return "http://" + meant
}
