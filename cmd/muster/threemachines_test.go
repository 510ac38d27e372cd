package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// page is docs/three-machines.md with the addresses of a test in place of those
// of the machines.
type page struct {
	t      *testing.T
	net    string // its first three numbers
	config string
	shell  []string // manager, worker, caller
}

func readPage(t *testing.T) *page {
	text, err := os.ReadFile("../../docs/three-machines.md")
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t: t, net: fmt.Sprintf("127.%d.%d.", 1+rand.N(254), rand.N(256))}
	here := strings.ReplaceAll(string(text), "10.0.0.", p.net)
	for _, block := range regexp.MustCompile("(?s)```(toml|sh)\n(.*?)```").FindAllStringSubmatch(here, -1) {
		if block[1] == "toml" {
			p.config = block[2]
		} else {
			p.shell = append(p.shell, block[2])
		}
	}
	if p.config == "" || len(p.shell) != 3 {
		t.Fatalf("the page has %d shell blocks, want 3 and a configuration", len(p.shell))
	}
	return p
}

// own is the configuration of the machine of that number.
func (p *page) own(machine int) string {
	lines := strings.Split(p.config, "\n")
	for i, line := range lines {
		if strings.HasSuffix(line, "# own address") {
			lines[i] = strings.Replace(line, p.net+"1:", fmt.Sprintf("%s%d:", p.net, machine), 1)
		}
	}
	return strings.Join(lines, "\n")
}

// shellCommand is a block of the page, run in dir.
func (p *page) shellCommand(dir, block string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command("sh", "-ec", block)
	cmd.Dir = dir
	cmd.Env = append(command().Env, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// begin runs a block until the test ends or kill is called.
func (p *page) begin(dir, block string) (kill func()) {
	p.t.Helper()
	cmd, out := p.shellCommand(dir, block)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := false
	kill = func() {
		if !ended {
			ended = true
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait()
		}
	}
	p.t.Cleanup(func() {
		kill()
		if p.t.Failed() {
			p.t.Logf("%s\n%s", block, out)
		}
	})
	return kill
}

// await runs a block until it succeeds and its output fits.
func (p *page) await(block string, fits func(string) bool) string {
	p.t.Helper()
	last := ""
	for end := time.Now().Add(2 * patience); time.Now().Before(end); {
		cmd, out := p.shellCommand(p.t.TempDir(), block)
		err := cmd.Run()
		if last = out.String(); err == nil && fits(last) {
			return last
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.t.Fatalf("%s\nis never as wanted, last:\n%s", block, last)
	return ""
}

// TestThreeMachines runs the page: with three managers and the queues inside
// them, any one of them may go.
func TestThreeMachines(t *testing.T) {
	p := readPage(t)
	var kill [4]func()
	for machine := 1; machine <= 3; machine++ {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "muster.toml"), []byte(p.own(machine)), 0o600); err != nil {
			t.Fatal(err)
		}
		kill[machine] = p.begin(dir, p.shell[0])
	}
	joined := strings.Replace(p.shell[2], "schedule video room-1", "workers -o json", 1)
	p.await(joined, func(string) bool { return true })
	for range 3 {
		p.begin(t.TempDir(), p.shell[1])
	}
	three := func(out string) bool { return strings.Count(out, `"id"`) >= 3 }
	p.await(joined, three)
	first := p.await(p.shell[2], func(string) bool { return true })
	for machine := 1; machine <= 2; machine++ {
		kill[machine]()
		if machine == 2 { // no quorum: a look-up is answered, marked
			break
		}
		if again := p.await(p.shell[2], func(string) bool { return true }); again != first {
			t.Errorf("room-1 was on %s, is on %s", first, again)
		}
		p.await(strings.Replace(p.shell[2], "room-1", "room-2", 1), func(string) bool { return true })
		p.await(joined, three)
	}
	p.await(joined, func(out string) bool { return strings.Contains(out, "no quorum") && three(out) })
}
