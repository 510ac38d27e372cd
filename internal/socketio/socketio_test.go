package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// echo answers "echo" with what it was asked, "say" with an event, and "end" by
// ending the connection.
func echo(s *Socket) {
	for {
		select {
		case <-s.Done():
			return
		case e := <-s.Events():
			switch e.Name {
			case "echo":
				e.Reply("ok", e.Args)
			case "say":
				e.Reply("ok")
				s.Emit("said", e.Args)
			case "end":
				return
			}
		}
	}
}

// begin serves, at a URL.
func begin(t *testing.T, opts Options, serve func(*Socket)) (s *Server, url string) {
	t.Helper()
	s = New(opts, serve)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", s)
	mux.Handle("/", http.FileServer(http.Dir("testdata")))
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return s, server.URL
}

// client speaks Engine.IO over long polling.
type client struct {
	t   *testing.T
	url string
	sid string
}

func (c *client) do(method, query, body string) (status int, answer string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.url+"/socket.io/?"+query, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Origin", "http://elsewhere.example")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "http://elsewhere.example" || resp.Header.Get("Access-Control-Allow-Credentials") != "true" {
		c.t.Errorf("another origin is answered with %q", got)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// poll is the next packet that is no ping.
func (c *client) poll() string {
	c.t.Helper()
	for {
		_, answer := c.do(http.MethodGet, "EIO=4&transport=polling&sid="+c.sid, "")
		if answer != string(enginePing) {
			return answer
		}
		c.post(string(enginePong))
	}
}

func (c *client) post(packets ...string) (status int) {
	c.t.Helper()
	status, _ = c.do(http.MethodPost, "EIO=4&transport=polling&sid="+c.sid, strings.Join(packets, separator))
	return status
}

// open begins a connection, up to the default namespace.
func open(t *testing.T, url string) *client {
	t.Helper()
	c := &client{t: t, url: url}
	_, greeting := c.do(http.MethodGet, "EIO=4&transport=polling", "")
	var g struct {
		SID      string   `json:"sid"`
		Upgrades []string `json:"upgrades"`
	}
	if greeting == "" || greeting[0] != engineOpen || json.Unmarshal([]byte(greeting[1:]), &g) != nil || len(g.Upgrades) != 1 {
		t.Fatalf("the greeting is %q", greeting)
	}
	c.sid = g.SID
	c.post("40")
	if got := c.poll(); !strings.HasPrefix(got, `40{"sid":"`) {
		t.Fatalf("the namespace is answered with %q", got)
	}
	return c
}

func TestPolling(t *testing.T) {
	_, url := begin(t, Options{}, echo)
	c := open(t, url)
	c.post(`420["echo",{"a":1}]`, `421["echo",2,"\u001e"]`, `42["say","x"]`, `422["unknown"]`)
	for _, want := range []string{`430["ok",[{"a":1}]]`, `431["ok",[2,"\u001e"]]`, `42["said",["x"]]`} {
		if got := c.poll(); got != want { // one packet a poll
			t.Errorf("got %q; want %q", got, want)
		}
	}
	c.post("40/other,", `42/other,["echo"]`)
	if got := c.poll(); got != `44/other,{"message":"Invalid namespace"}` {
		t.Errorf("another namespace: %q", got)
	}
	c.post(`42["end"]`)
	if got := c.poll() + c.poll(); got != "411" {
		t.Errorf("the end: %q", got)
	}
	if status, _ := c.do(http.MethodGet, "EIO=4&transport=polling&sid="+c.sid, ""); status != http.StatusBadRequest {
		t.Errorf("a poll after the end: status %d", status)
	}
}

func TestPings(t *testing.T) {
	done := make(chan struct{})
	_, url := begin(t, Options{PingInterval: time.Millisecond, PingTimeout: patience}, func(s *Socket) { <-s.Done(); close(done) })
	c := open(t, url)
	for range 3 {
		if _, got := c.do(http.MethodGet, "EIO=4&transport=polling&sid="+c.sid, ""); got != string(enginePing) {
			t.Fatalf("got %q", got)
		}
		c.post(string(enginePong))
	}
	c.post(string(engineClose))
	await(t, done)

	silent := make(chan struct{})
	_, url = begin(t, Options{PingInterval: time.Millisecond, PingTimeout: time.Second}, func(s *Socket) { <-s.Done(); close(silent) })
	open(t, url)
	await(t, silent)
}

// What may be lost is known: everything since the last ping that was answered.
func TestUnconfirmed(t *testing.T) {
	sockets := make(chan *Socket, 1)
	_, url := begin(t, Options{PingInterval: time.Hour}, func(s *Socket) { sockets <- s; <-s.Done() })
	c := open(t, url)
	s := <-sockets
	for _, name := range []string{"a", "b", "c"} {
		s.Emit(name)
	}
	raw := func(want string) {
		t.Helper()
		if _, got := c.do(http.MethodGet, "EIO=4&transport=polling&sid="+c.sid, ""); got != want {
			t.Fatalf("got %q; want %q", got, want)
		}
	}
	unconfirmed := func(want string) {
		t.Helper()
		got := ""
		for _, e := range s.Unconfirmed() {
			got += e.Name
		}
		if got != want {
			t.Errorf("unconfirmed is %q; want %q", got, want)
		}
	}
	raw(`42["a"]`)
	raw("2") // for a
	raw(`42["b"]`)
	unconfirmed("abc")
	c.post("3")
	unconfirmed("bc")
	raw(`42["c"]`)
	raw("2") // for b and c
	s.Emit("d")
	c.post("3")
	unconfirmed("d")
	raw(`42["d"]`)
	raw("2")
	c.post("3")
	unconfirmed("")
	c.post("1")
	await(t, s.Done())
}

func await(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the connection does not end")
	}
}

func TestBadRequests(t *testing.T) {
	_, url := begin(t, Options{MaxMessage: 100, MaxSockets: 20}, echo)
	c := &client{t: t, url: url}
	for _, query := range []string{
		"", "EIO=3&transport=polling", "EIO=4&transport=pigeon", "EIO=4&transport=polling&sid=x", "EIO=4&transport=websocket&sid=x", "EIO=4&transport=websocket",
	} {
		if status, answer := c.do(http.MethodGet, query, ""); status < 400 {
			t.Errorf("%q: status %d, %s", query, status, answer)
		}
	}
	if status, _ := c.do(http.MethodPost, "EIO=4&transport=polling", "40"); status != http.StatusBadRequest {
		t.Errorf("a message of nobody: status %d", status)
	}
	if status, answer := c.do(http.MethodOptions, "EIO=4&transport=polling", ""); status != http.StatusNoContent {
		t.Errorf("OPTIONS: status %d, %s", status, answer)
	}
	for _, packet := range []string{
		"", "x", "9", "4", "4x", "45-[]", "42", `42{"a":1}`, `42[1]`, "42[", `42999999999999999999["a"]`, "bAAAA", strings.Repeat("4", 200), "2", "2probe", "5", "6", "0",
	} {
		c := open(t, url)
		if status := c.post(packet); status < 400 {
			t.Errorf("%q: status %d", packet, status)
		}
		if status := c.post("40"); status != http.StatusBadRequest {
			t.Errorf("%q does not end the connection", packet)
		}
	}
	c = open(t, url)
	first := make(chan string, 1)
	go func() { first <- c.poll() }()
	for got := ""; got == ""; { // of two polls at once the second ends the connection
		status, _ := c.do(http.MethodGet, "EIO=4&transport=polling&sid="+c.sid, "")
		if status == http.StatusBadRequest {
			got = <-first
		}
	}
	for i := range 30 {
		status, _ := c.do(http.MethodGet, "EIO=4&transport=polling", "")
		if status != http.StatusOK {
			if i < 10 {
				t.Errorf("connection %d is refused", i)
			}
			return
		}
	}
	t.Error("connections are not limited")
}

// The upgrade, and what was sent while it went on.
func TestUpgrade(t *testing.T) {
	_, url := begin(t, Options{}, echo)
	c := open(t, url)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dial := func() *websocket.Conn {
		conn, _, err := websocket.Dial(ctx, strings.Replace(url, "http", "ws", 1)+"/socket.io/?EIO=4&transport=websocket&sid="+c.sid, nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	say := func(conn *websocket.Conn, text string) {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(conn *websocket.Conn, want string) {
		t.Helper()
		_, body, err := conn.Read(ctx)
		if err != nil || string(body) != want {
			t.Fatalf("got %q, %v; want %q", body, err, want)
		}
	}
	conn := dial()
	say(conn, "2probe")
	hear(conn, "3probe")
	_ = conn.CloseNow() // the client gives the upgrade up
	c.post(`421["echo"]`)
	for got := ""; got != `431["ok",[]]`; {
		if got = c.poll(); got == "" {
			t.Fatal("polling does not go on after an upgrade that was given up")
		}
	}
	polled := make(chan string, 1)
	go func() { polled <- c.poll() }()
	for body := []byte(nil); string(body) != "3probe"; { // refused while the one before is not known to have ended
		conn = dial()
		say(conn, "2probe")
		_, body, _ = conn.Read(ctx)
		if ctx.Err() != nil {
			t.Fatal("no other upgrade is possible")
		}
	}
	if got := <-polled; got != string(engineNoop) {
		t.Errorf("the poll is answered with %q", got)
	}
	c.post(`422["echo","late"]`)
	say(conn, "5")
	hear(conn, `432["ok",["late"]]`)
	say(conn, `423["echo"]`)
	hear(conn, `433["ok",[]]`)
	say(conn, `42["end"]`)
	hear(conn, "41")
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the end: %v", err)
	}
}

// A server that ends tells its clients first.
func TestClose(t *testing.T) {
	s, url := begin(t, Options{}, func(s *Socket) { <-s.Done() })
	c := open(t, url)
	go s.Close()
	if got := c.poll() + c.poll(); got != "411" {
		t.Errorf("got %q", got)
	}
}

// What a client says is not trusted.
func FuzzPacket(f *testing.F) {
	for _, s := range []string{`2["a",1]`, `2/n,17["a"]`, `0`, `0{"a":1}`, `31["ok"]`, `1/n,`, `5-["a"]`, `299999999999999999999[]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePacket(s)
		if err != nil {
			return
		}
		if len(p.data) > 0 && !json.Valid(p.data) || p.id < -1 || p.id > maxID {
			t.Errorf("%q is %+v", s, p)
		}
		_, _, _ = p.event()
	})
}

func TestEncode(t *testing.T) {
	if got, err := encode(socketEvent, -1, []any{"a", 1}); err != nil || got != `42["a",1]` {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := encode(socketEvent, -1, []any{func() {}}); err == nil {
		t.Error("a function is encoded")
	}
}

// The clients themselves, in a browser: over each transport and with the
// upgrade, an acknowledgement, an event, a large message, a connection that
// breaks, and the end.
func TestClients(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium: run scripts/install-tools")
	}
	_, url := begin(t, Options{PingInterval: 50 * time.Millisecond}, echo)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.NoSandbox)...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 2*patience)
	t.Cleanup(cancel)
	for _, version := range []string{"3.1.2", "4.8.4"} {
		for _, transports := range []string{`["polling"]`, `["websocket"]`, `["polling", "websocket"]`} {
			t.Run(version+" "+transports, func(t *testing.T) {
				if err := chromedp.Do(ctx, chromedp.Navigate(url+"/page.html?"+version)); err != nil {
					t.Fatal(err)
				}
				begun := fmt.Sprintf(`(async () => { while (!window.io) await new Promise((r) => setTimeout(r, 10)); return check(%s); })().then((s) => { window.result = s; }, (e) => { window.result = "failed: " + e; }), true`, transports)
				if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](begun)); err != nil {
					t.Fatal(err)
				}
				if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`!!window.result`)); err != nil {
					t.Fatal(err)
				}
				got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`window.result`))
				if err != nil || got != "ok" {
					t.Errorf("%s, %v", got, err)
				}
			})
		}
	}
}
