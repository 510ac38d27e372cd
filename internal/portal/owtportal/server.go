package owtportal

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/muster-fleet/muster/internal/portal"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/socketio"
)

const (
	// path is where OWT's clients connect.
	path = "/socket.io/"
	// loginTime is how long a client has to say who it is, and joinTime how long
	// the room may take to have it.
	loginTime = 10 * time.Second
	joinTime  = 6 * time.Second
	// pingEvery is how often a silent client is asked whether it is there, and
	// pingTime how long it may take to say so. The client notices a broken
	// connection in their sum.
	pingEvery = 10 * time.Second
	pingTime  = 10 * time.Second
	// maxMessage is the largest message of a client, in bytes.
	maxMessage = 300 << 10
)

// Options are what a server is. The zero value of a field means its default.
type Options struct {
	// ReturnTime is how long a participant whose socket broke may take to come
	// back; 0 means 60 s, as with OWT.
	ReturnTime time.Duration
	// Logger hears of participants. Nil means none.
	Logger *slog.Logger
}

// Server is the part of a portal that speaks OWT's protocol.
type Server struct {
	opts  Options
	log   *slog.Logger
	key   roomtoken.Key
	enter func(roomtoken.Claims, func(portal.News)) (seat, error)
	io    *socketio.Server

	people sync.Map // each *client by its participant

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Attach serves OWT's clients at a portal.
func Attach(p *portal.Portal, opts Options) *Server {
	s := newServer(opts, p.Key(), func(c roomtoken.Claims, hear func(portal.News)) (seat, error) { return p.Enter(c, hear) })
	p.Handle(path, s.io)
	return s
}

func newServer(opts Options, key roomtoken.Key, enter func(roomtoken.Claims, func(portal.News)) (seat, error)) *Server {
	opts.ReturnTime = cmp.Or(opts.ReturnTime, time.Minute)
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	s := &Server{opts: opts, log: opts.Logger.With("component", "owtportal"), key: key, enter: enter}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.io = socketio.New(socketio.Options{PingInterval: pingEvery, PingTimeout: pingTime, MaxMessage: maxMessage}, s.serve)
	return s
}

// Close has every participant leave, and tells the clients, which may join at
// another portal.
func (s *Server) Close() {
	s.stop()
	s.running.Wait()
	s.io.Close()
}

// serve is a socket from its connection to its end.
func (s *Server) serve(socket *socketio.Socket) {
	c := s.admit(socket)
	if c == nil {
		return
	}
	for {
		select {
		case e := <-socket.Events():
			select {
			case c.calls <- incoming{socket, callOf(e)}:
			case <-c.over:
				return
			case <-socket.Done(): // the caller does not get the answer
			}
		case <-socket.Done():
			select {
			case c.sockets <- attachment{socket: socket, broken: true}:
			case <-c.over:
			}
			return
		case <-c.over:
			return
		}
	}
}

// callOf is a request as an event of a socket.
func callOf(e socketio.Event) call {
	c := call{name: e.Name, reply: func(status string, data ...any) { e.Reply(append([]any{status}, data...)...) }}
	if len(e.Args) > 0 {
		c.arg = e.Args[0]
	}
	return c
}

// admit waits until the client of a socket says who it is; nil if it is not let in.
func (s *Server) admit(socket *socketio.Socket) *client {
	late := time.NewTimer(loginTime)
	defer late.Stop()
	for {
		select {
		case e := <-socket.Events():
			q := callOf(e)
			var c *client
			var err error
			switch q.name {
			case "login":
				c, err = s.login(socket, q)
			case "relogin":
				c, err = s.relogin(socket, q)
			default:
				q.refuse("Illegal request")
				continue
			}
			if err != nil {
				q.refuse(err.Error())
				return nil
			}
			return c
		case <-socket.Done():
			return nil
		case <-late.C:
			return nil
		case <-s.ctx.Done():
			return nil
		}
	}
}

// refusal is why a client is not let in, in OWT's words.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	errProtocol  = refusal("Unknown client protocol")
	errAgent     = refusal("User agent info is incorrect")
	errToken     = refusal("Invalid token signature")
	errExpired   = refusal("Expired")
	errFull      = refusal("Room is full")
	errJoin      = refusal("Joining room failed")
	errLeft      = refusal("Participant early left")
	errNoClient  = refusal("Client does NOT exist")
	errTicket    = refusal("Invalid reconnection ticket signature")
	errOldTicket = refusal("Ticket is expired")
	errOther     = refusal("Participant ID is not matched")
)

// protocol is the version that is spoken.
const protocol = "1.2"

// claims is who a client says it is.
func (s *Server) claims(q call) (roomtoken.Claims, error) {
	var in loginRequest
	if q.decode(&in) != nil || in.Protocol != protocol {
		return roomtoken.Claims{}, errProtocol
	}
	if in.UserAgent.SDK.Type == "" || in.UserAgent.SDK.Version == "" {
		return roomtoken.Claims{}, errAgent
	}
	token, err := roomtoken.FromOWT(in.Token)
	if err != nil {
		return roomtoken.Claims{}, errToken
	}
	claims, err := s.key.Open(token, time.Now())
	switch {
	case errors.Is(err, roomtoken.ErrExpired):
		return claims, errExpired
	case err != nil || claims.Participant != "": // a ticket is not a token
		return claims, errToken
	}
	return claims, nil
}

// login makes the holder of a token a participant.
func (s *Server) login(socket *socketio.Socket, q call) (*client, error) {
	claims, err := s.claims(q)
	if err != nil {
		return nil, err
	}
	c := &client{
		server: s, socket: socket, limit: rate.NewLimiter(requestRate, requestBurst),
		calls: make(chan incoming), sockets: make(chan attachment), news: make(chan portal.News, newsBacklog), over: make(chan struct{}),
	}
	c.seat, err = s.enter(claims, func(n portal.News) {
		select {
		case c.news <- n:
		case <-c.over:
		}
	})
	switch {
	case errors.Is(err, room.ErrFull):
		return nil, errFull
	case err != nil:
		s.log.Warn("participant was not let in", "room", claims.Room, "err", err)
		return nil, errJoin
	}
	state, err := s.await(c, socket)
	var ticket string
	if err == nil {
		ticket, err = newTicket(c.seat, time.Now())
	}
	if err != nil {
		close(c.over)
		c.seat.Leave()
		return nil, err
	}
	c.person = &person{seat: c.seat, role: claims.Role, out: c.out, view: newView(state)}
	may := kinds{claims.Role == room.Presenter, claims.Role == room.Presenter}
	q.ok(loginAnswer{
		ID: c.seat.ID(), User: claims.User, Role: string(claims.Role), Permission: permission{may, kinds{true, true}},
		Room: c.person.view.room(claims.Room), Ticket: ticket,
	})
	s.people.Store(c.seat.ID(), c)
	s.running.Go(func() { c.run(s.ctx) })
	return c, nil
}

// await waits until the room has the client: then it is known who else is there.
func (s *Server) await(c *client, socket *socketio.Socket) (room.State, error) {
	late := time.NewTimer(joinTime)
	defer late.Stop()
	for {
		state := c.seat.State()
		if slices.ContainsFunc(state.Participants, func(p room.Participant) bool { return p.ID == c.seat.ID() }) {
			return state, nil
		}
		select {
		case <-c.news:
		case <-late.C:
			return state, errJoin
		case <-socket.Done():
			return state, errLeft
		case <-s.ctx.Done():
			return state, errJoin
		}
	}
}

// relogin gives a participant another socket.
func (s *Server) relogin(socket *socketio.Socket, q call) (*client, error) {
	var text string
	if q.decode(&text) != nil {
		return nil, errTicket
	}
	t, err := openTicket(text)
	if err != nil {
		return nil, err
	}
	claims, err := s.key.Open(t.Signature, time.Now())
	switch {
	case errors.Is(err, roomtoken.ErrExpired):
		return nil, errOldTicket
	case err != nil:
		return nil, errTicket
	case claims.Participant == "" || claims.Participant != t.Participant:
		return nil, errOther
	}
	known, _ := s.people.Load(claims.Participant)
	c, is := known.(*client)
	if !is {
		return nil, errNoClient
	}
	select {
	case c.sockets <- attachment{socket: socket, reply: q.reply}:
		return c, nil
	case <-c.over:
		return nil, errNoClient
	}
}
