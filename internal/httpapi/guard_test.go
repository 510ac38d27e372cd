package httpapi_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/httpapi"
)

// tokens makes a file of tokens, and returns it with the token of each role.
func tokens(t *testing.T, roles ...httpapi.Role) (path string, by map[httpapi.Role]string) {
	path, by = filepath.Join(t.TempDir(), "tokens"), map[httpapi.Role]string{}
	text := "# NAME ROLE SHA256\n"
	for _, role := range roles {
		token, line, err := httpapi.NewToken("the-"+string(role), role)
		must(t, err)
		by[role], text = token, text+line
	}
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path, by
}

func TestRoles(t *testing.T) {
	path, by := tokens(t, httpapi.Roles...)
	auth, err := httpapi.OpenAuth(path)
	must(t, err)
	c := startCluster(t, httpapi.Options{Auth: auth, Metrics: http.NotFoundHandler()})
	c.worker("video", "w", map[string]any{})
	place := map[string]any{"purpose": "video", "task": "a"}
	for _, it := range []struct {
		method, path string
		body         any
		may          []httpapi.Role
	}{
		{"GET", "/v1/workers", nil, []httpapi.Role{httpapi.Viewer, httpapi.Operator, httpapi.Admin}},
		{"GET", "/v1/tasks", nil, httpapi.Roles},
		{"GET", "/metrics", nil, []httpapi.Role{httpapi.Viewer, httpapi.Operator, httpapi.Admin}},
		{"GET", "/v1/events", nil, []httpapi.Role{httpapi.Viewer, httpapi.Operator, httpapi.Admin}},
		{"GET", "/debug/pprof/", nil, []httpapi.Role{httpapi.Admin}},
		{"GET", "/debug/pprof/goroutine?debug=1", nil, []httpapi.Role{httpapi.Admin}},
		{"GET", "/debug/pprof/cmdline", nil, []httpapi.Role{httpapi.Admin}},
		{"POST", "/v1/placements", place, []httpapi.Role{httpapi.Caller, httpapi.Operator, httpapi.Admin}},
		{"POST", "/v1/rooms/r/tokens", map[string]any{"user": "a"}, []httpapi.Role{httpapi.Caller, httpapi.Operator, httpapi.Admin}},
	} {
		if status, _, header := c.do(it.method, it.path, it.body); status != http.StatusUnauthorized || header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s without a token: %d", it.method, it.path, status)
		}
		for _, role := range httpapi.Roles {
			may := strings.Contains(" "+joined(it.may)+" ", " "+string(role)+" ")
			req := c.request(it.method, it.path, it.body, "Authorization", "Bearer "+by[role])
			res, err := http.DefaultClient.Do(req)
			must(t, err)
			_ = res.Body.Close()
			if (res.StatusCode == http.StatusForbidden) == may || res.StatusCode == http.StatusUnauthorized {
				t.Errorf("%s %s as %s: %d", it.method, it.path, role, res.StatusCode)
			}
		}
	}
	for _, open := range []string{"/", "/healthz", "/readyz"} {
		if status, body, _ := c.do("GET", open, nil); status != http.StatusOK {
			t.Errorf("%s without a token: %d %s", open, status, body)
		}
	}
	// A token that is taken out of the file is refused from the next reload on.
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, auth.Reload())
	if status, _, _ := c.do("GET", "/v1/workers", nil, "Authorization", "Bearer "+by[httpapi.Admin]); status != http.StatusUnauthorized {
		t.Errorf("a token that is no more: %d", status)
	}
}

// A stream of events ends when the token of its caller is taken out of the file, and
// the streams of others go on.
func TestStreamsEndWithTheirToken(t *testing.T) {
	path, by := tokens(t, httpapi.Viewer, httpapi.Operator)
	auth, err := httpapi.OpenAuth(path)
	must(t, err)
	c := startCluster(t, httpapi.Options{Auth: auth})
	c.worker("video", "w", map[string]any{})
	streams := map[httpapi.Role]*bufio.Scanner{}
	await := func(role httpapi.Role, want string) bool {
		for streams[role].Scan() {
			if strings.Contains(streams[role].Text(), want) {
				return true
			}
		}
		return false
	}
	for role, token := range by {
		res, err := http.DefaultClient.Do(c.request("GET", "/v1/events", nil, "Authorization", "Bearer "+token))
		must(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		streams[role] = bufio.NewScanner(res.Body)
		if !await(role, "event: hello") {
			t.Fatalf("the stream of the %s did not begin", role)
		}
	}
	both, err := os.ReadFile(path)
	must(t, err)
	var operatorOnly []string
	for line := range strings.Lines(string(both)) {
		if !strings.HasPrefix(line, "the-viewer ") {
			operatorOnly = append(operatorOnly, line)
		}
	}
	must(t, os.WriteFile(path, []byte(strings.Join(operatorOnly, "")), 0o600))
	must(t, auth.Reload())
	c.place("after")
	if !await(httpapi.Operator, `"task":"after"`) {
		t.Error("the operator's stream ended")
	}
	c.place("later")
	if await(httpapi.Viewer, `"task":"later"`) {
		t.Error("the viewer's stream goes on without its token")
	}
}

func joined(roles []httpapi.Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return strings.Join(names, " ")
}

// A file of tokens that is wrong changes nothing, and says the line.
func TestTokensThatAreWrong(t *testing.T) {
	path, by := tokens(t, httpapi.Viewer)
	auth, err := httpapi.OpenAuth(path)
	must(t, err)
	good, err := os.ReadFile(path)
	must(t, err)
	for text, want := range map[string]string{
		string(good) + string(good):                        "line 4: the name \"the-viewer\" is there twice",
		string(good) + "a king " + strings.Repeat("0", 64): "line 3: role must be viewer, caller, operator or admin, not \"king\"",
		"a viewer 00": "line 1: the hash must be 64 hexadecimal digits",
		"a viewer":    "line 1: must be NAME ROLE SHA256, or NAME ROLE certificate",
	} {
		must(t, os.WriteFile(path, []byte(text), 0o600))
		if err := auth.Reload(); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%.30q: %v, want %s", text, err, want)
		}
	}
	must(t, os.Chmod(path, 0o666))
	if err := auth.Reload(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others may write: %v", err)
	}
	must(t, os.Remove(path))
	if err := auth.Reload(); err == nil || !strings.Contains(err.Error(), "muster auth init") {
		t.Errorf("no file: %v", err)
	}
	c := startCluster(t, httpapi.Options{Auth: auth})
	if status, _, _ := c.do("GET", "/v1/workers", nil, "Authorization", "Bearer "+by[httpapi.Viewer]); status != http.StatusOK {
		t.Errorf("the tokens of before: %d", status)
	}
}

// For other machines it listens with tokens only, unless forced.
func TestOpenToOtherMachines(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	path, _ := tokens(t, httpapi.Admin)
	auth, err := httpapi.OpenAuth(path)
	must(t, err)
	for name, it := range map[string]struct {
		auth    *httpapi.Auth
		l       httpapi.Listening
		refused bool
	}{
		"every address":     {nil, httpapi.Listening{Addr: "0.0.0.0:0"}, true},
		"no address":        {nil, httpapi.Listening{Addr: ":0"}, true},
		"forced":            {nil, httpapi.Listening{Addr: "0.0.0.0:0", Insecure: true}, false},
		"tokens":            {auth, httpapi.Listening{Addr: "0.0.0.0:0"}, false},
		"loopback":          {nil, httpapi.Listening{Addr: "127.0.0.1:0"}, false},
		"loopback, by name": {nil, httpapi.Listening{Addr: "localhost:0"}, false},
	} {
		s, err := httpapi.New(httpapi.Options{Cluster: c.client, Queue: c.conn, Name: "x", Auth: it.auth})
		must(t, err)
		err = s.Start(c.ctx, it.l)
		if errors.Is(err, httpapi.ErrOpen) != it.refused || err != nil && !strings.Contains(err.Error(), "muster auth init") {
			t.Errorf("%s: %v", name, err)
		}
		must(t, s.Close())
	}
}

// What a page of the Internet can make a browser send is refused.
func TestOtherSites(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	c.worker("video", "w", map[string]any{})
	other := c.serve(httpapi.Options{})
	place := map[string]any{"purpose": "video", "task": "a"}
	for _, it := range []struct {
		name, method, path string
		headers            []string
		status             int
	}{
		{"a name that points here", "GET", "/v1/workers", []string{"Host", "evil.example:8080"}, http.StatusMisdirectedRequest},
		{"localhost", "GET", "/v1/workers", []string{"Host", "localhost:8080"}, http.StatusOK},
		{"a form of another site", "POST", "/v1/placements", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"the page itself", "POST", "/v1/placements", []string{"Origin", c.server.URL(), "Sec-Fetch-Site", "same-origin"}, http.StatusOK},
		{"a page of another server of the cluster", "POST", "/v1/placements", []string{"Origin", other.URL(), "Sec-Fetch-Site", "same-site"}, http.StatusOK},
		{"a program", "POST", "/v1/placements", nil, http.StatusOK},
	} {
		body := any(nil)
		if it.method == "POST" {
			body = place
		}
		for { // until this server knows the other one
			status, raw, header := c.do(it.method, it.path, body, it.headers...)
			if it.name == "a page of another server of the cluster" && status == http.StatusForbidden && c.ctx.Err() == nil {
				continue
			}
			if status != it.status {
				t.Errorf("%s: %d %s", it.name, status, raw)
			}
			allowed := header.Get("Access-Control-Allow-Origin")
			if strings.HasPrefix(it.name, "a page of another server") != (allowed == other.URL()) && allowed != c.server.URL() {
				t.Errorf("%s: %q may read it", it.name, allowed)
			}
			break
		}
	}
	if status, _, header := c.do("OPTIONS", "/v1/placements", nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another site is let in: %d %v", status, header)
	}
	_, _, header := c.do("GET", "/", nil)
	policy := header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "connect-src 'self' ") {
		t.Errorf("the page's policy: %s", policy)
	}
}

// A caller that asks too often is refused, the others go on.
func TestCallersAskSoOften(t *testing.T) {
	path, by := tokens(t, httpapi.Viewer, httpapi.Operator)
	auth, err := httpapi.OpenAuth(path)
	must(t, err)
	c := startCluster(t, httpapi.Options{Auth: auth, Rate: 0.001, Burst: 3})
	ask := func(role httpapi.Role) (int, string) {
		status, _, header := c.do("GET", "/v1/workers", nil, "Authorization", "Bearer "+by[role])
		return status, header.Get("Retry-After")
	}
	for i := range 5 {
		if status, again := ask(httpapi.Viewer); (status == http.StatusTooManyRequests) != (i >= 3) || (again != "") != (i >= 3) {
			t.Errorf("request %d: %d, again after %q", i+1, status, again)
		}
	}
	if status, _ := ask(httpapi.Operator); status != http.StatusOK {
		t.Errorf("another caller: %d", status)
	}
	if status, _, _ := c.do("GET", "/healthz", nil); status != http.StatusOK {
		t.Errorf("health: %d", status)
	}
}

// Without a manager the server lives and is not ready.
func TestNoManager(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	s, err := httpapi.New(httpapi.Options{Cluster: client.New(c.conn, client.Options{Cluster: "nosuch"}), Queue: c.conn, Name: "nosuch", CallTime: time.Second})
	must(t, err)
	must(t, s.Start(c.ctx, httpapi.Listening{Addr: "127.0.0.1:0"}))
	t.Cleanup(func() { _ = s.Close() })
	c.server = s
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/": http.StatusOK, "/v1/workers": http.StatusServiceUnavailable} {
		if status, body, _ := c.do("GET", path, nil); status != want {
			t.Errorf("%s: %d, want %d: %s", path, status, want, body)
		}
	}
}

// A manager that only gathers workers lives and is not ready.
func TestInitializing(t *testing.T) {
	c := startClusterOf(t, httpapi.Options{}, time.Hour)
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		if status, body, _ := c.do("GET", path, nil); status != want || path == "/readyz" && !strings.Contains(string(body), "not ready: initializing") {
			t.Errorf("%s: %d, want %d: %s", path, status, want, body)
		}
	}
}

// Silent connections do not keep others out, and do not end a stream.
func TestHalfOpenConnections(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	c.worker("video", "w", map[string]any{})
	events, _ := c.watch(c.server, "", "")
	c.await(events, func(e event) bool { return e.name == "hello" })
	for range 1500 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.server.URL(), "http://"))
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	if status, body, _ := c.do("GET", "/v1/workers", nil); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	c.place("a")
	c.await(events, about("task.placed", "a"))
}

// Connections that stay after a request make room for others, the oldest first, long
// before they have been idle for too long.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	var oldest net.Conn
	for range 1500 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.server.URL(), "http://"))
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		must(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		must(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		must(t, res.Body.Close())
		if oldest == nil {
			oldest = conn
		}
	}
	if _, err := oldest.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the oldest of 1,500 connections is open: %v", err)
	}
}
