package httpapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/connlimit"
	"github.com/muster-fleet/muster/internal/httpapi/web"
	"github.com/muster-fleet/muster/internal/pause"
)

// The bounds of a connection. A stream of events extends its own.
const (
	headerTime  = 5 * time.Second
	readTime    = 10 * time.Second
	writeTime   = 30 * time.Second
	idleTime    = 2 * time.Minute
	endTime     = time.Second
	headerBytes = 16 << 10
	maxConns    = 1024
	queueTime   = 5 * time.Second // for what is published and subscribed
)

// Server is a running server. Close stops it.
type Server struct {
	opts     Options
	hub      *hub
	peers    *peers
	history  *history
	buckets  *buckets
	measures *measures
	api      *api
	handler  http.Handler

	conns  *connlimit.Set
	local  atomic.Bool // listens on the loopback
	url    atomic.Pointer[string]
	http   *http.Server
	subs   []bus.Subscription
	ending chan struct{}
	served chan error
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// New returns a server that does not listen yet. Its Handler works without Start,
// except that nothing happens in its streams.
func New(opts Options) (*Server, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	s := &Server{opts: opts.withDefaults(), hub: newHub(), peers: newPeers(), history: newHistory(), ending: make(chan struct{}),
		conns: connlimit.New(maxConns)}
	s.buckets = newBuckets(s.opts.Rate, s.opts.Burst)
	s.measures = newMeasures(s.hub)
	s.handler = s.routes()
	return s, nil
}

// routes puts the guard in front of everything. /healthz and the page's own files are
// open without a token: the page must load before it can ask for one.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.api = newAPI(mux, s)
	if s.opts.Metrics != nil {
		mux.Handle("GET /metrics", s.needs(s.opts.Metrics, Viewer))
	}
	mux.Handle("GET /debug/pprof/", s.needs(s.profiles(), Admin))
	mux.Handle("/v1/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "no such operation: GET /v1/openapi.json lists all")
	}))
	guarded := s.authenticate(s.limit(traced(s.measured(mux))))
	open := http.NewServeMux()
	open.Handle("/v1/", guarded)
	open.Handle("/metrics", guarded)
	open.Handle("/debug/", guarded)
	open.HandleFunc("/healthz", s.healthz)
	open.HandleFunc("/readyz", s.readyz)
	open.Handle("/", s.page(web.Files))
	return s.checkHost(secure(s.checkOrigin(open)))
}

// Handler is the server without its listener.
func (s *Server) Handler() http.Handler { return s.handler }

// OpenAPI returns the description of the API as JSON.
func (s *Server) OpenAPI() ([]byte, error) { return json.MarshalIndent(s.api.OpenAPI(), "", "  ") }

// Describe returns the description of the API of a server of this version as JSON.
func Describe(version string) ([]byte, error) {
	s := &Server{opts: Options{Version: version}.withDefaults(), hub: newHub(), peers: newPeers(), history: newHistory()}
	s.measures = newMeasures(s.hub)
	s.api = newAPI(http.NewServeMux(), s)
	return s.OpenAPI()
}

func (s *Server) version() string {
	if s.opts.Version == "" {
		return "unknown"
	}
	return s.opts.Version
}

// ErrOpen is wrapped by the error of Start for an address that other machines reach
// while no token is required.
var ErrOpen = errors.New("refusing to listen for other machines without tokens")

// Listening says where to listen.
type Listening struct {
	// Addr is host:port.
	Addr string
	// AnyPort takes another free port where this one is taken.
	AnyPort bool
	// Insecure listens for other machines also without tokens.
	Insecure bool
	// TLS holds the server's certificate. A client certificate that is shown and
	// verified stands for a token. Nil means no TLS.
	TLS *tls.Config
}

// listen opens the listener, unless every client could then do everything.
func (s *Server) listen(l Listening) (net.Listener, error) {
	if !isLoopback(l.Addr) && s.opts.Auth == nil && !l.Insecure {
		return nil, fmt.Errorf("http: %w at %s: run `muster auth init --file tokens` and set http.tokens (--http-tokens tokens), or listen at 127.0.0.1", ErrOpen, l.Addr)
	}
	listener, err := net.Listen("tcp", l.Addr)
	if err != nil && l.AnyPort && errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(l.Addr)
		listener, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("http: %w: choose another http.addr (--http)", err)
	}
	return listener, nil
}

// Start listens, and follows the cluster's events. It returns when requests are
// served.
func (s *Server) Start(ctx context.Context, l Listening) error {
	listener, err := s.listen(l)
	if err != nil {
		return err
	}
	s.local.Store(isLoopback(listener.Addr().String()))
	url := "http://" + reachable(listener.Addr().String())
	if l.TLS != nil {
		url = "https" + strings.TrimPrefix(url, "http")
	}
	s.url.Store(&url)
	if err := s.subscribe(ctx); err != nil {
		return errors.Join(err, listener.Close(), s.unsubscribe())
	}
	running, stop := context.WithCancel(context.Background())
	s.stop, s.served = stop, make(chan error, 1)
	s.http = &http.Server{
		Handler: s.handler, ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, ConnState: s.conns.Follow, TLSConfig: l.TLS,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	s.work.Go(func() { s.announce(running) })
	s.work.Go(func() { s.sample(running) })
	go func() {
		if l.TLS != nil {
			s.served <- s.http.ServeTLS(listener, "", "")
			return
		}
		s.served <- s.http.Serve(listener)
	}()
	s.opts.Logger.Info("serving page and API", "url", url)
	return nil
}

type connKey struct{}

// keepOpen takes the connection of a stream out of those that make room for others: it
// is of use, although it asks for nothing more.
func (s *Server) keepOpen(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(net.Conn); ok {
		s.conns.Remove(c)
	}
}

// reachable is an address as a browser on this machine can use it.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return net.JoinHostPort(host, port)
}

// URL is where the server is reached, "" before Start.
func (s *Server) URL() string {
	if url := s.url.Load(); url != nil {
		return *url
	}
	return ""
}

// subscribe follows the events of the cluster and its other servers.
func (s *Server) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queueTime)
	defer cancel()
	for key, listener := range map[string]bus.Listener{bus.KeyFeed: s.hearFeed, bus.KeyHTTP: s.hearPeer} {
		sub, err := s.opts.Queue.Subscribe(ctx, bus.TopicEvents, key, listener)
		if err != nil {
			return fmt.Errorf("http: follow the cluster's events: %w", err)
		}
		s.subs = append(s.subs, sub)
	}
	return nil
}

func (s *Server) unsubscribe() error {
	var errs []error
	for _, sub := range s.subs {
		errs = append(errs, sub.Close())
	}
	return errors.Join(errs...)
}

func (s *Server) hearFeed(_ string, body json.RawMessage) {
	var b muster.FeedBatch
	if err := json.Unmarshal(body, &b); err != nil || b.Cluster != s.opts.Name {
		return
	}
	s.hub.add(b)
}

func (s *Server) hearPeer(_ string, body json.RawMessage) {
	var p Peer
	if err := json.Unmarshal(body, &p); err != nil || p.Cluster != s.opts.Name {
		return
	}
	s.peers.hear(p, time.Now())
	if p.Ask && p.URL != s.URL() {
		s.work.Go(func() { s.publish(Peer{}) })
	}
}

// publish announces this server.
func (s *Server) publish(p Peer) {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	p.Cluster, p.URL, p.Manager = s.opts.Name, s.URL(), s.opts.Manager
	if err := s.opts.Queue.Publish(ctx, bus.TopicEvents, bus.KeyHTTP, p); err != nil {
		s.opts.Logger.Debug("not announced to the other HTTP servers", "err", err)
	}
}

// announce publishes the address of this server until ctx ends.
func (s *Server) announce(ctx context.Context) {
	for first := true; ; first = false {
		s.peers.hear(Peer{URL: s.URL(), Manager: s.opts.Manager}, time.Now())
		s.publish(Peer{Ask: first})
		if !pause.For(ctx, announceEvery) {
			return
		}
	}
}

// sample keeps the last hour until ctx ends.
func (s *Server) sample(ctx context.Context) {
	for {
		at := time.Now()
		within, cancel := context.WithTimeout(ctx, s.opts.CallTime)
		if err := s.history.sample(within, s.opts.Cluster, muster.InstantOf(at), s.hub.takePlaced()); err != nil && ctx.Err() == nil {
			s.measures.missed.Inc()
		}
		cancel()
		if !pause.For(ctx, sampleEvery) {
			return
		}
	}
}

// Close ends the server, its streams and its goroutines.
func (s *Server) Close() error {
	if s.http == nil {
		return nil
	}
	s.publish(Peer{Bye: true})
	s.stop()
	close(s.ending)
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	err = errors.Join(err, s.unsubscribe())
	s.work.Wait()
	return err
}

// page serves the page's files. Its policy lets it talk to this server and the others of
// the cluster only.
func (s *Server) page(files fs.FS) http.Handler {
	static := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connect := "'self'"
		for _, peer := range s.peers.list(time.Now()) {
			connect += " " + peer.URL
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; connect-src "+connect+"; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'")
		h.Set("Cache-Control", "no-cache")
		static.ServeHTTP(w, r)
	})
}
