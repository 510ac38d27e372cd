// Package rabbittest starts private RabbitMQ brokers, for tests and for
// benchmarks: real ones, on free ports of 127.0.0.1, with files, a home and a
// cookie of their own. Several may run beside each other and beside the
// system's. They need no epmd, and on Linux the kernel ends them with the process
// that started them.
//
// A start takes some 3 to 6 seconds, so tests of one binary share a broker:
//
//	var shared rabbittest.Shared
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		shared.Stop()
//		os.Exit(code)
//	}
//
//	func TestX(t *testing.T) { dial(shared.Broker(t).URL()) }
//
// A test that kills, freezes or restarts its broker uses Start instead.
package rabbittest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// ErrNotInstalled: there is no RabbitMQ on this machine.
var ErrNotInstalled = errors.New("RabbitMQ is not installed: run 'make test', which installs it, or scripts/install-tools as root")

// User and Password are of a second user that every broker has, for tests that
// look for the password where it must not be.
const (
	User     = "operator"
	Password = "aW9ke0Ahb7"
)

// Broker is one private RabbitMQ. It lets in the user guest with the password
// guest, and User, without TLS, and over TLS if the client has a certificate of
// the broker's own authority.
type Broker struct {
	dir              string
	port, tlsPort    int
	distributionPort int
	authority        *authority
	scripts          string   // the directory of its scripts, "" for where they are installed
	searchFirst      []string // where Erlang looks for modules first

	nodes  chan *node // to the goroutine that runs them
	runner sync.WaitGroup

	mu      sync.Mutex
	node    *node // nil while it is not running
	stopped bool
}

// Launch starts a broker that keeps its files in dir, which must exist and be
// empty, and returns when it accepts connections. Stop ends it.
func Launch(ctx context.Context, dir string) (*Broker, error) {
	path, err := serverPath()
	if err != nil {
		return nil, err
	}
	ca, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("rabbittest: making certificates: %w", err)
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, fmt.Errorf("rabbittest: finding free ports: %w", err)
	}
	b := &Broker{dir: dir, port: ports[0], tlsPort: ports[1], distributionPort: ports[2], authority: ca}
	if err := b.writeFiles(); err != nil {
		return nil, fmt.Errorf("rabbittest: writing the broker's files: %w", err)
	}
	if b.scripts, b.searchFirst, err = lean(path, filepath.Join(dir, "server")); err != nil {
		return nil, fmt.Errorf("rabbittest: making the broker's home: %w", err)
	}
	b.nodes = make(chan *node)
	b.runner.Go(func() { b.runNodes(path) })
	if err := b.Restart(ctx); err != nil {
		b.Stop()
		return nil, err
	}
	return b, nil
}

// Addr is the host and port of AMQP without TLS.
func (b *Broker) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// PID is the process that runs now, 0 while none does.
func (b *Broker) PID() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.node == nil {
		return 0
	}
	return b.node.pid
}

// URL is where the broker is, with user and password.
func (b *Broker) URL() string { return "amqp://guest:guest@" + b.Addr() + "/" }

// TLSURL is where the broker is for clients that use ClientTLS.
func (b *Broker) TLSURL() string {
	return fmt.Sprintf("amqps://guest:guest@127.0.0.1:%d/", b.tlsPort)
}

// ClientTLS trusts the broker's authority, and holds a certificate of it.
func (b *Broker) ClientTLS() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      b.authority.pool,
		Certificates: []tls.Certificate{b.authority.client},
	}
}

// Restart starts the broker again on the same ports after Kill, and returns
// when it accepts connections.
func (b *Broker) Restart(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.node != nil || b.stopped {
		return errors.New("rabbittest: the broker is running already, or was stopped for good: Kill it first")
	}
	n, err := b.startNode()
	if err != nil {
		return fmt.Errorf("rabbittest: %w", err)
	}
	if err := n.waitReady(ctx); err != nil {
		n.kill()
		return fmt.Errorf("rabbittest: %w", err)
	}
	b.node = n
	return nil
}

// Kill ends the broker at once with SIGKILL, and returns when it is gone.
func (b *Broker) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kill()
}

func (b *Broker) kill() {
	if b.node != nil {
		b.node.kill()
		b.node = nil
	}
}

// Stop ends the broker for good, also with SIGKILL: there is nothing worth a
// slow shutdown in its files. The files stay; they belong to the directory's owner.
func (b *Broker) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kill()
	if !b.stopped {
		b.stopped = true
		close(b.nodes)
	}
	b.runner.Wait()
}

// Freeze halts the broker with SIGSTOP: its connections stay open and silent.
// It returns when the broker has stopped.
func (b *Broker) Freeze() error {
	if err := b.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return awaitHalt(b.node.pid)
}

// Thaw lets a frozen broker go on.
func (b *Broker) Thaw() error { return b.signal(syscall.SIGCONT) }

func (b *Broker) signal(s syscall.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.node == nil {
		return errors.New("rabbittest: the broker is not running")
	}
	return syscall.Kill(-b.node.pid, s)
}

// serverPath prefers the script itself to the wrapper that Debian puts in PATH,
// which insists on the user rabbitmq and on the system's directories.
func serverPath() (string, error) {
	const script = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	if _, err := os.Stat(script); err == nil {
		return script, nil
	}
	path, err := exec.LookPath("rabbitmq-server")
	if err != nil {
		return "", ErrNotInstalled
	}
	return path, nil
}
