package owtportal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/internal/portal"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// door is a server whose rooms are made up.
type door struct {
	t   *testing.T
	s   *Server
	key roomtoken.Key
	url string

	mu    sync.Mutex
	seats []*fakeSeat
	// refused is why nobody enters.
	refused error
}

func newDoor(t *testing.T, opts Options) *door {
	t.Helper()
	d := &door{t: t}
	var err error
	if d.key, err = roomtoken.NewKey([]byte("a key for tests, long enough")); err != nil {
		t.Fatal(err)
	}
	d.s = newServer(opts, d.key, func(c roomtoken.Claims, hear func(portal.News)) (seat, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.refused != nil {
			return nil, d.refused
		}
		s := newFakeSeat("p"+string(rune('0'+len(d.seats))), c.User)
		s.key, s.role, s.hear = d.key, c.Role, hear
		d.seats = append(d.seats, s)
		return s, nil
	})
	server := httptest.NewServer(d.s.io)
	d.url = strings.Replace(server.URL, "http", "ws", 1) + path + "?EIO=4&transport=websocket"
	t.Cleanup(func() {
		d.s.Close()
		server.Close()
	})
	return d
}

func (d *door) token(c roomtoken.Claims, life time.Duration) string {
	d.t.Helper()
	token, err := d.key.Sign(c, time.Now().Add(life))
	if err == nil {
		token, err = roomtoken.OWT(token, "http://127.0.0.1")
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return token
}

func (d *door) login() string {
	return loginOf(d.token(roomtoken.Claims{Room: "room1", User: "alice", Role: room.Presenter}, time.Hour))
}

func loginOf(token string) string {
	return `{"token":"` + token + `","userAgent":{"sdk":{"type":"JavaScript","version":"5.1"}},"protocol":"1.2"}`
}

func (d *door) seat(i int) *fakeSeat {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seats[i]
}

// wire is a client's socket.
type wire struct {
	d    *door
	conn *websocket.Conn
	ctx  context.Context
}

func (d *door) dial() *wire {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	d.t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, d.url, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	d.t.Cleanup(func() { _ = conn.CloseNow() })
	w := &wire{d, conn, ctx}
	w.hear() // the greeting
	w.say("40")
	w.hear()
	return w
}

func (w *wire) say(text string) {
	w.d.t.Helper()
	if err := w.conn.Write(w.ctx, websocket.MessageText, []byte(text)); err != nil {
		w.d.t.Fatal(err)
	}
}

// hear is the next packet that is no ping; "" is the end.
func (w *wire) hear() string {
	for {
		_, body, err := w.conn.Read(w.ctx)
		if err != nil {
			return ""
		}
		if string(body) != "2" {
			return string(body)
		}
		w.say("3")
	}
}

// ask makes a request, and returns its answer.
func (w *wire) ask(name, arg string) string {
	w.d.t.Helper()
	if arg != "" {
		arg = "," + arg
	}
	w.say(`427["` + name + `"` + arg + `]`)
	return w.hear()
}

// ticketOf is the ticket in the answer to a login.
func ticketOf(t *testing.T, answer string) string {
	t.Helper()
	var all []json.RawMessage
	var in loginAnswer
	if json.Unmarshal([]byte(strings.TrimPrefix(answer, "437")), &all) != nil || len(all) != 2 || json.Unmarshal(all[1], &in) != nil || in.Ticket == "" {
		t.Fatalf("the login is answered with %s", answer)
	}
	return in.Ticket
}

func TestLogins(t *testing.T) {
	d := newDoor(t, Options{})
	alice := roomtoken.Claims{Room: "room1", User: "alice", Role: room.Presenter}
	ticket := alice
	ticket.Participant = "p0"
	for want, arg := range map[string]string{
		"Unknown client protocol":           strings.Replace(d.login(), "1.2", "1.1", 1),
		"User agent info is incorrect":      `{"token":"x","protocol":"1.2"}`,
		"Invalid token signature":           loginOf("bm9uZQ=="),
		"Invalid token signature\"":         loginOf(d.token(ticket, time.Hour)),
		"Expired":                           loginOf(d.token(alice, -time.Hour)),
		string(errTicket):                   `relogin 7`,
		"Client does NOT exist":             `relogin "` + ticketFor(t, d, "nobody", "nobody", time.Hour) + `"`,
		"Ticket is expired":                 `relogin "` + ticketFor(t, d, "p0", "p0", -time.Hour) + `"`,
		"Participant ID is not matched":     `relogin "` + ticketFor(t, d, "p0", "p1", time.Hour) + `"`,
		"Invalid reconnection ticket signa": `relogin "e30="`,
	} {
		w := d.dial()
		name, data, is := strings.Cut(arg, " ")
		if !is || name != "relogin" {
			name, data = "login", arg
		}
		if got := w.ask(name, data); !strings.HasPrefix(got, `437["error","`+strings.TrimSuffix(want, `"`)) {
			t.Errorf("%s: %s; want %s", arg, got, want)
		}
		if w.hear() != "41" {
			t.Errorf("%s: the socket goes on", want)
		}
	}
	w := d.dial()
	for _, name := range []string{"text", "logout", "publish", "refreshReconnectionTicket"} {
		if got := w.ask(name, ""); got != `437["error","Illegal request"]` {
			t.Errorf("%s of nobody: %s", name, got)
		}
	}
	answer := w.ask("login", d.login())
	for _, want := range []string{`["ok",{"id":"p0","user":"alice","role":"presenter"`, `"participants":[{"id":"p0"`, `"streams":[]`, `"views":[]`} {
		if !strings.Contains(answer, want) {
			t.Errorf("%s is not in %s", want, answer)
		}
	}
	if got := w.ask("login", d.login()); got != `437["error","Connection is in service"]` {
		t.Errorf("a second login: %s", got)
	}
	if got := w.ask("refreshReconnectionTicket", ""); !strings.HasPrefix(got, `437["ok","`) {
		t.Errorf("another ticket: %s", got)
	}
	if got := w.ask("logout", ""); got != `437["ok"]` {
		t.Errorf("logout: %s", got)
	}
	await(t, d.seat(0).leaves)
	d.mu.Lock()
	d.refused = room.ErrFull
	d.mu.Unlock()
	if got := d.dial().ask("login", d.login()); got != `437["error","Room is full"]` {
		t.Errorf("a full room: %s", got)
	}
}

func ticketFor(t *testing.T, d *door, name, signed string, life time.Duration) string {
	t.Helper()
	signature, err := d.key.Sign(roomtoken.Claims{Room: "room1", User: "x", Role: room.Viewer, Participant: signed}, time.Now().Add(life))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString([]byte(jsonOf(t, ticket{Participant: name, Signature: signature})))
}

func await(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the participant does not leave")
	}
}

// A socket breaks: the participant stays, gets on another socket what it missed,
// in order, and the old one is worth nothing.
func TestSocketBreaks(t *testing.T) {
	d := newDoor(t, Options{})
	first := d.dial()
	ticket := ticketOf(t, first.ask("login", d.login()))
	seat := d.seat(0)
	second := d.dial() // before anybody noticed the break
	if got := second.ask("relogin", `"`+ticket+`"`); !strings.HasPrefix(got, `437["ok","`) {
		t.Fatalf("relogin: %s", got)
	}
	if got := first.hear(); got != "41" {
		t.Errorf("the socket of before: %q", got)
	}
	_ = second.conn.CloseNow()
	for _, text := range []string{"one", "two"} {
		seat.hear(portal.News{Text: &portal.Text{From: "x", Text: text}})
	}
	third := d.dial()
	if got := third.ask("relogin", `"`+ticket+`"`); !strings.HasPrefix(got, `437["ok","`) {
		t.Fatalf("relogin: %s", got)
	}
	for _, text := range []string{"one", "two"} {
		if got := third.hear(); got != `42["text",{"from":"x","to":"all","message":"`+text+`"}]` {
			t.Errorf("what was missed: %s", got)
		}
	}
	if got := third.ask("text", `{"to":"all","message":"back"}`); got != `437["ok"]` {
		t.Error(got)
	}
	d.s.Close()
	if got := third.hear() + third.hear(); got != `42["drop",null]41` {
		t.Errorf("the end of the portal: %s", got)
	}
	await(t, seat.leaves)
}

// Who does not come back has left: after a while, or at once where its media has
// ended too.
func TestDoesNotComeBack(t *testing.T) {
	d := newDoor(t, Options{ReturnTime: time.Millisecond})
	w := d.dial()
	w.ask("login", d.login())
	_ = w.conn.CloseNow()
	await(t, d.seat(0).leaves)

	d = newDoor(t, Options{})
	w = d.dial()
	w.ask("login", d.login())
	w.ask("publish", publishBoth)
	_ = w.conn.CloseNow()
	d.seat(0).hear(portal.News{Ended: "p0.owt1"})
	await(t, d.seat(0).leaves)
}

// A client that asks too much is told so.
func TestRequestsAreLimited(t *testing.T) {
	d := newDoor(t, Options{})
	w := d.dial()
	w.ask("login", d.login())
	for range 100 * requestBurst {
		if got := w.ask("soac", `{}`); strings.Contains(got, "too many requests") {
			return
		}
	}
	t.Error("requests are not limited")
}
