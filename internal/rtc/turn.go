package rtc

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"golang.org/x/time/rate"

	"github.com/muster-fleet/muster/internal/roomtoken"
)

// TURN is a server for clients whose network does not let them to the ports for
// media. It relays to these, and to nothing else. The zero value is none.
type TURN struct {
	// Listen is its host:port, over UDP and over TCP; "" is none.
	Listen string
	// TLS is its host:port over TLS, with the files of a certificate and of its
	// key in PEM. They are read again when they change.
	TLS, CertFile, KeyFile string
	// Host is the name or address by which clients reach it; "" is that of the
	// addresses above, or Options.Public.
	Host string
	// Key checks credentials.
	Key roomtoken.Key
}

const (
	// realm is that of the credentials.
	realm = "muster"
	// refusedEvery is how often refused credentials are logged.
	refusedEvery = time.Second
)

// enabled reports whether there is one.
func (t TURN) enabled() bool { return t.Listen != "" || t.TLS != "" }

// turnServer is a running TURN server.
type turnServer struct {
	key    roomtoken.Key
	relays *relays
	log    *slog.Logger
	urls   []string
	conns  *turnConns
	server *turn.Server

	expired, forged rate.Sometimes
}

// startTURN opens the ports of a TURN server.
func startTURN(t TURN, public string, r *relays, log *slog.Logger) (s *turnServer, err error) {
	s = &turnServer{
		key: t.Key, relays: r, log: log, conns: newTURNConns(),
		expired: rate.Sometimes{Interval: refusedEvery}, forged: rate.Sometimes{Interval: refusedEvery},
	}
	config := turn.ServerConfig{
		Realm: realm, AuthHandler: s.authenticate, QuotaHandler: r.hasRoom, LoggerFactory: silent(),
		EventHandler: turn.EventHandler{
			OnAuth: s.checked,
			OnAllocationCreated: func(src, dst net.Addr, _, user, _ string, _ net.Addr, _ int) {
				s.log.Debug("TURN: relay begins", "participant", user)
				s.conns.allocated(src, dst, true)
			},
			OnAllocationDeleted: func(src, dst net.Addr, _, _, _ string) { s.conns.allocated(src, dst, false) },
		},
	}
	opened := func(l net.Listener, encryption *tls.Config) {
		config.ListenerConfigs = append(config.ListenerConfigs, turn.ListenerConfig{
			Listener:              &turnListener{Listener: l, tls: encryption, conns: s.conns, log: log},
			RelayAddressGenerator: r, PermissionHandler: r.mayReach,
		})
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("rtc: TURN: %w", err)
			for _, c := range config.ListenerConfigs {
				_ = c.Listener.Close()
			}
			for _, c := range config.PacketConnConfigs {
				_ = c.PacketConn.Close()
			}
		}
	}()
	if t.Listen != "" {
		p, err := openPorts(t.Listen)
		if err != nil {
			return nil, err
		}
		opened(p.accept, nil)
		for _, udp := range p.udp {
			config.PacketConnConfigs = append(config.PacketConnConfigs, turn.PacketConnConfig{
				PacketConn: newBatchConn(udp), RelayAddressGenerator: r, PermissionHandler: r.mayReach,
			})
		}
		for _, transport := range []string{"udp", "tcp"} {
			if err := s.reached("turn", t.Host, public, p.host, p.number, transport); err != nil {
				return nil, err
			}
		}
	}
	if t.TLS != "" {
		c, err := newCertificate(t.CertFile, t.KeyFile, log)
		if err != nil {
			return nil, err
		}
		l, err := net.Listen("tcp", t.TLS)
		if err != nil {
			return nil, err
		}
		opened(l, c.serverTLS())
		host, _, _ := net.SplitHostPort(t.TLS) // it was listened at
		if err := s.reached("turns", t.Host, public, host, l.Addr().(*net.TCPAddr).Port, "tcp"); err != nil {
			return nil, err
		}
	}
	s.server, err = turn.NewServer(config)
	return s, err
}

// reached adds a URL of the server.
func (s *turnServer) reached(scheme, host, public, listen string, port int, transport string) error {
	if ip := net.ParseIP(listen); host == "" && public == "" && (listen == "" || ip != nil && ip.IsUnspecified()) {
		return errors.New("it listens at all addresses: say by which name or address clients reach it (--turn-host)")
	}
	at := net.JoinHostPort(cmp.Or(host, public, listen), strconv.Itoa(port))
	s.urls = append(s.urls, scheme+":"+at+"?transport="+transport)
	return nil
}

// authenticate says whose a username is, and the key of its messages. Credentials
// that have expired make no relay; one that is there goes on.
func (s *turnServer) authenticate(a *turn.RequestAttributes) (user string, key []byte, ok bool) {
	user, password, err := s.key.OpenTURN(a.Username, time.Now())
	switch {
	case errors.Is(err, roomtoken.ErrExpired) && a.Method == stun.MethodAllocate:
		s.refuse(&s.expired, "they have expired", user)
		return "", nil, false
	case errors.Is(err, roomtoken.ErrInvalid):
		s.refuse(&s.forged, "their name has another form", a.Username)
		return "", nil, false
	}
	return user, turn.GenerateAuthKey(a.Username, a.Realm, password), true
}

// checked hears of the password of each request.
func (s *turnServer) checked(_, _ net.Addr, _, username, _, _ string, right bool) {
	if !right {
		s.refuse(&s.forged, "the password is wrong", username)
	}
}

func (s *turnServer) refuse(limit *rate.Sometimes, why, user string) {
	s.relays.refused.Add(1)
	limit.Do(func() { s.log.Info("TURN: credentials refused", "reason", why, "user", fmt.Sprintf("%.64s", user)) })
}

func (s *turnServer) close() error {
	err := s.server.Close()
	s.conns.close()
	return err
}

// silent: what pion says of single clients is of no use to operators.
func silent() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	return f
}
