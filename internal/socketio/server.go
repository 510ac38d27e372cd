package socketio

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Options are what a server is. The zero value of a field means its default.
type Options struct {
	// PingInterval is how often a client is asked whether it is there, and
	// PingTimeout how long it may take to say so. The defaults are Socket.IO's:
	// 25 and 20 seconds.
	PingInterval, PingTimeout time.Duration
	// MaxMessage is the most bytes of a message of a client; 0 means a million.
	MaxMessage int
	// MaxSockets is the most connections at once; 0 means 10,000.
	MaxSockets int
}

func (o Options) withDefaults() Options {
	o.PingInterval, o.PingTimeout = cmp.Or(o.PingInterval, 25*time.Second), cmp.Or(o.PingTimeout, 20*time.Second)
	o.MaxMessage, o.MaxSockets = cmp.Or(o.MaxMessage, 1_000_000), cmp.Or(o.MaxSockets, 10_000)
	return o
}

// probeTime is how often a client that tries a WebSocket is sent something, so
// that it stops polling.
const probeTime = 50 * time.Millisecond

// closeTime is how long clients have to take what they were sent, when the
// server ends.
const closeTime = time.Second

// Server is a server of Socket.IO, for one path of an HTTP server.
type Server struct {
	opts  Options
	serve func(*Socket)

	mu      sync.Mutex
	sockets map[string]*Socket
	closed  bool

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// New returns a server. It calls serve for each client that has connected, in a
// goroutine of its own; when that returns, the connection is closed.
func New(opts Options, serve func(*Socket)) *Server {
	s := &Server{opts: opts.withDefaults(), serve: serve, sockets: map[string]*Socket{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends every connection, and waits for what serves them. Clients have a
// moment to take what they were sent.
func (s *Server) Close() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.sockets))
	s.closed = true // requests of those that are open are still served
	s.mu.Unlock()
	for _, n := range all {
		n.Close()
	}
	late := time.NewTimer(closeTime)
	defer late.Stop()
	for _, n := range all {
		select {
		case <-n.over:
		case <-late.C:
			late.Reset(0)
		}
	}
	s.stop()
	s.running.Wait()
}

// open begins a connection; nil if there are too many.
func (s *Server) open() *Socket {
	n := &Socket{
		server: s, id: rand.Text(), events: make(chan Event, inBacklog), last: time.Now(),
		over: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.sockets) >= s.opts.MaxSockets {
		return nil
	}
	s.sockets[n.id] = n
	s.running.Go(n.run)
	return n
}

func (s *Server) forget(n *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sockets, n.id)
}

// find is the connection of that id; nil if there is none, or it has ended.
func (s *Server) find(id string) *Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.sockets[id]
	if n == nil {
		return nil
	}
	select {
	case <-n.over:
		return nil
	default:
		return n
	}
}

// refusal is Engine.IO's answer to a request that it cannot use.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

var (
	unknownTransport = refusal{0, "Transport unknown"}
	unknownSession   = refusal{1, "Session ID unknown"}
	badMethod        = refusal{2, "Bad handshake method"}
	badRequest       = refusal{3, "Bad request"}
	tooMany          = refusal{4, "Forbidden"}
	badVersion       = refusal{5, "Unsupported protocol version"}
)

// ServeHTTP is http.Handler's.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allow(w, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	query := r.URL.Query()
	transport, id := query.Get("transport"), query.Get("sid")
	var n *Socket
	if id != "" {
		n = s.find(id)
	}
	switch {
	case query.Get("EIO") != "4":
		refuse(w, badVersion)
	case transport != "polling" && transport != "websocket":
		refuse(w, unknownTransport)
	case id != "" && n == nil:
		refuse(w, unknownSession)
	case transport == "websocket":
		s.serveWebSocket(w, r, n)
	case n == nil && r.Method != http.MethodGet:
		refuse(w, badMethod)
	case n == nil:
		if n = s.open(); n == nil {
			refuse(w, tooMany)
			return
		}
		reply(w, s.greeting(n, "websocket"))
	case r.Method == http.MethodGet:
		n.servePoll(w, r)
	case r.Method == http.MethodPost:
		n.servePost(w, r)
	default:
		refuse(w, badRequest)
	}
}

// allow lets pages of any origin ask: who has a token may, and there are no
// cookies.
func allow(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Add("Vary", "Origin")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Content-Type")
	}
}

func refuse(w http.ResponseWriter, reason refusal) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(reason)
}

func reply(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	_, _ = io.WriteString(w, text)
}

// greeting is the first packet of a connection.
func (s *Server) greeting(n *Socket, upgrades ...string) string {
	if upgrades == nil {
		upgrades = []string{}
	}
	body, err := json.Marshal(map[string]any{
		"sid": n.id, "upgrades": upgrades, "pingInterval": s.opts.PingInterval.Milliseconds(),
		"pingTimeout": s.opts.PingTimeout.Milliseconds(), "maxPayload": s.opts.MaxMessage,
	})
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(engineOpen) + string(body)
}

// servePoll answers with the next packet. It is never more than one: a client
// of promises then has done what follows from one packet before the next
// arrives, as it has with a WebSocket.
func (s *Socket) servePoll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	second := s.polling || s.upgraded
	s.polling = s.polling || !second
	s.mu.Unlock()
	if second {
		s.end()
		refuse(w, badRequest)
		return
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.polling = false
	}()
	for {
		if text := s.take(); text != "" {
			if text == string(engineClose) {
				s.end()
			}
			reply(w, text)
			return
		}
		s.mu.Lock()
		var tired <-chan time.Time
		if s.probing {
			tired = time.After(probeTime)
		}
		s.mu.Unlock()
		select {
		case <-s.wake:
		case <-tired:
			reply(w, string(engineNoop))
			return
		case <-s.over:
			reply(w, string(engineClose))
			return
		case <-r.Context().Done():
			return
		}
	}
}

// servePost takes the packets of a request.
func (s *Socket) servePost(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.server.opts.MaxMessage)))
	if err != nil {
		s.end()
		http.Error(w, "the message is too large", http.StatusRequestEntityTooLarge)
		return
	}
	for _, text := range strings.Split(string(body), separator) {
		if err := s.receive(r.Context(), text); err != nil {
			s.end()
			refuse(w, badRequest)
			return
		}
	}
	reply(w, "ok")
}

// serveWebSocket is a connection over a WebSocket: a new one, or the upgrade of
// n.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request, n *Socket) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(int64(s.opts.MaxMessage))
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if n == nil {
		if n = s.open(); n == nil {
			_ = conn.Close(websocket.StatusTryAgainLater, tooMany.Message)
			return
		}
		n.upgraded = true
		if send(ctx, conn, s.greeting(n)) != nil {
			n.end()
			return
		}
	} else if !n.upgrade(ctx, conn) {
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer cancel() // ends the reading
		n.write(ctx, conn)
	}()
	n.read(ctx, conn)
	<-written
}

// upgrade moves a connection from polling to the WebSocket, if the client wants
// that after its probe. Otherwise it goes on polling.
func (s *Socket) upgrade(ctx context.Context, conn *websocket.Conn) (moved bool) {
	s.mu.Lock()
	refused := s.probing || s.upgraded
	s.probing = s.probing || !refused
	s.mu.Unlock()
	if refused {
		return false
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.probing, s.upgraded = false, moved
	}()
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	stop := context.AfterFunc(s.server.ctx, cancel)
	defer stop()
	if _, body, err := conn.Read(ctx); err != nil || string(body) != string(enginePing)+"probe" {
		return false
	}
	if send(ctx, conn, string(enginePong)+"probe") != nil {
		return false
	}
	s.stir() // a request that waits is to notice
	_, body, err := conn.Read(ctx)
	return err == nil && string(body) == string(engineUpgrade)
}
