package rtc

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	// tickTime is how often the server looks at its rooms.
	tickTime = 100 * time.Millisecond
	// connectTime is how long a client has to connect after its offer.
	connectTime = 20 * time.Second
)

// ErrNoSession is the refusal of a change to a session that the server does
// not have: the client has to offer it again.
var ErrNoSession = errors.New("rtc: no such session: offer it again")

// Options are what a server is. The zero value of a field means its default.
type Options struct {
	// Listen is the address at which clients reach the server, over UDP and
	// over TCP: one port each. Port 0 takes a free one. The default is
	// 127.0.0.1:0.
	Listen string
	// Public is the address in the candidates, if the server is behind a
	// one-to-one NAT.
	Public string
	// TURN is for clients that cannot reach Listen.
	TURN TURN
	// Limits bound what clients can ask for.
	Limits Limits
	// OnSpeakers gets the tracks that speak in a room, the loudest first,
	// whenever that changes. It must not block.
	OnSpeakers func(room string, tracks []string)
	// OnConnected gets the name of each session whose client has connected, once.
	// It must not block.
	OnConnected func(room, session string)
	// OnEnded gets the name of each session that has ended. It must not block.
	OnEnded func(room, session string)
	// OnPicture gets the size of a track's picture, when it is known and when it
	// has changed. It must not block.
	OnPicture func(Picture)
	// Upstream reaches other SFUs, for what is published there; nil: there are none.
	Upstream Upstream
	// Logger hears of sessions. Nil means none.
	Logger *slog.Logger
}

// Picture is the size of a track's picture, in pixels, as a key frame says it.
// RID names the encoding, where the publisher sends several.
type Picture struct {
	Room, Track, RID string
	Width, Height    int
}

// Server is an SFU. All methods may be called from several goroutines at once.
type Server struct {
	opts        Options
	limits      Limits
	log         *slog.Logger
	net         *network
	relays      *relays // nil without TURN
	turn        *turnServer
	certificate webrtc.Certificate
	settings    webrtc.SettingEngine

	mu       sync.Mutex
	sessions map[string]*session
	rooms    map[string]*room
	routes   map[string]routes
	closed   bool

	count   counters
	rate    packetRate
	stop    chan struct{}
	running sync.WaitGroup
}

// counters are of the whole server, since its start.
type counters struct {
	received, duplicates, malformed, limited, sent, resent, keyFrames, lanes atomic.Uint64
}

// Start opens the ports of a server.
func Start(opts Options) (*Server, error) {
	opts.Listen = cmp.Or(opts.Listen, "127.0.0.1:0")
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("rtc: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("rtc: %w", err)
	}
	s := &Server{
		opts: opts, limits: opts.Limits.withDefaults(), log: opts.Logger.With("component", "rtc"), certificate: *certificate,
		sessions: map[string]*session{}, rooms: map[string]*room{}, routes: map[string]routes{}, stop: make(chan struct{}),
	}
	if opts.TURN.enabled() {
		s.relays = newRelays(s.limits.Relays, s.limits.UserRelays)
	}
	if s.net, err = listen(opts.Listen, opts.Public, s.relays); err != nil {
		return nil, err
	}
	if s.settings, err = s.net.settings(); err != nil {
		return nil, errors.Join(fmt.Errorf("rtc: %w", err), s.net.close())
	}
	if s.relays != nil {
		if s.turn, err = startTURN(opts.TURN, opts.Public, s.relays, s.log); err != nil {
			return nil, errors.Join(err, s.net.close())
		}
	}
	s.running.Go(s.run)
	return s, nil
}

// TURN is the URLs of the server's TURN, if there are any.
func (s *Server) TURN() []string {
	if s.turn == nil {
		return nil
	}
	return s.turn.urls
}

// Addr is the address of the server's ports.
func (s *Server) Addr() string { return s.net.addr }

// Offer answers a client's offer. A session that is new begins with it; a
// failure leaves none behind.
func (s *Server) Offer(ctx context.Context, o Offer) (sdp string, err error) {
	d, err := parseOffer(o.SDP, s.limits)
	if err == nil && !o.Both {
		err = d.oneWay()
	}
	if err != nil {
		return "", err
	}
	if o.ReceiveOnly && d.publishes() {
		return "", errors.New("rtc: the offer sends, and its owner may only receive: every section must be recvonly or inactive")
	}
	session, isNew, err := s.session(o, o.Both || d.publishes())
	if err != nil {
		return "", err
	}
	session.bitrate.Store(int64(o.Bitrate))
	sdp, err = session.negotiate(ctx, d)
	if err == nil {
		err = session.apply(o.Change)
	}
	if err != nil {
		if isNew {
			session.end()
		}
		return "", err
	}
	if isNew {
		s.running.Go(func() { s.awaitConnection(session) })
	}
	session.allocate(time.Now())
	return sdp, nil
}

// session finds a session or begins it.
func (s *Server) session(o Offer, publishes bool) (*session, bool, error) {
	if o.Room == "" || o.Session == "" {
		return nil, false, errors.New("rtc: an offer must name its room and its session")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch known := s.sessions[o.Session]; {
	case s.closed:
		return nil, false, errors.New("rtc: the server is ending")
	case known != nil && known.room.name != o.Room:
		return nil, false, fmt.Errorf("rtc: session %s is in another room", o.Session)
	case known != nil && known.publishes != publishes:
		return nil, false, fmt.Errorf("rtc: session %s sent before and receives now, or the other way round: make another", o.Session)
	case known != nil:
		return known, false, nil
	case o.Link: // of which other SFUs have few
	case len(s.sessions) >= s.limits.Sessions:
		return nil, false, fmt.Errorf("rtc: the server has %d sessions, which is the limit", len(s.sessions))
	case s.sessionsOf(o) >= s.limits.OwnerSessions:
		return nil, false, fmt.Errorf("rtc: the participant has %d sessions, which is the limit: end one", s.limits.OwnerSessions)
	}
	newAPI := subscriberAPI
	if publishes {
		newAPI = publisherAPI
	}
	api, err := newAPI(s.settings)
	if err != nil {
		return nil, false, fmt.Errorf("rtc: %w", err)
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{s.certificate}})
	if err != nil {
		return nil, false, fmt.Errorf("rtc: %w", err)
	}
	n := &session{
		server: s, room: s.room(o.Room), id: o.Session, owner: o.Owner, pc: pc, api: api, publishes: publishes, link: o.Link,
		connected: make(chan struct{}), gone: make(chan struct{}),
		sections: map[string]*track{}, slots: map[string]*slot{},
	}
	s.watch(n)
	s.sessions[n.id] = n
	return n, true, nil
}

// sessionsOf counts the sessions of the offer's owner. The caller has locked s.
func (s *Server) sessionsOf(o Offer) (count int) {
	for _, n := range s.sessions {
		if n.room.name == o.Room && n.owner == o.Owner {
			count++
		}
	}
	return count
}

// watch follows the state of a connection.
func (s *Server) watch(n *session) {
	first := sync.OnceFunc(func() { close(n.connected) })
	n.pc.OnTrack(n.onTrack)
	n.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			first()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			go n.end() // not here: it waits for what calls this
		}
	})
}

// room finds a room or begins it. The caller has locked s.
func (s *Server) room(name string) *room {
	r := s.rooms[name]
	if r == nil {
		r = &room{server: s, name: name, tracks: map[string]*track{}, wanted: map[*slot]string{}, successors: map[string]successor{}, links: map[string]*link{}}
		s.rooms[name] = r
	}
	r.sessions++
	return r
}

// forget drops a session, and its room with the last one.
func (s *Server) forget(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[n.id] == n {
		delete(s.sessions, n.id)
	}
	if n.room.sessions--; n.room.sessions == 0 {
		delete(s.rooms, n.room.name)
		n.room.abandon()
	}
	s.log.Debug("session ended", "room", n.room.name, "session", n.id)
	if s.opts.OnEnded != nil && !s.closed {
		s.opts.OnEnded(n.room.name, n.id)
	}
}

// awaitConnection ends a session whose client does not come.
func (s *Server) awaitConnection(n *session) {
	late := time.NewTimer(connectTime)
	defer late.Stop()
	select {
	case <-n.connected:
		s.log.Debug("session connected", "room", n.room.name, "session", n.id)
		if s.opts.OnConnected != nil {
			s.opts.OnConnected(n.room.name, n.id)
		}
		n.allocate(time.Now())
	case <-late.C:
		s.log.Info("client did not connect", "room", n.room.name, "session", n.id)
		n.end()
	case <-n.gone:
	}
}

// Change changes what a session publishes and wants, without an offer.
func (s *Server) Change(session string, c Change) error {
	s.mu.Lock()
	n := s.sessions[session]
	s.mu.Unlock()
	if n == nil {
		return ErrNoSession
	}
	err := n.apply(c)
	n.allocate(time.Now())
	return err
}

// End ends a session. One that is not there has ended already.
func (s *Server) End(session string) {
	s.mu.Lock()
	n := s.sessions[session]
	s.mu.Unlock()
	if n != nil {
		n.end()
	}
}

// EndOwner ends all sessions of a participant of a room.
func (s *Server) EndOwner(room, owner string) {
	for _, n := range s.all() {
		if n.room.name == room && n.owner == owner {
			n.end()
		}
	}
}

// EndRoom ends all sessions of a room.
func (s *Server) EndRoom(room string) {
	for _, n := range s.all() {
		if n.room.name == room {
			n.end()
		}
	}
}

// Receivers is how many connected sessions of a room receive.
func (s *Server) Receivers(room string) int {
	count := 0
	for _, n := range s.all() {
		if n.room.name == room && !n.publishes && n.pc.ConnectionState() == webrtc.PeerConnectionStateConnected {
			count++
		}
	}
	return count
}

func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions))
}

func (s *Server) allRooms() []*room {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.rooms))
}

// run does what is due from time to time.
func (s *Server) run() {
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			s.tick(now, i)
		}
	}
}

func (s *Server) tick(now time.Time, i int) {
	for _, r := range s.allRooms() {
		r.succeed(now)
		s.link(r, now)
		for _, t := range r.list() {
			t.tick(now)
		}
		if active, changed := r.speaking(now); changed && s.opts.OnSpeakers != nil {
			s.opts.OnSpeakers(r.name, active)
		}
	}
	s.rate.measure(now, s.count.received.Load()+s.count.sent.Load())
	for k, n := range s.all() {
		if (i+k)%5 == 0 {
			n.allocate(now)
		}
		if (i+k)%10 == 0 {
			n.reports(now)
		}
	}
}

// Close ends every session and closes the ports.
func (s *Server) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	close(s.stop)
	for _, n := range s.all() {
		n.end()
	}
	s.running.Wait()
	var err error
	if s.turn != nil {
		err = s.turn.close()
	}
	return errors.Join(err, s.net.close())
}
