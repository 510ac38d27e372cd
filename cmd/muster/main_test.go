package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/rabbittest"
)

// The tests run the real program, as processes of their own.
var (
	program string
	rabbit  rabbittest.Shared
)

// patience bounds what a test waits for. A healthy run never comes near it.
const patience = 30 * time.Second

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "muster-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "muster")
	err = os.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config")) // where managers keep their secret
	if err == nil {
		err = os.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state")) // and users their jobs
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v0.0.0-test", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	defer rabbit.Stop()
	return m.Run()
}

// command is muster with an environment that says nothing about it.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "MUSTER_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	return cmd
}

// outcome is how a run of muster ended.
type outcome struct {
	status         int
	stdout, stderr string
}

// invoke runs it to its end, which must come.
func invoke(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	late := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() })
	err := cmd.Run()
	late.Stop()
	if cmd.ProcessState == nil {
		t.Fatalf("muster %q: %v", args, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// done runs muster, which must succeed, and returns what it printed.
func done(t *testing.T, args ...string) string {
	t.Helper()
	got := invoke(t, args...)
	if got.status != 0 || got.stderr != "" {
		t.Fatalf("muster %q: status %d, stderr %q; want 0 and nothing", args, got.status, got.stderr)
	}
	return got.stdout
}

// decoded runs muster with -o json, which must succeed, and reads its output.
func decoded[T any](t *testing.T, args ...string) T {
	t.Helper()
	var v T
	out := done(t, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("muster %q: %v in %s", args, err, out)
	}
	return v
}

// refusedWith runs muster, which must fail with the status, and returns what
// it printed.
func refusedWith(t *testing.T, status int, args ...string) outcome {
	t.Helper()
	got := invoke(t, args...)
	if got.status != status {
		t.Fatalf("muster %q: status %d, want %d; stdout %q, stderr %q", args, got.status, status, got.stdout, got.stderr)
	}
	return got
}

func contains(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%q\nlacks %q", text, want)
		}
	}
}

// process is a muster that runs.
type started struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  output
	gone chan struct{}
}

// output is what a process has printed, stdout and stderr together.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// begin starts muster. It is killed at the end of the test, if it still runs.
func begin(t *testing.T, args ...string) *started {
	t.Helper()
	return beginWith(t, nil, args...)
}

// beginWith starts muster with more environment variables.
func beginWith(t *testing.T, env []string, args ...string) *started {
	t.Helper()
	p := &started{t: t, cmd: command(args...), gone: make(chan struct{})}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.out.changed = make(chan struct{}, 1)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	// A worker that outlives the program keeps its output open. It must not be
	// closed early: to write to it would end the worker.
	p.cmd.WaitDelay = 2 * patience
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.gone
		if t.Failed() {
			t.Logf("muster %q printed:\n%s", args, p.out.String())
		}
	})
	return p
}

// await waits until the process has printed something that matches, and
// returns the match and its groups.
func (p *started) await(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(patience)
	for {
		if found := re.FindStringSubmatch(p.out.String()); found != nil {
			return found
		}
		select {
		case <-p.out.changed:
		case <-p.gone:
			if found := re.FindStringSubmatch(p.out.String()); found != nil {
				return found
			}
			p.t.Fatalf("ended without printing %s", pattern)
		case <-late:
			p.t.Fatalf("did not print %s", pattern)
		}
	}
}

func (p *started) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the end of the process, and returns its status.
func (p *started) ends(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.gone:
	case <-time.After(within):
		p.t.Fatalf("still runs after %v", within)
	}
	return p.cmd.ProcessState.ExitCode()
}

// eventually waits until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !f() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// alive reports whether a process runs. One that is dead and not yet buried by
// its parent does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err != nil || !strings.Contains(string(status), "State:\tZ")
}

// writeConfig writes a configuration file.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "muster.toml")
	rewrite(t, path, text)
	return path
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
