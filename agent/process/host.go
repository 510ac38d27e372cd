package process

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/muster-fleet/muster/agent/process/internal/nodelog"
	"github.com/muster-fleet/muster/internal/childproc"
	"github.com/muster-fleet/muster/internal/lockfile"
)

// Host runs the nodes of one agent.
type Host struct {
	opts Options
	lock *lockfile.Lock
	// id names the directory, and run this host of all that have had it: all
	// that is started carries both.
	id, run  string
	count    atomic.Int64 // of nodes that were started
	orphans  int
	sockets  string // directory
	logs     *nodelog.Store
	launcher *childproc.Launcher
	platform platform // what the system gives to tell nodes apart

	writeScript sync.Once // of passConfig
	scriptErr   error

	running  sync.WaitGroup // nodes, from before their start
	carriers sync.WaitGroup // goroutines that carry output

	mu     sync.Mutex
	nodes  map[string]*node // nil while it is being started
	closed bool
}

// Directories within Options.Dir.
const (
	dirLogs    = "logs"
	dirRecords = "nodes"
	dirSpecs   = "specs"
	dirSockets = "run"
)

// ErrTaken is why Open fails where another host has Options.Dir.
var ErrTaken = errors.New("another agent has this directory")

// Open takes Options.Dir, ends what an earlier host of it has left behind, and
// makes ready for nodes. The error names the option that is at fault.
func Open(opts Options) (*Host, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	h := &Host{opts: opts, run: nonce(4), nodes: map[string]*node{}}
	if err := h.open(); err != nil {
		if h.lock != nil {
			_ = h.lock.Close()
		}
		return nil, fmt.Errorf("process: Options.Dir %s: %w", opts.Dir, err)
	}
	h.launcher = childproc.NewLauncher()
	return h, nil
}

func (h *Host) open() (err error) {
	for _, dir := range []string{dirRecords, dirSpecs} {
		if err := os.MkdirAll(h.path(dir), 0o700); err != nil {
			return err
		}
	}
	var held *lockfile.HeldError
	switch h.lock, err = lockfile.Take(h.path("lock")); {
	case errors.As(err, &held):
		return fmt.Errorf("%w (%w): give each a directory of its own, or end that one", ErrTaken, held)
	case err != nil:
		return err
	}
	if h.id, err = identity(h.path("id")); err != nil {
		return err
	}
	if err = h.openRealm(); err != nil {
		return err
	}
	if err := h.clear(); err != nil {
		return err
	}
	h.logs, err = nodelog.Open(h.path(dirLogs), h.opts.LogSize, h.opts.LogFiles, h.opts.LogNodes)
	return err
}

// Dir is the agent's directory.
func (h *Host) Dir() string { return h.opts.Dir }

func (h *Host) path(parts ...string) string {
	return filepath.Join(append([]string{h.opts.Dir}, parts...)...)
}

// identity reads the directory's own name, or gives it one.
func identity(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if id := strings.TrimSpace(string(raw)); err == nil && len(id) == 32 {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := nonce(16)
	return id, os.WriteFile(path, []byte(id+"\n"), 0o600)
}

func nonce(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("%x", b)
}

// clear ends what an earlier host has left, and makes the directories anew
// that only serve running nodes.
func (h *Host) clear() (err error) {
	records, err := h.readRecords()
	if err != nil {
		return err
	}
	h.orphans = h.endOrphans(records)
	if h.orphans > 0 {
		h.opts.Logger.Warn("ended processes of an earlier agent", "processes", h.orphans)
	}
	for _, dir := range []string{dirRecords, dirSpecs} {
		if err := errors.Join(os.RemoveAll(h.path(dir)), os.Mkdir(h.path(dir), 0o700)); err != nil {
			return err
		}
	}
	h.sockets, err = socketDir(h.path(dirSockets), h.id)
	return err
}

// Orphans is how many processes of an earlier host Open has ended.
func (h *Host) Orphans() int { return h.orphans }

// Close kills the nodes that still run, and returns when nothing of the host
// is left.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		h.running.Wait()
		return nil
	}
	h.closed = true
	for _, n := range h.nodes {
		if n != nil {
			n.Stop(0)
		}
	}
	h.mu.Unlock()
	h.running.Wait()
	h.carriers.Wait()
	h.launcher.Close()
	h.closeRealm()
	return errors.Join(h.removeSecrets(), os.RemoveAll(h.sockets), h.lock.Close())
}

// reserve takes a node's name, unless a node has it.
func (h *Host) reserve(id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errors.New("process: the host is closed")
	}
	if _, taken := h.nodes[id]; taken {
		return fmt.Errorf("process: Spec.ID: node %s is running", id)
	}
	h.nodes[id] = nil
	h.running.Add(1)
	return nil
}

// enter takes a node that was started among those that run.
func (h *Host) enter(n *node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nodes[n.spec.ID] = n
	if h.closed { // while it was being started
		n.Stop(0)
	}
}

// forget gives a node's name back.
func (h *Host) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.nodes, id)
}

// alive are the nodes that run.
func (h *Host) alive() []*node {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*node, 0, len(h.nodes))
	for _, n := range h.nodes {
		if n != nil {
			all = append(all, n)
		}
	}
	return all
}
