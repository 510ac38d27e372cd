// Package natsserver is a NATS server inside a program. It is a package of its
// own so that programs which only connect to a queue do not link the server.
package natsserver

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
)

const (
	// DefaultListen is where a Server listens by default: only this machine can
	// reach it.
	DefaultListen = "127.0.0.1:4222"
	// MaxPayload is the largest body in bytes that a Server takes.
	MaxPayload = 8 << 20
	// startTimeout is how long a server may take to listen.
	startTimeout = 10 * time.Second
)

// Options say how a NATS server runs inside this program.
type Options struct {
	// Listen is host:port; empty means DefaultListen, port 0 a free one.
	Listen string
	// User and Password are required of every client; an empty User means no
	// authentication. A server that other machines can reach should have them.
	User, Password string
	// Token is asked of every client instead of them.
	Token string
	// Users are the only ones whom the server lets in, each with the subjects of its
	// role, instead of User and Token. Nil allows every client everything.
	Users []natsauth.User
	// Fleet is the name of the cluster of workers, which only managers may serve.
	Fleet string
	// TLS is required of every client where it is set. It holds the server's
	// certificate; with ClientAuth and ClientCAs, clients must show theirs.
	TLS *tls.Config
	// Name is shown to operators; it may be empty. In a cluster each server
	// needs a different one, or none.
	Name string
	// Cluster joins several servers into one queue. Nil means none.
	Cluster *Cluster
	// Logger hears what the server has to say. Nil means none.
	Logger *slog.Logger
}

// Cluster says how the servers of one queue find each other.
type Cluster struct {
	// Name must be the same on all of them.
	Name string
	// Listen is host:port for the other servers.
	Listen string
	// Routes are nats://host:port of the others' Listen; the first one reached
	// announces the rest.
	Routes []string
	// User and Password authenticate the servers to each other, where a route
	// does not name others. An empty User means no authentication.
	User, Password string
	// TLS is for the routes: each server shows its certificate and checks that
	// of the other, as server and as client. Nil means none.
	TLS *tls.Config
}

// Server is a NATS server inside this program.
type Server struct {
	nats *server.Server
	opts Options
	addr net.Addr // nats-server forgets it when it ends
	// own lets this program in where there are Users.
	own *natsauth.Credentials
}

// Start runs a server and returns when clients can connect. Where the address
// is taken the error wraps syscall.EADDRINUSE.
func Start(o Options) (*Server, error) {
	o.Listen = cmp.Or(o.Listen, DefaultListen)
	own, err := o.ownUser()
	if err != nil {
		return nil, err
	}
	so, err := o.natsOptions(own)
	if err != nil {
		return nil, err
	}
	if err := probe(o.Listen); err != nil {
		return nil, err
	}
	s, err := server.NewServer(so)
	if err != nil {
		return nil, fmt.Errorf("natsserver: NATS server: %w", err)
	}
	log := newServerLog(o.Logger)
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	if err := awaitReady(s, log); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	return &Server{nats: s, opts: o, addr: s.Addr(), own: own}, nil
}

func (o Options) natsOptions(own *natsauth.Credentials) (*server.Options, error) {
	host, port, err := splitListen(o.Listen)
	if err != nil {
		return nil, err
	}
	so := &server.Options{
		ServerName: o.Name, Host: host, Port: port,
		Username: o.User, Password: o.Password, Authorization: o.Token,
		MaxPayload: MaxPayload,
		NoSigs:     true, NoLog: o.Logger == nil,
	}
	if o.Users != nil {
		if so.Nkeys, err = o.nkeys(own); err != nil {
			return nil, err
		}
	}
	if o.TLS != nil {
		so.TLS, so.TLSConfig = true, o.TLS.Clone()
		so.TLSVerify = o.TLS.ClientAuth == tls.RequireAndVerifyClientCert
		so.TLSTimeout = 5
	}
	if o.Cluster != nil {
		return so, o.Cluster.apply(so)
	}
	return so, nil
}

func (c *Cluster) apply(so *server.Options) error {
	host, port, err := splitListen(c.Listen)
	if err != nil {
		return err
	}
	so.Cluster = server.ClusterOpts{Name: c.Name, Host: host, Port: port, Username: c.User, Password: c.Password}
	if c.TLS != nil {
		so.Cluster.TLSConfig, so.Cluster.TLSTimeout = c.TLS.Clone(), 5
	}
	for i, raw := range c.Routes {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "nats" || u.Port() == "" {
			return fmt.Errorf("natsserver: route number %d must be nats://host:port, with user and password percent-encoded", i+1)
		}
		if u.User == nil && c.User != "" {
			u.User = url.UserPassword(c.User, c.Password)
		}
		so.Routes = append(so.Routes, &url.URL{Scheme: "nats", Host: u.Host, User: u.User})
	}
	return nil
}

// splitListen reads host:port. nats-server has -1 for a free port.
func splitListen(listen string) (string, int, error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("natsserver: listen address %q must be host:port: %w", listen, err)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("natsserver: listen address %q: the port must be a number from 0 (any free one) to 65535", listen)
	}
	port = cmp.Or(port, server.RANDOM_PORT)
	return host, port, nil
}

// probe finds out whether the address can be had, since nats-server says so
// only in its log.
func probe(listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("natsserver: NATS server cannot listen on %s: %w; "+
			"if a NATS server or another muster runs there, connect to it (--url nats://%s) or choose another address (--listen)",
			listen, err, listen)
	}
	return l.Close()
}

func awaitReady(s *server.Server, log *serverLog) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		if s.ReadyForConnections(50 * time.Millisecond) {
			return nil
		}
		select {
		case text := <-log.fatal:
			return fmt.Errorf("natsserver: NATS server: %s", text)
		default:
		}
	}
	return errors.New("natsserver: NATS server does not start to listen")
}

// Addr is the address on which it listens, or listened.
func (s *Server) Addr() net.Addr { return s.addr }

// URL is for bus.Options of clients on this machine. It holds no secrets.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.addr.String())
	if err != nil {
		return s.nats.ClientURL()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "nats://"
	if s.opts.TLS != nil {
		scheme = "tls://"
	}
	return scheme + net.JoinHostPort(host, port)
}

// InProcessConn is a connection to the server without a socket, for
// natsbus.DialInProcess.
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.InProcessConn() }

// Credentials are what the server asks of a client; empty where it asks nothing, or has
// Users.
func (s *Server) Credentials() (user, password string) {
	return s.opts.User, s.opts.Password
}

// Close ends the server and its connections, and waits until it is gone.
func (s *Server) Close() error {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	return nil
}
