package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muster-fleet/muster/internal/connlimit"
)

// headerTime is how long a client may take to say what it wants, and endTime
// how long the server waits at its end for those that it answers.
const (
	headerTime = 5 * time.Second
	endTime    = time.Second
	// answerTime is how long an answer may take to leave, idleTime how long a
	// connection is kept for the next request.
	answerTime = 30 * time.Second
	idleTime   = 2 * time.Minute
	// maxScrapers is how many connections there are at most.
	maxScrapers = 64
)

// metricsServer shows what a manager measures over HTTP, at /metrics.
type metricsServer struct {
	server *http.Server
	addr   net.Addr
	ended  chan error
}

// serveMetrics listens at the address until close.
func serveMetrics(addr string, measured prometheus.Collector, log *slog.Logger) (*metricsServer, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w: choose another metrics.addr (--metrics)", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metricsHandler(newRegistry(measured), log))
	s := &metricsServer{
		server: &http.Server{
			Handler: mux, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
			ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
			MaxHeaderBytes: 16 << 10, ConnState: connlimit.New(maxScrapers).Follow,
		},
		addr: listener.Addr(), ended: make(chan error, 1),
	}
	go func() { s.ended <- s.server.Serve(listener) }()
	log.Info("serving metrics", "url", "http://"+s.addr.String()+"/metrics")
	return s, nil
}

// newRegistry has what is measured, and what the process says of itself.
func newRegistry(measured prometheus.Collector) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(measured, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

func metricsHandler(registry *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError, // one metric that is wrong must not hide the others
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	})
}

// close ends it, and returns when its goroutine is gone.
func (s *metricsServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// nextPort is the address with its port that much higher; one that is empty, or
// leaves the port to the system, stays.
func nextPort(addr string, by int) string {
	host, port, err := net.SplitHostPort(addr)
	if n, bad := strconv.Atoi(port); err == nil && bad == nil && n > 0 {
		return net.JoinHostPort(host, strconv.Itoa(n+by))
	}
	return addr
}
