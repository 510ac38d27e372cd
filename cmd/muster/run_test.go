package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/job"
)

// clip makes a small file with picture and sound, and returns its path.
func clip(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=2",
		"-f", "lavfi", "-i", "sine=duration=2", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return path
}

// height is that of the picture in a file.
func height(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=height", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	return strings.TrimSpace(string(out))
}

// beginAgent starts an agent and waits until it is a member.
func beginAgent(t *testing.T, url, purpose string, args ...string) (a *started, id string) {
	t.Helper()
	all := append([]string{"agent", "--purpose", purpose, "--url", url, "--load", "memory", "--max-load", "1", "--dir", t.TempDir()}, args...)
	a = begin(t, all...)
	return a, a.await(`(?m)^(` + purpose + `-[0-9a-f]{20}@\S+)$`)[1]
}

// ran runs a command that prints its progress on stderr, and returns
// what it printed on stdout.
func ran(t *testing.T, args ...string) string {
	t.Helper()
	return refusedWith(t, 0, args...).stdout
}

// upWithoutWorkers is a cluster that waits for agents.
func upWithoutWorkers(t *testing.T) *cluster { return beginUp(t, "--workers", "0") }

func TestMediaFromUpToTheFile(t *testing.T) {
	c := beginUp(t, "--media", "--root", os.TempDir())
	in, out := clip(t, "in.mp4"), t.TempDir()
	spec := `{"input":"` + in + `","output":"` + out + `","ladder":[{"height":60,"codec":"h264"}]}`
	contains(t, ran(t, "run", "video", "clip", "--wait", "--spec", spec, "--url", c.url), "clip", "1", "done")
	files, _ := filepath.Glob(filepath.Join(out, "*"))
	if len(files) != 1 || height(t, files[0]) != "60" {
		t.Errorf("got %v", files)
	}
	contains(t, done(t, "tasks", "--url", c.url), "no tasks")
	wrong := refusedWith(t, 1, "run", "video", "clip", "--spec", `{"input":"`+in+`","hight":60}`, "--url", c.url)
	contains(t, wrong.stderr, "hight")
	missing := refusedWith(t, 1, "run", "video", "clip", "--wait", "--attempts", "1",
		"--spec", strings.Replace(spec, "in.mp4", "none.mp4", 1), "--url", c.url)
	contains(t, missing.stderr, "none.mp4")
}

// The workers of up use the files of the directory in which it runs and no others,
// and whoever is refused is told how to open more. Relative paths are the caller's.
func TestUpKeepsToItsDirectory(t *testing.T) {
	t.Chdir(filepath.Dir(clip(t, "in.mp4")))
	c := beginUp(t, "--media")
	contains(t, ran(t, "run", "video", "inside", "--wait", "--spec", `{"input":"in.mp4","output":"out","ladder":[{"height":60}]}`, "--url", c.url), "done")
	if _, err := os.Stat(filepath.Join("out", "in-60p.mp4")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile("list.m3u8", []byte("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	for spec, want := range map[string]string{
		`{"input":"/etc/passwd","output":"out","ladder":[{"height":60}]}`:               "outside the directory",
		`{"input":"in.mp4","output":"` + outside + `","ladder":[{"height":60}]}`:        "outside the directory",
		`{"input":"list.m3u8","output":"out","ladder":[{"height":60}]}`:                 "is a playlist",
		`{"input":"concat:/etc/passwd|in.mp4","output":"out","ladder":[{"height":60}]}`: "concat: is not allowed",
	} {
		refused := refusedWith(t, 1, "run", "video", "outside", "--wait", "--spec", spec, "--url", c.url)
		contains(t, refused.stderr, want)
		if !strings.Contains(spec, "concat") {
			contains(t, refused.stderr, `with another --root ("" is anywhere)`)
		}
	}
	sub := filepath.Join(outside, "elsewhere")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(sub)
	refused := refusedWith(t, 1, "run", "video", "relative", "--wait", "--spec", `{"input":"in.mp4","output":"out","ladder":[{"height":60}]}`, "--url", c.url)
	contains(t, refused.stderr, filepath.Join(sub, "in.mp4"))
}

func TestRunForEachFile(t *testing.T) {
	c := beginUp(t, "--media", "--root", "")
	dir, out := filepath.Dir(clip(t, "a.mp4")), t.TempDir()
	data, err := os.ReadFile(filepath.Join(dir, "a.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.mp4"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join(dir, "spec.json")
	text := `{"transcode":{"input":"{file}","output":"` + out + `/{stem}","ladder":[{"height":60,"codec":"h264"}]}}`
	if err := os.WriteFile(spec, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := ran(t, "run", "video", "--each", filepath.Join(dir, "*.mp4"), "--spec", spec, "--url", c.url, "-o", "json")
	contains(t, got, `"task": "`+filepath.Join(dir, "a.mp4")+`"`, `"task": "`+filepath.Join(dir, "b.mp4")+`"`, `"result": "done"`)
	for _, stem := range []string{"a", "b"} {
		files, _ := filepath.Glob(filepath.Join(out, stem, "*"))
		if len(files) != 1 || height(t, files[0]) != "60" {
			t.Errorf("%s: got %v", stem, files)
		}
	}
}

// What was there already is distinguished from what was made, and what is not as
// one might expect has a column.
func TestRunShowsWarningsAndWhatWasKept(t *testing.T) {
	c := beginUp(t, "--media", "--root", "")
	dir := filepath.Dir(clip(t, "a.mp4"))
	args := []string{"run", "video", "--each", filepath.Join(dir, "*.mp4"), "--url", c.url,
		"--spec", `{"input":"{file}","output":"` + t.TempDir() + `","ladder":[{"height":480},{"height":60}],"existing":"keep"}`}
	contains(t, ran(t, args...), "WARNINGS", "rung_skipped", "done")
	contains(t, done(t, "history", "--url", c.url), "WARNINGS", "rung_skipped", "done")
	contains(t, done(t, "task", "video", filepath.Join(dir, "a.mp4"), "--url", c.url), "attempts", "rung_skipped: ", "done")
	contains(t, ran(t, args...), "kept")
	contains(t, ran(t, append(args, "-o", "json")...), `"result": "kept"`, `"name": "rung_skipped"`)
}

// Two files with one output are found before any task starts.
func TestRunRefusesOneOutputForTwoFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.mp4", "a.mov", "x/b.mp4", "y/b.mp4"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		pattern, output string
		refused         bool
	}{
		{"a.*", "out/{stem}", true}, {"a.*", "out", true}, {"a.*", "out/{stem}-{ext}", false},
		{"*/b.mp4", "out", true}, {"*/b.mp4", "out/{relpath}", false}, {"*/b.mp4", "{dir}/out", false},
	} {
		spec := `{"input":"{file}","output":"` + c.output + `","ladder":[{"height":60}]}`
		r := &runner{each: filepath.Join(dir, c.pattern), spec: spec, attempts: 1}
		jobs, err := r.jobs([]string{"video"})
		if refused := err != nil && strings.Contains(err.Error(), "would both write"); refused != c.refused {
			t.Errorf("%s into %s: %v, %v", c.pattern, c.output, jobs, err)
		}
	}
}

// Two machines of which one has the files: a mount is asked for by its label,
// and a plain path finds the worker that has it.
func TestFilesOnOneMachineOnly(t *testing.T) {
	c := upWithoutWorkers(t)
	films, empty, out := filepath.Dir(clip(t, "a.mp4")), t.TempDir(), t.TempDir()
	_, with := beginAgent(t, c.url, "video", "--mount", "films="+films, "--mount", "out="+out, "--root", films)
	_, without := beginAgent(t, c.url, "video", "--mount", "out="+out, "--root", empty)
	contains(t, ran(t, "run", "video", "mounted", "--wait", "--url", c.url,
		"--spec", `{"input":"mount:films/a.mp4","output":"mount:out/x","ladder":[{"height":60}]}`), with, "done")
	for i := range 4 { // one of them is sent to the wrong worker first, or none is
		task := fmt.Sprint("plain-", i)
		table := ran(t, "run", "video", task, "--wait", "--url", c.url,
			"--spec", `{"input":"`+filepath.Join(films, "a.mp4")+`","output":"mount:out/`+task+`","ladder":[{"height":60}]}`)
		contains(t, table, with, "done")
		if strings.Contains(table, "left out") {
			contains(t, table, without+" was left out", "outside the directory "+empty)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(out, "*", "*.mp4")); len(files) != 5 {
		t.Errorf("got %q", files)
	}
	contains(t, refusedWith(t, 2, "agent", "--purpose", "video", "--mount", "films").stderr, "NAME=DIR")
}

// Two machines that see nothing of the caller's files, nor of each other's: with
// --stage inputs go there and results come back, and nothing stays.
func TestStagedFiles(t *testing.T) {
	c := upWithoutWorkers(t)
	dir := filepath.Dir(clip(t, "a.mp4"))
	data, err := os.ReadFile(filepath.Join(dir, "a.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.mp4", "c d?.mp4"} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var theirs []string
	for range 2 {
		root, temp := t.TempDir(), t.TempDir()
		theirs = append(theirs, root, temp)
		t.Setenv("TMPDIR", temp)
		beginAgent(t, c.url, "video", "--root", root, "--max-tasks", "1")
	}
	t.Setenv("TMPDIR", "")
	spec := `{"input":"{file}","output":"` + dir + `/out/{stem}","ladder":[{"height":60},{"height":30}]}`
	args := []string{"run", "video", "--each", filepath.Join(dir, "*.mp4"), "--spec", spec, "--url", c.url, "-o", "json"}
	contains(t, refusedWith(t, 1, args...).stdout, "outside the directory")
	contains(t, ran(t, append(args, "--stage")...), `"result": "done"`, filepath.Join(dir, "out", "a", "a-60p.mp4"))
	for _, stem := range []string{"a", "b", "c d?"} {
		for _, lines := range []string{"60", "30"} {
			if got := height(t, filepath.Join(dir, "out", stem, stem+"-"+lines+"p.mp4")); got != lines {
				t.Errorf("%s has the height %s, not %s", stem, got, lines)
			}
		}
	}
	for _, own := range theirs {
		if left, _ := filepath.Glob(filepath.Join(own, "*.mp4")); len(left) > 0 {
			t.Errorf("a worker has %q in its root", left)
		}
		if left, _ := filepath.Glob(filepath.Join(own, "muster-stage-*")); len(left) > 0 {
			t.Errorf("a worker still has %q", left)
		}
	}
	again := refusedWith(t, 1, append(args, "--stage")...).stdout
	contains(t, again, "exists already", filepath.Join(dir, "out", "a", "a-60p.mp4"))
	record := `{"record":{"input":"` + filepath.Join(dir, "a.mp4") + `","output":"` + dir + `/rec"}}`
	contains(t, refusedWith(t, 1, "run", "video", "x", "--wait", "--stage", "--spec", record, "--url", c.url).stderr, "cannot be staged")
	contains(t, refusedWith(t, 2, "run", "video", "x", "--stage", "--spec", record, "--url", c.url).stderr, "--stage needs --wait")
}

// Nodes under a user of their own write files of that user, and read none that it
// may not.
func TestNodesOfAnotherUser(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if os.Geteuid() != 0 || err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("CI must run it as root, with a user nobody: %v", err)
		}
		t.Skip("needs root, and the user nobody")
	}
	c := upWithoutWorkers(t)
	in := clip(t, "in.mp4")
	root := filepath.Dir(in)
	for dir, mode := range map[string]os.FileMode{root: 0o777, filepath.Dir(root): 0o755, filepath.Dir(program): 0o755} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	beginAgent(t, c.url, "video", "--root", root, "--run-as", "nobody")
	spec := `{"input":"` + in + `","output":"` + root + `/out","ladder":[{"height":60}]}`
	contains(t, ran(t, "run", "video", "x", "--wait", "--spec", spec, "--url", c.url), "done")
	info, err := os.Stat(filepath.Join(root, "out", "in-60p.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid); owner != nobody.Uid {
		t.Errorf("the result belongs to the user %s, not %s", owner, nobody.Uid)
	}
	if err := os.Chmod(in, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := refusedWith(t, 1, "run", "video", "y", "--wait", "--spec", strings.Replace(spec, "/out", "/out2", 1), "--url", c.url)
	contains(t, strings.ToLower(refused.stderr), "permission denied")
	contains(t, refusedWith(t, 2, "agent", "--purpose", "video", "--run-as", "no such user", "--url", c.url, "--dir", t.TempDir()).stderr, "--run-as: ")
}

// Any program: the task's exit status is the program's, and what it prints can
// be read from elsewhere.
func TestAnyProgramAsANode(t *testing.T) {
	c := upWithoutWorkers(t)
	_, id := beginAgent(t, c.url, "shell", "--", "sh", "-c", `echo "does {task}"; test {task} = good`)
	contains(t, ran(t, "run", "shell", "good", "--wait", "--url", c.url), "good", id, "done")
	bad := refusedWith(t, 1, "run", "shell", "bad", "--wait", "--attempts", "2", "--url", c.url)
	contains(t, bad.stderr, "after 2 attempts", "exit status 1")
	contains(t, done(t, "logs", id+"_0", "--url", c.url), "does good")
	contains(t, refusedWith(t, 2, "logs", "nonsense", "--url", c.url).stderr, "is no node")
}

// What failed without anybody waiting is found later, also after a restart of
// its agent, and waiting for it answers at once.
func TestATaskHasAStory(t *testing.T) {
	c := upWithoutWorkers(t)
	dir, flag := t.TempDir(), filepath.Join(t.TempDir(), "go")
	if err := syscall.Mkfifo(flag, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"agent", "--purpose", "shell", "--id", "shell-1", "--url", c.url, "--load", "memory", "--max-load", "1", "--dir", dir,
		"--", "sh", "-c", "read line < " + flag + "; echo {task}; test {task} = good"}
	a := begin(t, args...)
	a.await(`(?m)^shell-1$`)
	done(t, "run", "shell", "bad", "--url", c.url)
	contains(t, done(t, "task", "shell", "bad", "--url", c.url), "running", "shell-1_")
	waiting := begin(t, "wait", "shell", "bad", "--url", c.url)
	if err := os.WriteFile(flag, []byte("now\n"), 0); err != nil {
		t.Fatal(err)
	}
	waiting.await("shell bad failed: .*exit status 1")
	if status := waiting.ends(patience); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	eventually(t, "the end is not reported", func() bool { return strings.Contains(done(t, "history", "--failed", "--url", c.url), "bad") })
	contains(t, done(t, "task", "shell", "bad", "--url", c.url), "failed", "exit status 1", "ended")
	a.signal(syscall.SIGKILL)
	a.ends(patience)
	begin(t, args...).await(`(?m)^shell-1$`)
	contains(t, done(t, "task", "shell", "bad", "--url", c.url), "failed", "exit status 1")
	contains(t, refusedWith(t, 1, "wait", "shell", "bad", "--url", c.url).stderr, "exit status 1")
	contains(t, refusedWith(t, 1, "task", "shell", "none", "--url", c.url).stderr, "nothing is known of the task")
}

// A long task is followed, found among the nodes, and stopped.
func TestRunWithoutWaitingThenStop(t *testing.T) {
	c := upWithoutWorkers(t)
	_, id := beginAgent(t, c.url, "shell", "--", "sh", "-c", `echo begun {task}; exec sleep 1000`)
	contains(t, done(t, "run", "shell", "long", "--url", c.url), "shell long runs on "+id+"_")
	contains(t, done(t, "nodes", "--url", c.url), id+"_", "busy", "long")
	contains(t, done(t, "tasks", "--url", c.url), "long", "running")
	contains(t, refusedWith(t, 1, "nodes", "NOSUCH", "--url", c.url).stderr, "no worker NOSUCH is known", id)
	contains(t, refusedWith(t, 1, "logs", "NOSUCH_0", "--url", c.url).stderr, "no worker NOSUCH is known", id)
	contains(t, refusedWith(t, 1, "run", "shell", "long", "--spec", "[1]", "--url", c.url).stderr, "the name is taken")
	contains(t, done(t, "stop", "shell", "long", "--url", c.url), "shell long is stopped")
	contains(t, done(t, "nodes", "--url", c.url), "no nodes") // stop is done when the program is
	contains(t, done(t, "tasks", "--url", c.url), "no tasks")
	contains(t, refusedWith(t, 1, "stop", "shell", "long", "--url", c.url).stderr, "No such a task")
	eventually(t, "the node goes on", func() bool { return strings.Contains(done(t, "nodes", "--url", c.url), "no nodes") })
}

var pidOfNode = regexp.MustCompile(`"pid": (\d+)`)

// The first SIGTERM lets the task end, and takes no more; the second does not
// wait. Either way nothing is left.
func TestAnAgentDrains(t *testing.T) {
	c := upWithoutWorkers(t)
	fifo := filepath.Join(t.TempDir(), "go")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	a, _ := beginAgent(t, c.url, "shell", "--", "sh", "-c", "read line < "+fifo+"; echo {task} over")
	done(t, "run", "shell", "patient", "--url", c.url)
	a.signal(syscall.SIGTERM)
	a.await("draining")
	refusedWith(t, 1, "run", "shell", "late", "--patience", "1ms", "--url", c.url)
	if err := os.WriteFile(fifo, []byte("now\n"), 0); err != nil {
		t.Fatal(err)
	}
	if status := a.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}

	a, _ = beginAgent(t, c.url, "shell", "--", "sh", "-c", "exec sleep 1000 {task}0")
	done(t, "run", "shell", "4", "--url", c.url)
	node := pidOfNode.FindStringSubmatch(done(t, "nodes", "-o", "json", "--url", c.url))
	a.signal(syscall.SIGTERM)
	a.await("draining")
	a.signal(syscall.SIGTERM)
	if status := a.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
	if node == nil {
		t.Fatal("the node was not listed")
	}
	if pid, err := strconv.Atoi(node[1]); err != nil || alive(pid) {
		t.Errorf("node %s is left, %v", node[1], err)
	}
}

func TestUsageOfAgentAndRun(t *testing.T) {
	for want, args := range map[string][]string{
		"--each and --list exclude": {"run", "video", "--each", "*", "--list", "x", "--spec", `["{file}"]`},
		"--detach is for":           {"run", "video", "x", "--detach"},
		"table, json or csv":        {"run", "video", "x", "-o", "xml"},
		"--purpose is missing":      {"agent"},
		"say what does the tasks":   {"agent", "--purpose", "webrtc"},
		"exclude each other":        {"agent", "--purpose", "x", "--owt", "/x", "--", "sh"},
		"stands after --":           {"agent", "--purpose", "x", "sh"},
		"--watchdog needs --notify": {"agent", "--purpose", "x", "--watchdog", "1s", "--", "sh"},
		"--per must be":             {"agent", "--purpose", "x", "--per", "cow", "--", "sh"},
		`"12Q" is no amount`:        {"agent", "--purpose", "x", "--memory", "12Q", "--", "sh"},
		"run takes PURPOSE TASK":    {"run", "video"},
		"--spec is neither JSON":    {"run", "video", "x", "--spec", "{"},
		"does not have {file}":      {"run", "video", "--each", "*.go", "--spec", "{}"},
		"tasks are named after":     {"run", "video", "x", "--each", "*.go", "--spec", "{}"},
		"--attempts must be":        {"run", "video", "x", "--attempts", "0"},
	} {
		contains(t, refusedWith(t, 2, args...).stderr, want)
	}
	contains(t, refusedWith(t, 1, "run", "video", "--each", "*.none", "--spec", `["{file}"]`).stderr, "no file fits")
	contains(t, refusedWith(t, 1, "agent", "--purpose", "x", "-c", "none.toml", "--", "sh").stderr, "none.toml")
}

// An agent of OWT's nodes, configured by OWT's own file, on RabbitMQ.
func TestOWTNodes(t *testing.T) {
	host, port, err := net.SplitHostPort(rabbit.Broker(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	rabbit := fmt.Sprintf("[rabbit]\nhost = %q\nport = %s\n", host, port)
	beginManager(t, "-c", writeConfig(t, placeAtOnce+rabbit))
	file := writeConfig(t, `
[agent]
maxProcesses = 3
prerunProcesses = 1
[cluster]
max_load = 1.0
[capacity]
regions = ["eu"]
`+rabbit+`
[sample]
hostname = "sample.example"
anything = [1, 2]
`)
	a := begin(t, "agent", "--purpose", "sample", "-c", file, "--owt", "../../agent/testdata/owt", "--load", "memory", "--dir", t.TempDir())
	id := a.await(`(?m)^(sample-[0-9a-f]{20}@\S+)$`)[1]
	url := "amqp://" + host + ":" + port
	eventually(t, "no node is ready", func() bool {
		return strings.Contains(done(t, "nodes", "--url", url), "idle")
	})
	workers := done(t, "workers", "sample", "-o", "json", "--url", url)
	contains(t, workers, id, "sample.example", `"eu"`)
	contains(t, done(t, "run", "sample", "session", "--room", "room", "--url", url), "sample session runs on "+id+"_0")
	contains(t, done(t, "logs", id+"_0", "--url", url), id+"_0 is ready")
	contains(t, done(t, "stop", "sample", "session", "--url", url), "is stopped")
	a.signal(syscall.SIGTERM)
	if status := a.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}

// Without ffmpeg up says how to get it, and its workers hold places, but claim no
// codecs.
func TestUpWithoutFFmpeg(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := beginUp(t, "--media")
	contains(t, c.out.String(), "handle no media: ffmpeg is not installed")
	for _, w := range decoded[[]muster.Worker](t, "workers", "video", "--url", c.url) {
		if video := w.Info.Capacity.Video; video != nil && len(video.Encode)+len(video.Decode) > 0 {
			t.Errorf("%s claims %+v", w.ID, video)
		}
	}
	contains(t, refusedWith(t, 1, "schedule", "video", "mix", "--preference", `{"video":{"encode":["h264"]}}`, "--url", c.url).stderr, "codec")
	refused := refusedWith(t, 1, "agent", "--purpose", "video", "--url", c.url, "--dir", t.TempDir())
	contains(t, refused.stderr, "ffmpeg is not installed")
}

// A failure is said once, with its reason.
func TestFailureIsSaidOnce(t *testing.T) {
	err := fmt.Errorf("%w: input: the input ends early", job.ErrFailed)
	r := resultOf(job.Outcome{Job: job.Job{Purpose: "video", Task: "a"}, Attempts: 1, Err: err})
	if got := oneLine(r); got != "failed: input: the input ends early" {
		t.Errorf("in the table: %q", got)
	}
	for err, want := range map[error]string{err: "a: failed: input: the input ends early\n", context.Canceled: "a: stopped\n", nil: "a: done\n"} {
		var out strings.Builder
		newRunShow(&out, make([]job.Job, 1)).update(job.Update{Job: job.Job{Task: "a"}, Phase: job.Over, Err: err})
		if out.String() != want {
			t.Errorf("as progress: %q, want %q", out.String(), want)
		}
	}
}
