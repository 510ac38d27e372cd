package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fetch reads an address, with a token unless it is empty.
func fetch(t *testing.T, url, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// A manager listens for other machines with tokens only. A token that is taken out of
// the file is refused from SIGHUP on.
func TestManagerServesThePage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	contains(t, refusedWith(t, 1, "manager", "--listen", "127.0.0.1:0", "--http", "0.0.0.0:0").stderr, "muster auth init --file tokens", "--http-tokens")
	admin := strings.TrimSpace(done(t, "auth", "init", "--file", file))
	contains(t, refusedWith(t, 1, "auth", "init", "--file", file).stderr, "muster auth add")
	viewer := strings.TrimSpace(done(t, "auth", "add", "grafana", "--role", "viewer", "--file", file))
	contains(t, refusedWith(t, 1, "auth", "add", "grafana", "--file", file).stderr, "delete its line")
	refusedWith(t, 2, "auth", "add", "x", "--role", "king", "--file", file)
	p := begin(t, "manager", "--listen", "127.0.0.1:0", "--initial-time", "0ms", "--http", "0.0.0.0:0", "--http-tokens", file)
	url := p.await(`msg="serving page and API".* url=(\S+)`)[1]
	url = "http://127.0.0.1" + url[strings.LastIndexByte(url, ':'):]
	for path, want := range map[string]string{"/": "<title>Muster</title>", "/healthz": "ok", "/readyz": "ready"} {
		if status, text := fetch(t, url+path, ""); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.200s", path, status, text)
		}
	}
	for _, path := range []string{"/metrics", "/v1/workers", "/v1/config"} {
		if status, _ := fetch(t, url+path, ""); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, status)
		}
		if status, text := fetch(t, url+path, viewer); status != http.StatusOK {
			t.Errorf("%s: %d %.200s", path, status, text)
		}
	}
	_, metrics := fetch(t, url+"/metrics", viewer)
	contains(t, metrics, "muster_role{", `muster_http_requests_total{route="GET /v1/workers",status="200"}`, "go_goroutines")
	_, config := fetch(t, url+"/v1/config", viewer)
	contains(t, config, `"key":"http.tokens"`, `"origin":"flag --http-tokens"`)
	text, err := os.ReadFile(file)
	if err == nil {
		lines := strings.SplitAfter(string(text), "\n")
		err = os.WriteFile(file, []byte(lines[0]), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	signalAll(t, []int{p.cmd.Process.Pid}, syscall.SIGHUP)
	p.await(`tokens reloaded`)
	eventually(t, "the reload is not in the audit", func() bool {
		_, text := fetch(t, url+"/v1/audit", admin)
		return strings.Contains(text, `"action":"reload-tokens"`) && strings.Contains(text, `"before":"admin (admin), grafana (viewer)","after":"admin (admin)"`)
	})
	if status, _ := fetch(t, url+"/v1/workers", viewer); status != http.StatusUnauthorized {
		t.Errorf("a token that was taken out: %d", status)
	}
	if status, _ := fetch(t, url+"/v1/workers", admin); status != http.StatusOK {
		t.Errorf("the token that is left: %d", status)
	}
}

// The page of `muster up` is at a free port where its own is taken, `--http ""` leaves
// it out, and `muster web` serves the same cluster.
func TestUpServesThePage(t *testing.T) {
	first := beginUp(t, "--workers", "1", "--http", "127.0.0.1:0")
	page := first.await(`Page at (http://127\.0\.0\.1:\d+) `)[1]
	if status, text := fetch(t, page+"/v1/workers", ""); status != http.StatusOK || !strings.Contains(text, first.workers["webrtc"].id) {
		t.Errorf("workers: %d %s", status, text)
	}
	web := begin(t, "web", "--url", first.url, "--http", "127.0.0.1:0")
	other := web.await(`msg="serving page and API".* url=(\S+)`)[1]
	if status, text := fetch(t, other+"/v1/workers", ""); status != http.StatusOK || !strings.Contains(text, first.workers["webrtc"].id) {
		t.Errorf("workers by muster web: %d %s", status, text)
	}
	eventually(t, "the two servers do not know each other", func() bool {
		_, text := fetch(t, page+"/v1/status", "")
		return strings.Contains(text, other)
	})
	taken := strings.TrimPrefix(page, "http://")
	contains(t, refusedWith(t, 1, "up", "--listen", "127.0.0.1:0", "--workers", "0", "--http", taken).stderr, "choose another http.addr (--http)")
	second := beginUp(t, "--workers", "0", "--http", "")
	if strings.Contains(second.out.String(), "Page at") {
		t.Errorf("a page is served:\n%s", second.out.String())
	}
}

func TestOpenAPIIsPrinted(t *testing.T) {
	var document struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]any
	}
	if err := json.Unmarshal([]byte(done(t, "openapi")), &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" || document.Info.Version != "v0.0.0-test" || len(document.Paths) < 15 {
		t.Errorf("%+v", document)
	}
}

// The page and the API are the same on RabbitMQ: reads, writes, and events as they come.
func TestAPIOnRabbitMQ(t *testing.T) {
	queue := "amqp://" + rabbit.Broker(t).Addr()
	p := begin(t, "manager", "--url", queue, "--cluster", "served", "--initial-time", "0ms", "--http", "127.0.0.1:0")
	url := p.await(`msg="serving page and API".* url=(\S+)`)[1]
	p.await("role=leader")
	beginWorker(t, queue, "video-1@10.0.0.1", "--purpose", "video", "--cluster", "served")

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	events, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = events.Body.Close() }()
	lines := bufio.NewScanner(events.Body)
	await := func(part string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return
			}
		}
		t.Fatalf("the events ended without %s: %v", part, lines.Err())
	}
	await("event: hello")
	eventually(t, "the task is not placed", func() bool {
		res, err := http.Post(url+"/v1/placements", "application/json", strings.NewReader(`{"purpose":"video","task":"room"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode/100 == 2
	})
	await(`"task":"room"`)
	for path, want := range map[string]string{"/": "<title>Muster</title>", "/readyz": "ready", "/v1/tasks?purpose=video": `"worker":"video-1@10.0.0.1"`, "/v1/managers": `"role":"leader"`} {
		if status, text := fetch(t, url+path, ""); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.300s", path, status, text)
		}
	}
}
