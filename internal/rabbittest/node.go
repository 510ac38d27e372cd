package rabbittest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-fleet/muster/internal/childproc"
)

// startLimit bounds a start, on a machine that is busy with other tests too.
const startLimit = 4 * time.Minute

// node is one run of the Erlang machine.
type node struct {
	pid     int
	started chan error    // gets the outcome of starting the process
	ready   chan struct{} // closed when it accepts connections
	gone    chan struct{} // closed when it has ended, and its output is read

	mu     sync.Mutex
	output []string // the last lines of it
}

// startNode starts the process.
func (b *Broker) startNode() (*node, error) {
	n := &node{ready: make(chan struct{}), gone: make(chan struct{}), started: make(chan error)}
	b.nodes <- n
	return n, <-n.started
}

// runNodes runs one node after the other.
func (b *Broker) runNodes(path string) {
	launcher := childproc.NewLauncher()
	defer launcher.Close()
	for n := range b.nodes {
		n.run(launcher, b.command(path))
	}
}

func (n *node) run(launcher *childproc.Launcher, cmd *exec.Cmd) {
	defer close(n.gone)
	out, in, err := os.Pipe()
	if err != nil {
		n.started <- err
		return
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = in, in
	err = launcher.Start(cmd)
	in.Close()
	if err == nil {
		n.pid = cmd.Process.Pid
	}
	n.started <- err
	if err != nil {
		return
	}
	n.read(out)
	_ = cmd.Wait()
}

// read keeps the last lines of the output, and finds the one that says that
// the broker is up. It ends when the node has closed its output.
func (n *node) read(out io.Reader) {
	const keep = 30
	up := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n.mu.Lock()
		n.output = append(n.output, lines.Text())
		n.output = n.output[max(0, len(n.output)-keep):]
		n.mu.Unlock()
		if !up && strings.Contains(lines.Text(), "completed with") {
			up = true
			close(n.ready)
		}
	}
}

func (n *node) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	select {
	case <-n.ready:
		return nil
	case <-n.gone:
		return fmt.Errorf("the broker ended while it started:\n%s", n.tail())
	case <-ctx.Done():
		return fmt.Errorf("the broker did not start: %w:\n%s", ctx.Err(), n.tail())
	}
}

func (n *node) tail() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.output, "\n")
}

// kill ends the node and what it started, all of one process group.
func (n *node) kill() {
	_ = syscall.Kill(-n.pid, syscall.SIGKILL)
	<-n.gone
}

func (b *Broker) command(path string) *exec.Cmd {
	cmd := exec.Command(path)
	cmd.Dir = b.dir
	cmd.Env = b.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// environment holds nothing of the caller's but PATH, so that no setting of the
// system's broker reaches this one.
func (b *Broker) environment() []string {
	name := fmt.Sprintf("muster-test-%d@localhost", b.port)
	in := func(file string) string { return filepath.Join(b.dir, file) }
	search := ""
	for _, dir := range b.searchFirst {
		search += " -pa " + dir
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + in("home"),
		"LANG=C.UTF-8",
		// The script then becomes the Erlang machine instead of watching over
		// one, which leaves one process to kill.
		"RABBITMQ_ALLOW_INPUT=1",
		"RABBITMQ_NODENAME=" + name,
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(b.distributionPort),
		"RABBITMQ_NODE_PORT=" + strconv.Itoa(b.port),
		"RABBITMQ_CONF_ENV_FILE=" + in("none.conf"),
		"RABBITMQ_CONFIG_FILE=" + in("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + in("none.config"),
		"RABBITMQ_GENERATED_CONFIG_DIR=" + in("generated"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + in("plugins"),
		"RABBITMQ_MNESIA_BASE=" + in("data"),
		"RABBITMQ_LOG_BASE=" + in("log"),
		// A node that has its name and its fixed port already needs no epmd. Its
		// schedulers do not spin while they wait: others need the processors.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput -sname " + name +
			" +sbwt none +sbwtdcpu none +sbwtdio none -start_epmd false -erl_epmd_port " + strconv.Itoa(b.distributionPort) +
			" -kernel inet_dist_use_interface {127,0,0,1}" + search,
	}
	if b.scripts != "" {
		env = append(env, "RABBITMQ_SCRIPTS_DIR="+b.scripts)
	}
	return env
}
