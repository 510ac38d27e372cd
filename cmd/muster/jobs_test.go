package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-fleet/muster/internal/batch"
)

// inFiles makes empty files, some in directories, and returns theirs.
func inFiles(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// jobOf is what 'muster jobs' says of a batch.
func jobOf(t *testing.T, id string) jobLine {
	t.Helper()
	for _, l := range decoded[[]jobLine](t, "jobs") {
		if l.Job == id {
			return l
		}
	}
	t.Fatalf("no job %s", id)
	return jobLine{}
}

// A batch outlives its submitter, is shown, and what failed in it is done again
// as a new one.
func TestABatchInTheBackground(t *testing.T) {
	c := upWithoutWorkers(t)
	dir := inFiles(t, "a", "b/c", "b/bad")
	flag := filepath.Join(dir, "mended")
	beginAgent(t, c.url, "shell", "--", "sh", "-c", `case {task} in *bad) test -e `+flag+`;; esac`)
	id := strings.TrimSpace(ran(t, "run", "shell", "--each", dir+"/**", "--spec", `["{file}"]`, "--attempts", "1", "--detach", "--url", c.url))
	eventually(t, "the batch does not end", func() bool { return jobOf(t, id).State == "ended" })
	if l := jobOf(t, id); l.Tasks != 3 || l.Done != 2 || l.Failed != 1 || l.Left != 0 {
		t.Errorf("got %+v", l)
	}
	shown := refusedWith(t, 1, "jobs", "show", id, "-o", "csv")
	contains(t, shown.stderr, "1 of 3 tasks failed", "muster jobs retry "+id)
	rows, err := csv.NewReader(strings.NewReader(shown.stdout)).ReadAll()
	if err != nil || len(rows) != 4 || rows[0][1] != "task" || rows[2][6] != "failed" && rows[3][6] != "failed" {
		t.Errorf("got %q, %v", rows, err)
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, ran(t, "jobs", "retry", id, "--url", c.url), "b/bad", "done")
	contains(t, refusedWith(t, 1, "jobs", "cancel", id).stderr, "does not run")
	contains(t, refusedWith(t, 1, "jobs", "show", "none").stderr, "no such job: none")
}

// Ctrl-C says what was stopped and what was not begun, and the rest can be done
// again; so can that of a batch in the background that is cancelled.
func TestABatchIsCutShort(t *testing.T) {
	c := upWithoutWorkers(t)
	dir := inFiles(t, "1", "2", "3")
	beginAgent(t, c.url, "shell", "--max-tasks", "1", "--", "sh", "-c", "exec sleep 1000")
	batch := []string{"run", "shell", "--each", dir + "/*", "--spec", `["{file}"]`, "--url", c.url}
	r := begin(t, batch...)
	r.await(`/1: running on`)
	r.signal(syscall.SIGINT)
	r.await(`interrupted: 0 of 3 tasks are done, 0 failed, 1 were stopped, 2 were not begun; do the rest again with: muster jobs retry shell-`)
	if status := r.ends(patience); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	id := strings.TrimSpace(ran(t, append(batch, "--detach")...))
	eventually(t, "no task runs", func() bool { return strings.Contains(done(t, "tasks", "--url", c.url), "running") })
	contains(t, refusedWith(t, 1, "jobs", "retry", id, "--url", c.url).stderr, "still runs")
	contains(t, done(t, "jobs", "cancel", id), "being stopped")
	eventually(t, "the batch goes on", func() bool { return jobOf(t, id).State == "cut short" })
	contains(t, done(t, "tasks", "--url", c.url), "no tasks")
	if l := jobOf(t, id); l.Left != 3 {
		t.Errorf("got %+v", l)
	}
}

// The process of a batch is killed half-way: what ran goes on, and the next one takes
// what was made meanwhile, joins what still runs, and begins the rest. Each task is
// begun once.
func TestTheSubmitterIsKilled(t *testing.T) {
	c := upWithoutWorkers(t)
	dir, starts := t.TempDir(), filepath.Join(t.TempDir(), "starts")
	release := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("now\n"), 0); err != nil { // waits for the task to read
			t.Error(err)
		}
	}
	for _, name := range []string{"1", "2", "3"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	beginAgent(t, c.url, "shell", "--max-tasks", "2", "--", "sh", "-c", "echo {task} >> "+starts+"; read line < {task}")
	id := strings.TrimSpace(ran(t, "run", "shell", "--each", dir+"/*", "--spec", `["{file}"]`, "--detach", "--url", c.url))
	eventually(t, "two tasks do not run", func() bool {
		text, _ := os.ReadFile(starts)
		return strings.Count(string(text), "\n") == 2
	})
	contains(t, refusedWith(t, 1, "jobs", "show", id).stdout, "running", "not begun")
	store, err := batch.Home()
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	_, pid := b.Running()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the batch is not cut short", func() bool { return jobOf(t, id).State == "cut short" })
	shown := refusedWith(t, 1, "jobs", "show", id)
	contains(t, shown.stdout, "begun", "not begun")
	contains(t, shown.stderr, "0 of 3 tasks are done", "2 were begun and may have ended since, 1 were not begun")
	release("1")
	eventually(t, "the task does not end by itself", func() bool { return strings.Contains(done(t, "history", "--url", c.url), dir+"/1") })
	again := begin(t, "jobs", "retry", id, "--url", c.url)
	again.await(`/2: running on`) // it has joined the task
	again.await(`/3: running on`)
	release("2")
	release("3")
	if status := again.ends(patience); status != 0 {
		t.Errorf("status %d, want 0: %s", status, again.out.String())
	}
	if text, err := os.ReadFile(starts); err != nil || strings.Count(string(text), "\n") != 3 {
		t.Errorf("begun were %q, %v", text, err)
	}
}

// A list names files, and members of the spec for some of them alone.
func TestAListOfFiles(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	text := "in/a.mov\n\n" + `{"file": "mount:films/b.mp4", "spec": {"start_seconds": 3}}` + "\n/abs/c.mkv\n"
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &runner{list: list, spec: `{"input":"{file}","output":"out/{relpath}.mp4","ladder":[{"height":60}]}`, attempts: 1}
	jobs, err := r.jobs([]string{"video"})
	if err != nil || len(jobs) != 3 {
		t.Fatalf("got %v, %v", jobs, err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		task, output string
		start        float64
	}{{"in/a.mov", "in/a.mp4", 0}, {"mount:films/b.mp4", "films/b.mp4", 3}, {"/abs/c.mkv", "abs/c.mp4", 0}} {
		want.output = filepath.Join(here, "out", want.output)
		var spec struct {
			Output string  `json:"output"`
			Start  float64 `json:"start_seconds"`
		}
		if err := json.Unmarshal(jobs[i].Spec, &spec); err != nil || jobs[i].Task != want.task || spec.Output != want.output || spec.Start != want.start {
			t.Errorf("got %s %s, want %+v", jobs[i].Task, jobs[i].Spec, want)
		}
	}
	if wants, _ := json.Marshal(jobs[1].Preference); string(wants) != `{"labels":{"mount.films":{"exists":true}}}` {
		t.Errorf("the mount asks for %s", wants)
	}
	for text, want := range map[string]string{"a\na\n": "twice", "{\"fil\": 1}\n": "line 1", "\n": "no file"} {
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.jobs([]string{"video"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is the error %v", text, err)
		}
	}
}
