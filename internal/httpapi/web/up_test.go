package web_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is muster itself, built once for the tests that need processes.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "muster-page")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "muster")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/muster-fleet/muster/cmd/muster").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return path, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if path, err := program(); err == nil && status >= 0 {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}

// output is what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// up runs `muster up`, and returns the address of its page and the processes by name.
func up(t *testing.T, args ...string) (page string, pids map[string]int) {
	t.Helper()
	path, err := program()
	must(t, err)
	cmd := exec.Command(path, append([]string{"up", "--listen", "127.0.0.1:0", "--load", "memory", "--media=false"}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir())
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-gone
		if t.Failed() {
			t.Logf("muster up printed:\n%s", out.String())
		}
	})
	tick, end := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !strings.Contains(out.String(), "Ctrl-C ends") {
		select {
		case <-tick.C:
		case <-gone:
			t.Fatalf("muster up ended:\n%s", out.String())
		case <-end:
			t.Fatalf("muster up is not there:\n%s", out.String())
		}
	}
	pids = map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\S+ +(manager \d+ at \S+|\S+@\S+) +(\d+)$`).FindAllStringSubmatch(out.String(), -1) {
		var pid int
		must(t, json.Unmarshal([]byte(m[2]), &pid))
		pids[m[1]] = pid
	}
	return regexp.MustCompile(`Page at (\S+)`).FindStringSubmatch(out.String())[1], pids
}

// A worker is killed: it vanishes from the page by itself.
func TestKilledWorkerVanishes(t *testing.T) {
	page, pids := up(t, "--workers", "2")
	b := openPage(t, page)
	b.await(`document.querySelectorAll("a.cell").length === 2`)
	for id, pid := range pids {
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		b.await(`document.querySelectorAll("a.cell").length === 1`)
		b.await(`/left|lost/.test(document.querySelector(".feed").innerText)`)
		if run[bool](b, `[...document.querySelectorAll("a.cell")].some((e) => e.title.includes(`+quoted(id)+`))`) {
			t.Errorf("%s is still there", id)
		}
		break
	}
	b.noErrors()
}

// The manager that serves the page is the leader, and is killed: the page goes on with
// another one, says so, and shows the next leader.
func TestPageOutlivesItsManager(t *testing.T) {
	page, pids := up(t, "--managers", "3", "--workers", "3")
	var s struct {
		Managers []struct{ Addr, Role, HTTP string }
	}
	var leader, at string
	for at == "" || len(s.Managers) < 3 {
		res, err := http.Get(page + "/v1/status")
		must(t, err)
		must(t, json.NewDecoder(res.Body).Decode(&s))
		_ = res.Body.Close()
		for _, m := range s.Managers {
			if m.Role == "leader" {
				leader, at = m.Addr, m.HTTP
			}
		}
	}
	b := openPage(t, at)
	b.shows("Leader " + leader)
	b.await(`document.querySelectorAll("a.cell").length === 3`)
	for name, pid := range pids {
		if strings.HasSuffix(name, " at "+leader) {
			must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	run[bool](b, `(window.killed = performance.now(), true)`)
	b.shows("This page goes on with")
	took := run[float64](b, `performance.now() - window.killed`)
	b.await(`/Leader \S+, term/.test(document.body.innerText) && !document.body.innerText.includes(` + quoted("Leader "+leader) + `)`)
	b.await(`document.getElementById("link").textContent === "live" && document.querySelectorAll("a.cell").length === 3`)
	t.Logf("the page went on after %.0f ms", took)
	b.screenshot("manager-killed")
	// It may read and steer also when the cluster no longer counts the server that it is of.
	next := run[string](b, `import("./js/api.js").then((api) => api.server())`)
	tick := time.NewTicker(100 * time.Millisecond) // a caller may ask so often only
	defer tick.Stop()
	for lists := true; lists; <-tick.C {
		res, err := http.Get(next + "/v1/status")
		must(t, err)
		body, err := io.ReadAll(res.Body)
		must(t, err)
		_ = res.Body.Close()
		lists = res.StatusCode != http.StatusOK || bytes.Contains(body, []byte(at+`"`))
	}
	b.goTo("#/drains")
	b.shows("No worker is being drained.")
	if problem := run[string](b, `import("./js/api.js").then((api) => api.get("/v1/drains")).then(() => "", (err) => err.message)`); problem != "" {
		t.Errorf("the page may not ask %s: %s", next, problem)
	}
	b.noErrors("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR", "503", "504")
}
