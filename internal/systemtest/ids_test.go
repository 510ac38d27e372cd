package systemtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

// journalScript is a program that writes down when it begins and when it ends.
const journalScript = `trap 'echo "end $2" >> "$1"; exit 0' TERM
echo "start $2" >> "$1"
while :; do sleep 0.05; done
`

// twins are agents that have one id.
type twins struct {
	*rig
	journal string
	started int
}

const twinID = "video-00000000000000000001@localhost"

func (tw *twins) start() (*cluster.Process, *output) {
	tw.Helper()
	dir := filepath.Dir(tw.journal)
	tw.started++
	cmd := exec.Command(program, "agent", "--url", tw.url, "--cluster", tw.name, "--purpose", "video", "--id", twinID,
		"--load", "memory", "--max-load", "1", "--dir", filepath.Join(dir, fmt.Sprint("agent", tw.started)),
		"--", "sh", filepath.Join(dir, "program"), tw.journal, "{task}")
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	p, err := tw.Crew().Start(cmd)
	tw.must(err)
	return p, out
}

// run has a task run, as soon as it can.
func (tw *twins) run(task string) {
	tw.Helper()
	tw.until("a node for "+task, func() bool {
		p, err := tw.client.Schedule(tw.ctx, client.Request{Purpose: "video", Task: task, Reserve: time.Second})
		if err != nil {
			return false
		}
		_, err = tw.client.GetNode(tw.ctx, p.Worker, p.Order(task, nil))
		return err == nil
	})
}

// writes waits for a line of a program.
func (tw *twins) writes(line string) {
	tw.Helper()
	tw.until(line, func() bool { return tw.count(line) > 0 })
}

func (tw *twins) count(line string) int {
	text, _ := os.ReadFile(tw.journal) // there is none yet
	return bytes.Count(text, []byte(line+"\n"))
}

func (tw *twins) until(what string, holds func() bool) {
	tw.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-tw.ctx.Done():
			text, _ := os.ReadFile(tw.journal)
			tw.Fatalf("it never came to this: %s; the programs wrote %q", what, text)
		}
	}
}

func (tw *twins) ends(p *cluster.Process, out *output, why string) {
	tw.Helper()
	select {
	case <-p.Gone:
	case <-tw.ctx.Done():
	}
	if !strings.Contains(out.String(), why) {
		tw.Fatalf("the agent printed %s; want %q", out, why)
	}
}

// Of two agents with one id the second is refused while the first answers, and
// takes over where it does not: the first ends its programs when it is back.
func TestTwoAgentsWithOneID(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{})
		tw := &twins{rig: r, journal: filepath.Join(t.TempDir(), "journal")}
		r.must(os.WriteFile(filepath.Join(filepath.Dir(tw.journal), "program"), []byte(journalScript), 0o600))
		first, firstOut := tw.start()
		tw.run("a")
		tw.writes("start a")
		second, out := tw.start()
		tw.ends(second, out, "another process answers under this id")
		if starts, ends := tw.count("start a"), tw.count("end a"); starts != 1 || ends != 0 {
			t.Fatalf("starts %d, ends %d", starts, ends)
		}

		first.Signal(syscall.SIGSTOP)
		_, out = tw.start()
		tw.until("the second joins", func() bool { return out.has("joined") })
		first.Signal(syscall.SIGCONT)
		tw.writes("end a")
		tw.ends(first, firstOut, "replaced by a later process")
		tw.run("b")
		tw.writes("start b")
		if starts := tw.count("start a") + tw.count("start b"); starts != 2 {
			t.Errorf("%d programs were started", starts)
		}
		r.verify()
	})
}
