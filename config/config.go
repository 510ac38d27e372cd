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

// Config is everything that can be configured. Load, ApplyEnv and SetFlag
// check each value, and note where it came from.
type Config struct {
	Manager  Manager
	Strategy Strategy
	Rabbit   Rabbit
	Bus      Bus
	Raft     Raft
	// Debit is [placement]: how a placement counts before it is reported.
	Debit state.Debit
	// Labels are those of the workers that this process starts.
	Labels    map[string]string
	Metrics   Metrics
	Cascading Cascading

	// file is the path that was read, "" for none.
	file string
	// rabbit tells that the file has a section [rabbit], if only an empty one.
	rabbit   Origin
	origins  map[string]Origin
	warnings []Problem
}

// Manager is the section [manager].
type Manager struct {
	// Name is that of the cluster, and of the manager's queue.
	Name string
	// InitialTime is how long a fresh manager only gathers workers. 0 means
	// not at all.
	InitialTime time.Duration
	// CheckAliveInterval is how often signs of life are counted, and
	// CheckAliveCount how many counts in a row may be missed.
	CheckAliveInterval time.Duration
	CheckAliveCount    int
	// MaxSilentShare is the share of the workers that may be given up at once.
	MaxSilentShare float64
	// RecheckShare is the share of them that may be given up at a count after a
	// time in which none was.
	RecheckShare float64
	// StaleAfter is how long nobody leads before look-ups are answered from the
	// last state. 0 means never.
	StaleAfter time.Duration
	// ReserveTime is the length of a reservation that names none.
	ReserveTime time.Duration
	// Replica is how several managers agree: "raft", "owt", or "auto" for what
	// the section [raft] says.
	Replica string
	// EnableGRPC is OWT 5.1's. It is refused where it is true.
	EnableGRPC bool
	// TotalNode and ElectTimeout are those of OWT's master branch, and have no
	// effect.
	TotalNode    int
	ElectTimeout time.Duration
}

// Strategy is the section [strategy].
type Strategy struct {
	// General is for a purpose that ByPurpose lacks.
	General   muster.Strategy
	ByPurpose map[string]muster.Strategy
}

// Rabbit is the section [rabbit].
type Rabbit struct {
	Host string
	Port int
	// Login is node-amqp's word, Username amqplib's; Username goes first.
	Login, Username string
	Password        Secret
	VHost           string
	// Protocol is amqp or amqps.
	Protocol string
	// Heartbeat, FrameMax and Locale are amqplib's, and have no effect.
	Heartbeat, FrameMax int
	Locale              string
}

// Bus is the section [bus].
type Bus struct {
	// URL is the message queue. Empty means [rabbit], or the embedded server.
	URL URL
	// Listen is the address of the embedded server.
	Listen string
	// User and Password are for every kind of queue, the embedded one
	// included, and go before those of URL and of [rabbit].
	User     string
	Password Secret
	// Token, Creds and NKey are NATS's, instead of User and Password: a token,
	// the file of a JWT and its seed, the file of a seed.
	Token       Secret
	Creds, NKey string
	TLS         TLS
	Cluster     BusCluster
}

// BusCluster is the section [bus.cluster]: the embedded servers of several
// managers form one queue.
type BusCluster struct {
	// Listen is where this server listens for the others. Empty: it is alone.
	Listen string
	// Name is the same on all of them.
	Name string
	// Routes are the addresses of the others' Listen, comma-separated.
	Routes string
	// Password is the same on all of them.
	Password Secret
}

// RouteList is Routes as a list.
func (b BusCluster) RouteList() []string { return listOf(b.Routes) }

// TLS is the section [bus.tls], or [raft.tls]: names of files in PEM.
type TLS struct {
	CA, Cert, Key string
	// ServerName is the name that the other end's certificate must have, if it
	// is not the host of the URL, or of the manager's address.
	ServerName string
}

// Metrics is the section [metrics].
type Metrics struct {
	// Addr is where the metrics are shown over HTTP. Empty: nowhere.
	Addr string
}

// Raft is the section [raft].
type Raft struct {
	// Addr is where the other managers reach this one. Empty: it is alone.
	Addr string
	// Peers are the addresses of the managers that form the cluster, parted by
	// commas.
	Peers string
	// Listen is where this one listens for them; Addr where it is empty.
	Listen string
	// ElectionTimeout is how long a leader may be silent before it is replaced.
	ElectionTimeout time.Duration
	// Data is the directory of the log. Empty: in memory.
	Data   string
	Secret Secret
	TLS    TLS
}

// PeerList is Peers as a list.
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

// others tells whether there are managers beside this one.
func (r Raft) others() bool {
	return slices.ContainsFunc(r.PeerList(), func(addr string) bool { return addr != r.Addr })
}

// Local tells whether all managers are on this machine.
func (r Raft) Local() bool {
	return !slices.ContainsFunc(append(r.PeerList(), r.Addr), func(addr string) bool {
		host, _, _ := net.SplitHostPort(addr)
		ip := net.ParseIP(host)
		return host != "localhost" && (ip == nil || !ip.IsLoopback())
	})
}

// Cascading is the section [cascading]: the cloud that hears of this cluster.
type Cascading struct {
	Enabled bool
	// URL is the cloud's. OWT has "none" for none. A password in it is hidden.
	URL    URL
	Region string
	// ClusterID is the cluster's name where it is empty.
	ClusterID string
	// CA is the file of the authorities that the cloud's certificate is of.
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

// Default returns what is in force where nothing is configured.
func Default() *Config {
	placing := state.DefaultConfig()
	return &Config{
		Manager: Manager{
			Name:               "owt-cluster",
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
// it reads the sections that every program of a cluster has, [rabbit], [bus]
// and [labels], and leaves the others alone.
func LoadShared(path string, flags ...Flag) (*Config, error) {
	return loadFile(path, []string{"rabbit", "bus", "labels"}, flags)
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

// Parse reads a file's content; name is what its errors call it, and where
// relative file names in it start from. The environment is not asked: values
// that it would complete must be complete in the file. The error is Problems.
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

// OWTDir is the directory in which OWT keeps the user and the password of the
// queue beside the file, "" where they are not asked for: another queue than
// [rabbit] is used, or bus.user is set.
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
