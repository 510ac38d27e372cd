//go:build unix

package process

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestProgramEnds(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		n := run(t, h, shell("echo out; echo err >&2"))
		soon(t, n.Ready(), "ready: a program that says nothing is ready at once")
		if err := end(t, n); err != nil {
			t.Errorf("exit status 0: got %v; want no error", err)
		}
		if got := output(t, h, "test_1"); got != "out\nerr\n" {
			t.Errorf("got output %q; want both streams", got)
		}
	})
}

func TestProgramCrashes(t *testing.T) {
	h := open(t, Options{})
	n := run(t, h, shell("echo one; echo two; echo three; printf 'the \\033[31mreason'; exit 3"))
	failsWith(t, n, "node test_1", "exit status 3", "two | three | the  [31mreason")
	var exit *exec.ExitError
	if !errors.As(n.Err(), &exit) || exit.ExitCode() != 3 {
		t.Errorf("got %v; want an exec.ExitError with status 3", n.Err())
	}
	failsWith(t, run(t, h, shell("kill -SEGV $$")), "signal: segmentation fault")
}

func TestProgramThatIsNotThere(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		for range 2 { // the name is free again
			_, err := h.Program(Command{Argv: []string{"/no/such/program"}}).Launch(t.Context(), Spec{ID: "test_1"})
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "test_1") {
				t.Errorf("got %v; want fs.ErrNotExist that names the node", err)
			}
		}
		if left, err := os.ReadDir(h.path(dirRecords)); err != nil || len(left) > 0 {
			t.Errorf("records are left: %v, %v", left, err)
		}
	})
}

func TestProgramFindsItsTask(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "that of the agent itself")
	t.Setenv("PASSED", "on")
	h := open(t, Options{})
	c := Command{
		Argv: []string{"/bin/sh", "-c", `
			printf '%s\n' "$@"
			echo "$MUSTER_NODE $MUSTER_AGENT $MUSTER_PURPOSE $MUSTER_TASK $MUSTER_ROOM $MUSTER_SPEC $PASSED $OWN $NOTIFY_SOCKET"
			cat "$MUSTER_SPEC_FILE"; pwd`,
			"sh", "-i{task}", "{room}/{room}", "{node},{agent},{purpose}", "{other}", "%d{}"},
		Env: []string{"OWN=mine"}, Dir: "/",
	}
	s := Spec{ID: "a@h_1", Agent: "a@h", Purpose: "video", Task: "{room}", Room: "$(r) x", Input: json.RawMessage(`{"a": [1]}`)}
	if err := end(t, launch(t, h, h.Program(c), s)); err != nil {
		t.Fatal(err)
	}
	want := "-i{room}\n$(r) x/$(r) x\na@h_1,a@h,video\n{other}\n%d{}\n" +
		"a@h_1 a@h video {room} $(r) x {\"a\": [1]} on mine \n" + "{\"a\": [1]}/\n"
	if got := output(t, h, "a@h_1"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if left, err := os.ReadDir(h.path(dirSpecs)); err != nil || len(left) > 0 {
		t.Errorf("inputs are left: %v, %v", left, err)
	}
}

func TestLargeInputIsAFile(t *testing.T) {
	h := open(t, Options{})
	input := `"` + strings.Repeat("x", 1<<20) + `"`
	c := Command{Argv: []string{"/bin/sh", "-c", `wc -c <"$1"; echo "inline: ${#MUSTER_SPEC}"`, "sh", "{spec}"}}
	if !h.Program(c).PerTask() {
		t.Error("a command with {spec} is not for one task")
	}
	if err := end(t, launch(t, h, h.Program(c), Spec{ID: "test_1", Task: "t", Input: json.RawMessage(input)})); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(output(t, h, "test_1")); strings.Join(got, " ") != "1048578 inline: 0" {
		t.Errorf("got %q; want all of it in the file only", got)
	}
}

func TestPerTask(t *testing.T) {
	h := open(t, Options{})
	for _, c := range []struct {
		command Command
		want    bool
	}{
		{Command{Argv: []string{"a", "{node}{agent}{purpose}"}}, false},
		{Command{Argv: []string{"a", "x{task}"}}, true},
		{Command{Argv: []string{"a", "{room}"}}, true},
		{Command{Argv: []string{"a"}, PerTask: true}, true},
	} {
		l := h.Program(c.command)
		if got := l.PerTask(); got != c.want {
			t.Errorf("%q: got %v; want %v", c.command.Argv, got, c.want)
		}
		if _, err := l.Launch(t.Context(), Spec{ID: "test_1"}); c.want && (err == nil || !strings.Contains(err.Error(), "Spec.Task")) {
			t.Errorf("%q without a task: got %v; want an error that names Spec.Task", c.command.Argv, err)
		}
	}
}

func TestStopAsks(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		up := fifo(t)
		n := run(t, h, shell("trap 'echo bye; exit 7' TERM; echo up >"+up+"; while :; do sleep 0.05; done"))
		heard(t, up)
		n.Stop(time.Hour)
		if err := end(t, n); err != nil {
			t.Errorf("stopped: got %v; want no error, whatever the exit status", err)
		}
		if got := output(t, h, "test_1"); !strings.HasSuffix(got, "bye\n") { // a shell may also tell of its child
			t.Errorf("got output %q; want that it heard SIGTERM", got)
		}
	})
}

func TestStopMakesAnEnd(t *testing.T) {
	const deaf = "trap '' TERM; echo up >"
	for name, c := range map[string]struct {
		script string
		stops  []time.Duration
	}{
		"at once":       {deaf, []time.Duration{0}},
		"after a grace": {deaf, []time.Duration{50 * time.Millisecond}},
		"cut short":     {deaf, []time.Duration{time.Hour, 50 * time.Millisecond}},
		"not prolonged": {deaf, []time.Duration{50 * time.Millisecond, time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			eachRealm(t, func(t *testing.T, h *Host) {
				up := fifo(t)
				n := run(t, h, shell(c.script+up+"; while :; do sleep 0.05; done"))
				heard(t, up)
				for _, grace := range c.stops {
					n.Stop(grace)
				}
				if err := end(t, n); err != nil {
					t.Errorf("got %v; want no error", err)
				}
			})
		})
	}
}

func TestStopOfAStoppedProcess(t *testing.T) {
	h := open(t, Options{})
	up := fifo(t)
	n := run(t, h, shell("trap 'exit 0' TERM; echo up >"+up+"; while :; do sleep 0.05; done"))
	heard(t, up)
	if err := syscall.Kill(n.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	n.Stop(time.Hour)
	if err := end(t, n); err != nil {
		t.Error(err)
	}
}

func TestLaunchRefuses(t *testing.T) {
	h := open(t, Options{})
	n := run(t, h, shell("sleep 1000"))
	defer n.Stop(0)
	over, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no longer wanted"))
	for name, c := range map[string]struct {
		ctx     context.Context
		command Command
		id      string
		want    string
	}{
		"over":           {over, shell(""), "x", "no longer wanted"},
		"name taken":     {t.Context(), shell(""), "test_1", "Spec.ID"},
		"path as a name": {t.Context(), shell(""), "../x", "Spec.ID"},
		"no name":        {t.Context(), shell(""), "", "Spec.ID"},
		"no program":     {t.Context(), Command{}, "x", "Command.Argv"},
		"bad variable":   {t.Context(), Command{Argv: []string{"a"}, Env: []string{"=b"}}, "x", "Command.Env"},
		"mute watchdog":  {t.Context(), Command{Argv: []string{"a"}, Watchdog: 1}, "x", "Command.Notify"},
		"watchdog":       {t.Context(), Command{Argv: []string{"a"}, Watchdog: -1}, "x", "Command.Watchdog"},
		"ready":          {t.Context(), Command{Argv: []string{"a"}, ReadyTimeout: -1}, "x", "Command.ReadyTimeout"},
		"stop":           {t.Context(), Command{Argv: []string{"a"}, StopTimeout: -1}, "x", "Command.StopTimeout"},
	} {
		_, err := h.Program(c.command).Launch(c.ctx, Spec{ID: c.id})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v; want an error with %q", name, err, c.want)
		}
	}
}
