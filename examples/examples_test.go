// Package examples holds programs to start from; docs/writing-workers.md walks
// through them. Its test runs each of them under a real agent.
package examples

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// fleet is a cluster with one agent, whose nodes are the program.
type fleet struct {
	ctx    context.Context
	client *client.Client
	host   *process.Host
}

func start(t *testing.T, purpose string, c process.Command) *fleet {
	t.Helper()
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	conn, err := natsbus.Dial(ctx, bus.Options{URL: queue.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	options := manager.DefaultOptions()
	options.InitialTime = 0
	m, err := manager.Start(ctx, conn, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	host, err := process.Open(process.Options{Dir: t.TempDir(), Agent: purpose})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	c.Env = []string{"MUSTER_BUS_URL=" + queue.URL()}
	a, err := agent.Start(ctx, conn, agent.Options{
		Worker:   worker.Options{Purpose: purpose, Load: load.Func(func() float64 { return 0 })},
		Launcher: host.Program(c), ReadLog: host.ReadLog,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(context.Background()) })
	return &fleet{ctx, client.New(conn, client.Options{}), host}
}

// here is the path of a file of this directory, wherever the node runs.
func here(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLines(t *testing.T) {
	program := filepath.Join(t.TempDir(), "lines")
	if out, err := exec.Command("go", "build", "-o", program, "./lines").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f := start(t, "text", process.Command{Argv: []string{program}, Notify: true, Watchdog: 10 * time.Second})
	file := filepath.Join(t.TempDir(), "three")
	if err := os.WriteFile(file, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec, err := json.Marshal(map[string]string{"file": file})
	if err != nil {
		t.Fatal(err)
	}
	out := job.Run(f.ctx, f.client, job.Job{Purpose: "text", Task: "three", Spec: spec}, job.Options{})
	if out.Err != nil || string(out.Report.Detail) != `{"lines":3}` || out.Report.Progress == nil || *out.Report.Progress != 1 {
		t.Errorf("got %+v, detail %s", out, out.Report.Detail)
	}
	out = job.Run(f.ctx, f.client, job.Job{Purpose: "text", Task: "none", Spec: json.RawMessage(`{}`)}, job.Options{})
	if !errors.Is(out.Err, job.ErrRefused) || !strings.Contains(out.Err.Error(), "file is missing") {
		t.Errorf("got %v", out.Err)
	}
}

func TestWords(t *testing.T) {
	f := start(t, "words", process.Command{Argv: []string{"sh", here(t, "words/words.sh"), "{task}"}})
	out := job.Run(f.ctx, f.client, job.Job{Purpose: "words", Task: here(t, "words/words.sh")}, job.Options{})
	if out.Err != nil {
		t.Fatal(out.Err)
	}
	log, err := f.client.ReadLog(f.ctx, out.Worker, out.Node, 0)
	if err != nil || !strings.HasPrefix(log.Data, out.Node+" counts /") {
		t.Errorf("got %q, %v", log.Data, err)
	}
	out = job.Run(f.ctx, f.client, job.Job{Purpose: "words", Task: "/none"}, job.Options{Attempts: 1})
	if !errors.Is(out.Err, job.ErrFailed) || !strings.Contains(out.Err.Error(), "no file /none") {
		t.Errorf("got %v", out.Err)
	}
}

var quoted = regexp.MustCompile("(?s)<!-- (\\S+) -->\n```\\w*\n(.*?)```")

// The page shows the programs as they are.
func TestThePageShowsThePrograms(t *testing.T) {
	page, err := os.ReadFile("../docs/writing-workers.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := quoted.FindAllSubmatch(page, -1)
	if len(blocks) != 3 {
		t.Errorf("%d programs on the page, want 3", len(blocks))
	}
	for _, block := range blocks {
		program, err := os.ReadFile("../" + string(block[1]))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(program), string(block[2])) {
			t.Errorf("%s is not what the page shows", block[1])
		}
	}
}
