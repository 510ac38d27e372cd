//go:build unix

package process

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patienceOfTests is how long a test waits for what must come soon.
const patienceOfTests = 2 * time.Minute

// logged is what a host said.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// open opens a host that is closed with the test.
func open(t *testing.T, opts Options) *Host {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	if opts.Agent == "" {
		opts.Agent = "test"
	}
	said := &logged{}
	if opts.Logger == nil {
		opts.Logger = said.logger()
	}
	h, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(said)
		}
	})
	return h
}

// eachRealm runs a test with control groups, where the machine has them, and
// without.
func eachRealm(t *testing.T, test func(t *testing.T, h *Host)) {
	t.Run("groups", func(t *testing.T) { test(t, open(t, Options{})) })
	t.Run("bare", func(t *testing.T) { test(t, open(t, Options{NoCgroups: true})) })
}

// shell is a command that runs a script.
func shell(script string) Command { return Command{Argv: []string{"/bin/sh", "-c", script}} }

// itself is a command that runs this binary in a role.
func itself(role string, env ...string) Command {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	// The race detector would let each process sleep for a second at its end.
	return Command{Argv: []string{program}, Env: append(env, varRole+"="+role, "GORACE=atexit_sleep_ms=0")}
}

func launch(t *testing.T, h *Host, l Launcher, s Spec) Node {
	t.Helper()
	if s.ID == "" {
		s.ID = "test_1"
	}
	n, err := l.Launch(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func run(t *testing.T, h *Host, c Command) Node {
	t.Helper()
	return launch(t, h, h.Program(c), Spec{})
}

// soon waits for an event.
func soon(t *testing.T, event <-chan struct{}, what string) {
	t.Helper()
	late := time.NewTimer(patienceOfTests)
	defer late.Stop()
	select {
	case <-event:
	case <-late.C:
		t.Fatalf("%s did not come within %v", what, patienceOfTests)
	}
}

// end waits until a node has ended, and returns how.
func end(t *testing.T, n Node) error {
	t.Helper()
	soon(t, n.Done(), "the end of the node")
	return n.Err()
}

// failsWith waits for the end of a node, which must have failed with all of
// these words.
func failsWith(t *testing.T, n Node, words ...string) {
	t.Helper()
	err := end(t, n)
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("got error %v; want one with %q", err, w)
		}
	}
}

// output returns all that a node has written.
func output(t *testing.T, h *Host, node string) string {
	t.Helper()
	var all []byte
	for offset := int64(0); ; {
		c, err := h.ReadLog(node, offset, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Data) == 0 {
			return string(all)
		}
		all, offset = append(all, c.Data...), c.Next
	}
}

// fifo is a pipe with a name. What reads it waits for somebody to write.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// heard waits for what is written to a fifo, until all writers have closed it.
func heard(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}
