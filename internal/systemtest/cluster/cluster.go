package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// Options say what managers are run.
type Options struct {
	// Program is the muster to run.
	Program string
	// URL is the message queue that they share, one server of it.
	URL string
	// Name is that of the cluster.
	Name string
	// Managers is how many there are.
	Managers int
	// Replica is how they agree: Raft where it is empty, or "owt". AwaitHealth
	// is then content with a master, and Cuttable and Apart do not work.
	Replica string
	// Config is the configuration of each, in TOML, beside what is above.
	Config string
	// Data is a directory in which each manager keeps its log; "" is in memory.
	Data string
	// Cuttable puts a proxy before every manager's address, and one between
	// each of them and the message queue, so that Cut works.
	Cuttable bool
	// Apart gives every manager a network of its own, with a wire between them
	// on which Disturb works. Needs Linux, root and the program ip.
	Apart bool
	// Output returns where a process prints, by its address. Nil means nowhere.
	Output func(process string) io.Writer
}

// Cluster is managers that run. Its methods are for one goroutine at a time.
type Cluster struct {
	opts     Options
	status   bus.Conn
	crew     *Crew
	secret   string
	managers []*Manager
	proxies  []*proxy
	wire     *wire  // where managers are apart
	term     uint64 // the highest that was seen
}

// Manager is the place of a manager: an address at which one process after the
// other may run.
type Manager struct {
	// Addr is its name among the managers.
	Addr string
	// Process is the one that runs there, or ran there last.
	Process *Process

	listen string // where it listens: at Addr, or behind the proxy that does
	url    string // its way to the message queue
	valve  *valve
	crew   *Crew // runs it, in its network
	later  bool  // it is not one of those that form the cluster
}

// Start runs the managers. It asks through conn how they stand, which stays the
// caller's. AwaitHealth says when they are ready.
func Start(conn bus.Conn, o Options) (*Cluster, error) {
	c := &Cluster{opts: o, status: conn, crew: NewCrew(), secret: randomSecret()}
	err := c.lay()
	for i := 0; err == nil && i < len(c.managers); i++ {
		err = c.Launch(c.managers[i])
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return c, nil
}

func randomSecret() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// lay finds the addresses, and puts the proxies in between.
func (c *Cluster) lay() error {
	if c.opts.Apart {
		return c.layApart()
	}
	addrs, err := freeAddrs(c.opts.Managers)
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		c.managers = append(c.managers, &Manager{Addr: addr, listen: addr, url: c.opts.URL, valve: newValve(), crew: c.crew})
	}
	if !c.opts.Cuttable {
		return nil
	}
	for _, m := range c.managers {
		if err := errors.Join(c.guardPeers(m), c.guardQueue(m)); err != nil {
			return err
		}
	}
	for _, p := range c.proxies { // only now are all addresses known
		p.start()
	}
	return nil
}

// guardPeers makes a proxy the address of the manager.
func (c *Cluster) guardPeers(m *Manager) error {
	p, err := newProxy(func() string { return m.listen }, func(first []byte) ([]*valve, bool) {
		from, ok := c.from(m, first)
		return []*valve{from, m.valve}, ok
	})
	if err == nil {
		c.proxies = append(c.proxies, p)
		m.Addr = p.addr()
	}
	return err
}

// from finds which manager connects to another: it says so in clear text.
func (c *Cluster) from(to *Manager, first []byte) (*valve, bool) {
	for _, m := range c.managers {
		if m != to && bytes.Contains(first, []byte(m.Addr)) {
			return m.valve, true
		}
	}
	return nil, false
}

// guardQueue makes a proxy the manager's way to the message queue.
func (c *Cluster) guardQueue(m *Manager) error {
	u, err := url.Parse(c.opts.URL)
	if err != nil || u.Port() == "" {
		return fmt.Errorf("url %s must be one server's, with its port, where managers are to be cut off", bus.Redacted(c.opts.URL))
	}
	broker := u.Host
	p, err := newProxy(func() string { return broker }, func([]byte) ([]*valve, bool) { return []*valve{m.valve}, true })
	if err == nil {
		c.proxies = append(c.proxies, p)
		u.Host = p.addr()
		m.url = u.String()
	}
	return err
}

// Managers are the places of the managers.
func (c *Cluster) Managers() []*Manager { return c.managers }

// Launch starts a process at a place where none runs.
func (c *Cluster) Launch(m *Manager) error {
	p, err := m.crew.Start(c.command(m))
	if err == nil {
		m.Process = p
	}
	return err
}

// command takes the configuration from its standard input, and what is secret
// from its environment, where no other user sees it.
func (c *Cluster) command(m *Manager) *exec.Cmd {
	args := append(c.verb(m), "-c", "/dev/stdin", "--cluster", c.opts.Name)
	if c.opts.Replica != "" {
		args = append(args, "--replica", c.opts.Replica)
	} else {
		args = append(args, "--raft", m.Addr, "--peers", strings.Join(c.peers(m), ","))
	}
	if c.opts.Data != "" {
		args = append(args, "--data", filepath.Join(c.opts.Data, strings.ReplaceAll(m.Addr, ":", "-")))
	}
	cmd := exec.Command(c.opts.Program, args...)
	cmd.Stdin = strings.NewReader(c.opts.Config)
	if c.opts.Output != nil {
		cmd.Stdout = c.opts.Output(m.Addr)
		cmd.Stderr = cmd.Stdout
	}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "MUSTER_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, "MUSTER_BUS_URL="+m.url, "MUSTER_RAFT_SECRET="+c.secret)
	return cmd
}

// verb is the command of muster that runs the manager.
func (c *Cluster) verb(m *Manager) []string {
	if !c.opts.Cuttable {
		return []string{"manager"}
	}
	return []string{"manager", "--raft-listen", m.listen}
}

// peers are the managers that a manager gets as its peers. One that came later
// names the others only.
func (c *Cluster) peers(m *Manager) []string {
	var addrs []string
	for _, other := range c.managers {
		if other != m || !m.later {
			addrs = append(addrs, other.Addr)
		}
	}
	return addrs
}

// Crew starts other processes that end with the cluster.
func (c *Cluster) Crew() *Crew { return c.crew }

// Close ends it all at once: nothing of it is worth a slow end.
func (c *Cluster) Close() {
	for _, m := range c.managers {
		m.valve.turn(true)
	}
	c.crew.Close()
	for _, p := range c.proxies {
		p.close()
	}
	c.closeApart()
}

// at is the place of a member, nil where there is none. A master of OWT's kind
// has a process id only.
func (c *Cluster) at(member muster.Member) *Manager {
	for _, m := range c.managers {
		if m.Addr == member.Addr || c.opts.Replica != "" && m.Process.PID == member.PID {
			return m
		}
	}
	return nil
}

// errNobody is why a cluster is not healthy where no manager answered.
var errNobody = errors.New("no manager answers")

// call asks the manager that leads.
func (c *Cluster) call(ctx context.Context, method string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	raw, err := c.status.Call(ctx, c.opts.Name, method)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNobody, err)
	}
	return raw, nil
}
