package config

import (
	"cmp"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/muster-fleet/muster/bus"
)

// BusKind is the kind of message queue that a configuration asks for.
type BusKind string

// The kinds.
const (
	// Embedded is a NATS server inside the manager, at Bus.Listen.
	Embedded BusKind = "embedded NATS"
	// NATS is a server or a cluster elsewhere.
	NATS     BusKind = "NATS"
	RabbitMQ BusKind = "RabbitMQ"
)

func kindOf(scheme string) BusKind {
	if strings.HasPrefix(scheme, "amqp") {
		return RabbitMQ
	}
	return NATS
}

// BusKind returns RabbitMQ if there is a section [rabbit], else the kind of
// bus.url, else Embedded. A bus.url from a flag or the environment takes
// precedence over [rabbit].
func (c *Config) BusKind() BusKind {
	switch {
	case c.byRabbit():
		return RabbitMQ
	case c.Bus.URL != "":
		scheme, _, _ := strings.Cut(strings.TrimSpace(c.Bus.URL.Reveal()), ":")
		return kindOf(strings.ToLower(scheme))
	}
	return Embedded
}

func (c *Config) byRabbit() bool {
	return c.rabbit.Source != "" && (c.Bus.URL == "" || !c.Origin("bus.url").overrides())
}

// BusURL returns the address to dial. For Embedded it is the address of the
// server for programs on the same machine.
func (c *Config) BusURL() URL {
	switch {
	case c.byRabbit():
		return c.rabbitURL()
	case c.Bus.URL != "":
		return c.Bus.URL
	}
	host, port, _ := net.SplitHostPort(c.Bus.Listen)
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return URL("nats://" + net.JoinHostPort(host, port))
}

func (c *Config) rabbitURL() URL {
	u := url.URL{Scheme: c.Rabbit.Protocol, Host: net.JoinHostPort(c.Rabbit.Host, strconv.Itoa(c.Rabbit.Port))}
	if c.Bus.TLS != (TLS{}) {
		u.Scheme = "amqps"
	}
	if c.Rabbit.VHost != "/" {
		u.Path = "/" + c.Rabbit.VHost
		u.RawPath = "/" + url.PathEscape(c.Rabbit.VHost)
	}
	return URL(u.String())
}

// BusOptions returns the options for connecting to the message queue. It reads
// the files of [bus.tls]; its error names the key and the file.
func (c *Config) BusOptions() (bus.Options, error) {
	if err := c.Check(); err != nil {
		return bus.Options{}, err
	}
	tls, err := c.ClientTLS()
	if err != nil {
		return bus.Options{}, err
	}
	user, password := c.credentials()
	return bus.Options{
		URL: c.BusURL().Reveal(), User: user, Password: password.Reveal(), TLS: tls,
		Token: c.Bus.Token.Reveal(), Creds: c.filePath("bus.creds", c.Bus.Creds), NKey: c.filePath("bus.nkey", c.Bus.NKey),
		Credentials: c.filePath("bus.credentials", c.Bus.Credentials),
	}, nil
}

// credentials returns those of [bus]. For RabbitMQ, those of [rabbit] fill in
// what [bus] lacks.
func (c *Config) credentials() (user string, password Secret) {
	user, password = c.Bus.User, c.Bus.Password
	if !c.byRabbit() {
		return user, password
	}
	return cmp.Or(user, c.Rabbit.Username, c.Rabbit.Login), cmp.Or(password, c.Rabbit.Password)
}

// BusEnviron returns environment variables that let another program on this
// machine connect to the same message queue, in the form of os.Environ. They
// contain no secrets: those are in BusSecrets.
func (c *Config) BusEnviron() []string {
	user, _ := c.credentials()
	return environOf([]variable{
		{"MUSTER_BUS_URL", withoutUser(c.BusURL().Reveal())}, {"MUSTER_BUS_USER", user},
		{"MUSTER_BUS_CREDS", c.wholePath("bus.creds", c.Bus.Creds)},
		{"MUSTER_BUS_NKEY", c.wholePath("bus.nkey", c.Bus.NKey)},
		{"MUSTER_BUS_CREDENTIALS", c.wholePath("bus.credentials", c.Bus.Credentials)},
		{"MUSTER_BUS_TLS_CA", c.wholePath("bus.tls.ca", c.Bus.TLS.CA)},
		{"MUSTER_BUS_TLS_CERT", c.wholePath("bus.tls.cert", c.Bus.TLS.Cert)},
		{"MUSTER_BUS_TLS_KEY", c.wholePath("bus.tls.key", c.Bus.TLS.Key)},
		{"MUSTER_BUS_TLS_SERVER_NAME", c.Bus.TLS.ServerName},
	})
}

// TraceEnviron returns environment variables that let another program on this
// machine record traces as this one does.
func (c *Config) TraceEnviron() []string {
	if c.Trace.OTLP == "" {
		return nil
	}
	return []string{
		"MUSTER_TRACE_OTLP=" + c.Trace.OTLP.Reveal(), "MUSTER_TRACE_SHARE=" + strconv.FormatFloat(c.Trace.Share, 'g', -1, 64),
	}
}

// BusSecrets returns the secrets that BusEnviron leaves out, as the content of a
// SecretsFile. It is empty if there are none.
func (c *Config) BusSecrets() []byte {
	_, password := c.credentials()
	url := c.BusURL().Reveal()
	if withoutUser(url) == url {
		url = ""
	}
	lines := environOf([]variable{
		{"MUSTER_BUS_URL", url}, {"MUSTER_BUS_PASSWORD", password.Reveal()}, {"MUSTER_BUS_TOKEN", c.Bus.Token.Reveal()},
	})
	if len(lines) == 0 {
		return nil
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// withoutUser removes user and password from addresses.
func withoutUser(addresses string) string {
	parts := strings.Split(addresses, ",")
	for i, part := range parts {
		if scheme, rest, ok := strings.Cut(part, "://"); ok {
			host, path, _ := strings.Cut(rest, "/")
			if at := strings.LastIndexByte(rest, '@'); at >= len(host) { // a slash in the password
				host, path, _ = strings.Cut(rest[at+1:], "/")
			}
			host = host[strings.LastIndexByte(host, '@')+1:]
			parts[i] = scheme + "://" + host
			if strings.HasSuffix(rest, "/"+path) && (path != "" || strings.HasSuffix(rest, "/")) {
				parts[i] += "/" + path
			}
		}
	}
	return strings.Join(parts, ",")
}

type variable struct{ name, value string }

func environOf(variables []variable) []string {
	var environ []string
	for _, v := range variables {
		if v.value != "" {
			environ = append(environ, v.name+"="+v.value)
		}
	}
	return environ
}

// wholePath is filePath for a program that runs in another directory: the path is
// absolute.
func (c *Config) wholePath(key, name string) string {
	if name = c.filePath(key, name); name == "" {
		return ""
	}
	if whole, err := filepath.Abs(name); err == nil {
		return whole
	}
	return name
}

// UsersFile is the path of bus.users, "" where there is none.
func (c *Config) UsersFile() string { return c.filePath("bus.users", c.Bus.Users) }

// TokensFile is the path of http.tokens, "" where there is none.
func (c *Config) TokensFile() string { return c.filePath("http.tokens", c.HTTP.Tokens) }
