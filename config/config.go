package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// Config is the whole configuration. Load, ApplyEnv and SetFlag check each value,
// and record where it came from.
type Config struct {
	Manager  Manager
	Strategy Strategy
	Rabbit   Rabbit
	Bus      Bus
	Raft     Raft
	// Debit is [placement]: the load that a placement adds before it is reported.
	Debit state.Debit
	// Labels are the labels of the workers that this process starts.
	Labels    map[string]string
	Metrics   Metrics
	HTTP      HTTP
	Cascading Cascading
	Rooms     Rooms
	Trace     Trace

	// file is the path that was read, "" for none.
	file string
	// rabbit is where the file has a section [rabbit], even an empty one.
	rabbit   Origin
	origins  map[string]Origin
	warnings []Problem
}

// Manager is the section [manager].
type Manager struct {
	// Name is the name of the cluster, and of the manager's queue.
	Name string
	// InitialTime is how long a new manager waits for workers to join before it
	// places tasks. 0 means no waiting.
	InitialTime time.Duration
	// CheckAliveInterval is how often keep-alives are checked, and CheckAliveCount
	// how many checks in a row a worker may miss.
	CheckAliveInterval time.Duration
	CheckAliveCount    int
	// MaxSilentShare is the largest share of the workers that may be evicted at
	// once.
	MaxSilentShare float64
	// RecheckShare is the largest share of the workers that may be evicted at one
	// check after a time in which none could be.
	RecheckShare float64
	// StaleAfter is how long there may be no leader before look-ups are answered
	// from the last state. 0 means never.
	StaleAfter time.Duration
	// ReserveTime is the default length of a reservation.
	ReserveTime time.Duration
	// Replica is how several managers agree: "raft", "owt", or "auto", which
	// depends on the section [raft].
	Replica string
	// EnableGRPC is a setting of OWT 5.1, which must not be true.
	EnableGRPC bool
	// TotalNode and ElectTimeout are settings of OWT's master branch, without
	// effect.
	TotalNode    int
	ElectTimeout time.Duration
}

// Strategy is the section [strategy].
type Strategy struct {
	// General is the strategy of purposes that ByPurpose lacks.
	General   muster.Strategy
	ByPurpose map[string]muster.Strategy
}

// Rabbit is the section [rabbit].
type Rabbit struct {
	Host string
	Port int
	// Login is node-amqp's name for the user, Username amqplib's. Username takes
	// precedence.
	Login, Username string
	Password        Secret
	VHost           string
	// Protocol is amqp or amqps.
	Protocol string
	// Heartbeat, FrameMax and Locale are settings of amqplib, without effect.
	Heartbeat, FrameMax int
	Locale              string
}

// Bus is the section [bus].
type Bus struct {
	// URL is the message queue. Empty means [rabbit], or the embedded server.
	URL URL
	// Listen is the address of the embedded server.
	Listen string
	// User and Password are for every kind of queue, including the embedded one,
	// and take precedence over those of URL and of [rabbit].
	User     string
	Password Secret
	// Token, Creds and NKey are NATS's, instead of User and Password: a token,
	// the file of a JWT and its seed, the file of a seed.
	Token       Secret
	Creds, NKey string
	// Credentials is the file of a user of an embedded server that has Users, the
	// file of those whom it lets in.
	Credentials, Users string
	TLS                TLS
	Cluster            BusCluster
}

// BusCluster is the section [bus.cluster]: the embedded servers of several
// managers form one queue.
type BusCluster struct {
	// Listen is where this server listens for the others. Empty: no cluster.
	Listen string
	// Name is the same on all of them.
	Name string
	// Routes are the addresses of the others' Listen, comma-separated.
	Routes string
	// Password is the same on all of them.
	Password Secret
}

// RouteList returns Routes as a list.
func (b BusCluster) RouteList() []string { return listOf(b.Routes) }

// TLS is the section [bus.tls], [raft.tls] or [http.tls].
type TLS struct {
	// CA, Cert and Key are names of PEM files.
	CA, Cert, Key string
	// ServerName is the name in the other end's certificate, if it is not the host
	// of the URL, or of the manager's address.
	ServerName string
}

// Metrics is the section [metrics].
type Metrics struct {
	// Addr is where the metrics are served over HTTP. Empty: nowhere.
	Addr string
}

// Trace is the section [trace].
type Trace struct {
	// OTLP is the URL of a collector. Empty: that of OpenTelemetry's own variables.
	OTLP URL
	// Share is the share of the traces begun here that are recorded, from 0 to 1.
	Share float64
}

// Rooms is the section [rooms].
type Rooms struct {
	// Key signs the tokens of rooms. Empty means the secret that the managers on
	// this machine share.
	Key Secret
}

// HTTP is the section [http].
type HTTP struct {
	// Addr is where the page and the API are served. Empty: nowhere.
	Addr string
	// Tokens is the file with the tokens of the callers. Empty: no token is required.
	Tokens string
	// Insecure allows serving other machines without requiring a token.
	Insecure bool
	// TLS has no ServerName.
	TLS TLS
}

// Raft is the section [raft].
type Raft struct {
	// Addr is where the other managers reach this one. Empty: no other managers.
	Addr string
	// Peers are the comma-separated addresses of the managers that form the
	// cluster.
	Peers string
	// Listen is where this manager listens for the others; empty means Addr.
	Listen string
	// ElectionTimeout is how long a leader may be silent before it is replaced.
	ElectionTimeout time.Duration
	// Data is the directory of the log. Empty: in memory.
	Data   string
	Secret Secret
	TLS    TLS
}

// PeerList returns Peers as a list.
func (r Raft) PeerList() []string { return listOf(r.Peers) }

func listOf(addresses string) []string {
	var out []string
	for addr := range strings.SplitSeq(addresses, ",") {
		if addr = strings.TrimSpace(addr); addr != "" {
			out = append(out, addr)
		}
	}
	return out
}

// others reports whether there are managers besides this one.
func (r Raft) others() bool {
	return slices.ContainsFunc(r.PeerList(), func(addr string) bool { return addr != r.Addr })
}

// Local reports whether all managers are on this machine.
func (r Raft) Local() bool {
	return !slices.ContainsFunc(append(r.PeerList(), r.Addr), func(addr string) bool {
		host, _, _ := net.SplitHostPort(addr)
		ip := net.ParseIP(host)
		return host != "localhost" && (ip == nil || !ip.IsLoopback())
	})
}

// Cascading is the section [cascading]: the cloud that this cluster is reported
// to.
type Cascading struct {
	Enabled bool
	// URL is the cloud's address; OWT writes "none" for no cloud. A password in it
	// is hidden.
	URL    URL
	Region string
	// ClusterID is the cluster's id; empty means the cluster's name.
	ClusterID string
	// CA is the file with the authorities that may issue the cloud's certificate.
	CA string
	// SelfIP, SelfHost and SelfPort have no effect.
	SelfIP, SelfHost string
	SelfPort         int
}

// Offered reports whether there is a cloud to report to.
func (c Cascading) Offered() bool {
	_, ok := c.cloud()
	return c.Enabled && ok
}

func (c Cascading) cloud() (plain, ok bool) {
	u, err := url.Parse(c.URL.Reveal())
	if err != nil || u.Host == "" {
		return false, false
	}
	return u.Scheme == "http", u.Scheme == "http" || u.Scheme == "https"
}

// Default returns the default configuration.
func Default() *Config {
	placing := state.DefaultConfig()
	return &Config{
		Manager: Manager{
			Name:               muster.DefaultCluster,
			InitialTime:        10 * time.Second,
			CheckAliveInterval: time.Second,
			CheckAliveCount:    10,
			MaxSilentShare:     0.5,
			RecheckShare:       0.05,
			StaleAfter:         time.Second,
			ReserveTime:        time.Duration(placing.ReserveMillis) * time.Millisecond,
			Replica:            "auto",
			TotalNode:          1,
		},
		Strategy: Strategy{General: placing.General, ByPurpose: placing.Strategies},
		Rabbit:   Rabbit{Host: "localhost", Port: 5672, VHost: "/", Protocol: "amqp"},
		Bus:      Bus{Listen: "127.0.0.1:4222", Cluster: BusCluster{Name: "muster"}},
		Raft:     Raft{ElectionTimeout: 100 * time.Millisecond},
		Debit:    placing.Debit,
		Trace:    Trace{Share: 1},
		Labels:   map[string]string{},
		origins:  map[string]Origin{},
	}
}

// Flag is a value from the command line.
type Flag struct {
	// Name is as the user wrote it, such as "--url".
	Name string
	// Key is the full name of the key that it sets, such as "bus.url".
	Key, Value string
}

// Load reads the file, then the environment, then the flags. An empty path
// means no file. The error is Problems, if anything is wrong with the values.
func Load(path string, flags ...Flag) (*Config, error) { return loadFile(path, nil, flags) }

// LoadShared is Load for a file that is not Muster's, such as OWT's agent.toml:
// it reads the sections that all programs of a cluster share, [rabbit], [bus],
// [labels] and [trace], and ignores the others.
func LoadShared(path string, flags ...Flag) (*Config, error) {
	return loadFile(path, []string{"rabbit", "bus", "labels", "trace"}, flags)
}

func loadFile(path string, only []string, flags []Flag) (*Config, error) {
	c, problems := Default(), Problems(nil)
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("configuration file: %w", err)
		}
		c, problems = read(path, data, only...)
	}
	problems = append(problems, c.applyEnv(os.Environ())...)
	problems = append(problems, c.applyFlags(flags)...)
	if len(problems) == 0 {
		problems = c.check()
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Parse parses the content of a file. name is the file's name in errors, and the
// base of relative file names. The environment is not used, so the file itself
// must be complete. The error is Problems.
func Parse(name string, data []byte) (*Config, error) {
	c, problems := read(name, data)
	if len(problems) == 0 {
		problems = c.check()
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// OWTDir returns the directory in which OWT keeps the user and the password of
// the queue beside the file. It is "" if they are not needed, because another
// queue than [rabbit] is used, or bus.user is set.
func (c *Config) OWTDir() string {
	if c.file == "" || !c.byRabbit() || c.Bus.User != "" {
		return ""
	}
	return filepath.Dir(c.file)
}

// Origin returns where the value of the key came from.
func (c *Config) Origin(key string) Origin {
	if o, ok := c.origins[key]; ok {
		return o
	}
	return Origin{Source: FromDefault}
}

func (c *Config) clone() *Config {
	out := *c
	out.Strategy.ByPurpose = maps.Clone(c.Strategy.ByPurpose)
	out.Labels = maps.Clone(c.Labels)
	out.origins = maps.Clone(c.origins)
	return &out
}
