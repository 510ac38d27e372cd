package natsbus

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
	"github.com/nats-io/nats.go"
)

// address holds the servers and the credentials. The URLs contain no secrets.
type address struct {
	urls           []string
	user, password string
	token          string
	creds, nkey    string // files
	credentials    *natsauth.Credentials
	tls            bool
}

// parseAddress reads the options. Its errors say which URL is wrong and never
// quote it, since it may hold a password.
func parseAddress(o bus.Options) (address, error) {
	var a address
	for i, raw := range strings.Split(o.URL, ",") {
		u, err := parseURL(strings.TrimSpace(raw))
		if err != nil {
			return a, fmt.Errorf("natsbus: URL number %d: %w", i+1, err)
		}
		a.tls = a.tls || u.Scheme == "tls"
		if u.User != nil && a.user == "" && a.token == "" {
			a.login(u.User)
		}
		a.urls = append(a.urls, u.Scheme+"://"+u.Host)
	}
	a.take(o)
	if o.Credentials != "" {
		who, err := natsauth.ReadCredentials(o.Credentials)
		if err != nil {
			return a, fmt.Errorf("natsbus: %w", err)
		}
		a.credentials = &who
	}
	a.tls = a.tls || o.TLS != nil
	return a, nil
}

// take lets the options override the URLs.
func (a *address) take(o bus.Options) {
	if o.User != "" {
		a.user, a.password, a.token = o.User, o.Password, ""
	}
	if o.Token != "" {
		a.token = o.Token
	}
	a.creds, a.nkey = o.Creds, o.NKey
}

// self is who the credentials are of; zero without.
func (a *address) self() bus.Identity {
	if a.credentials == nil {
		return bus.Identity{}
	}
	return a.credentials.Identity
}

// login takes the user and password of a URL. A user without a password is a
// token, as NATS has it.
func (a *address) login(info *url.Userinfo) {
	password, ok := info.Password()
	if ok {
		a.user, a.password = info.Username(), password
	} else {
		a.token = info.Username()
	}
}

func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("cannot be read; it must be nats://host:port or tls://host:port, with user and password percent-encoded")
	}
	if u.Scheme != "nats" && u.Scheme != "tls" {
		return nil, errors.New("must begin with nats:// or tls://")
	}
	if u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("must be nats://host:port or tls://host:port, with user and password percent-encoded")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "4222")
	}
	return u, nil
}

// options are those of nats.go for this address.
func (a address) options() ([]nats.Option, error) {
	var opts []nats.Option
	switch {
	case a.credentials != nil:
		key, err := a.credentials.Key()
		if err != nil {
			return nil, fmt.Errorf("natsbus: credentials: %w", err)
		}
		opts = append(opts, nats.Nkey(key, a.credentials.Sign))
	case a.creds != "":
		if _, err := os.ReadFile(a.creds); err != nil {
			return nil, fmt.Errorf("natsbus: creds file: %w", err)
		}
		opts = append(opts, nats.UserCredentials(a.creds))
	case a.nkey != "":
		opt, err := nats.NkeyOptionFromSeed(a.nkey)
		if err != nil {
			return nil, fmt.Errorf("natsbus: nkey file %s must hold a seed, which begins with SU: %w", a.nkey, err)
		}
		opts = append(opts, opt)
	case a.token != "":
		opts = append(opts, nats.Token(a.token))
	case a.user != "":
		opts = append(opts, nats.UserInfo(a.user, a.password))
	}
	return opts, nil
}

func (a address) String() string { return strings.Join(a.urls, ",") }
