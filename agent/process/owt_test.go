//go:build unix

package process

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// owtNode is a command for testdata/workingNode.js that does something.
func owtNode(does string) OWTCommand {
	return OWTCommand{
		Dir:    "testdata",
		Config: json.RawMessage(fmt.Sprintf(`{"does": %q, "beat": 50, "status": 0, "purpose": "video"}`, does)),
	}
}

// inShell is a command that runs a script in Node's place.
func inShell(script string) OWTCommand {
	return OWTCommand{Program: "/bin/sh", Script: script, Dir: "testdata"}
}

func TestOWTNodeWorks(t *testing.T) {
	eachRealm(t, func(t *testing.T, h *Host) {
		l := h.OWT(owtNode("works"))
		if l.PerTask() {
			t.Error("OWT's nodes are started ahead of tasks")
		}
		n := launch(t, h, l, Spec{ID: "video-1@host_0", Agent: "video-1@host"})
		soon(t, n.Ready(), "READY")
		n.Stop(time.Hour)
		if err := end(t, n); err != nil {
			t.Errorf("stopped: %v", err)
		}
		want := `{"id":"video-1@host_0","agent":"video-1@host","config":{"does":"works","beat":50,"status":0,"purpose":"video"}}` +
			"\nExiting on SIGTERM\n"
		if got := output(t, h, "video-1@host_0"); got != want {
			t.Errorf("got output\n%s\nwant\n%s", got, want)
		}
	})
}

func TestOWTNodeFaults(t *testing.T) {
	hasty := owtNode("slow")
	hasty.ReadyTimeout = 300 * time.Millisecond
	impatient := owtNode("hangs")
	impatient.Silence = 100 * time.Millisecond
	for name, c := range map[string]struct {
		command OWTCommand
		want    []string
	}{
		"is silent":             {impatient, []string{"hangs: no IMOK for 100ms"}},
		"is not ready":          {hasty, []string{"did not say READY in time"}},
		"says ERROR":            {owtNode("fails"), []string{`reports a fault: "ERROR"`}},
		"says something":        {owtNode("says"), []string{"no rabbit"}},
		"leaves":                {owtNode("leaves"), []string{"without being asked"}},
		"floods":                {owtNode("floods"), []string{"more than 65536 bytes"}},
		"crashes":               {owtNode("nothing that it knows"), []string{"exit status 1", "Node.js v"}},
		"sends what is no JSON": {inShell("./malformed.sh"), []string{`not JSON: "READY"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, Options{})
			failsWith(t, launch(t, h, h.OWT(c.command), Spec{}), c.want...)
		})
	}
}

// Three seconds are OWT's: IMOK every second must be enough.
func TestOWTSilenceByDefault(t *testing.T) {
	if got := owtNode("works").limits(); got.silence != 3*time.Second || !got.endless || got.whole {
		t.Errorf("got %+v; want OWT's limits", got)
	}
}

func TestUnderstandOWT(t *testing.T) {
	var got []saying
	hearOWT(strings.NewReader("\"IMOK\"\n{\"cmd\":\"NODE_HANDLE\"}\n\"READY\"\n\"IMOK\""), func(s saying) { got = append(got, s) })
	want := []saying{{word: saysAlive}, {word: saysReady}, {word: saysAlive}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v; want %+v", got, want)
	}
	for _, line := range []string{`"READY`, "", "READY", "\x00", `{}`, `null`, `7`, `["READY"]`, `{"cmd":"OWN"}`} {
		got = nil
		hearOWT(strings.NewReader(line+"\n\"READY\"\n"), func(s saying) { got = append(got, s) })
		if len(got) != 1 || got[0].word != saysFault || got[0].err == nil {
			t.Errorf("%q: got %+v; want a fault, and nothing after it", line, got)
		}
	}
}

func TestOWTRefuses(t *testing.T) {
	h := open(t, Options{})
	for want, c := range map[string]OWTCommand{
		"OWTCommand.Dir":          {},
		"OWTCommand.Config":       {Dir: "testdata", Config: json.RawMessage("{")},
		"OWTCommand.ReadyTimeout": {Dir: "testdata", ReadyTimeout: -1},
		"OWTCommand.Silence":      {Dir: "testdata", Silence: -1},
	} {
		if _, err := h.OWT(c).Launch(t.Context(), Spec{ID: "x"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want an error that names %s", err, want)
		}
	}
}

// A node sees its configuration where OWT's agent puts it, and no other process sees
// the password in it.
func TestOWTNodesPasswordIsSeenByNobodyElse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows the environment of a process in a file")
	}
	const password = "gJ4wQz0kUe"
	h := open(t, Options{})
	c := owtNode("works")
	c.Config = json.RawMessage(fmt.Sprintf(`{"does":"works","beat":50,"rabbit":{"password":%q},"large":%q}`, password, strings.Repeat("x", 200_000)))
	n := launch(t, h, h.OWT(c), Spec{ID: "video-1@host_0", Agent: "video-1@host"})
	soon(t, n.Ready(), "READY")
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", n.PID(), file))
		if err != nil || len(text) == 0 || strings.Contains(string(text), password) {
			t.Errorf("%s: %v: %.300q", file, err, text)
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", n.PID(), f.Name())); err == nil && strings.Contains(to, "config-") {
			t.Errorf("the node still holds %s", to)
		}
	}
	if err := filepath.WalkDir(h.opts.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, dirLogs) { // this node prints its configuration
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), password) {
			t.Errorf("%s has the password", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	n.Stop(time.Hour)
	if err := end(t, n); err != nil {
		t.Errorf("stopped: %v", err)
	}
	if got := output(t, h, "video-1@host_0"); !strings.Contains(got, password) {
		t.Errorf("the node did not see its configuration: %.300s", got)
	}
}
