package portal

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

const (
	// mediaTime is how long an SFU may take to answer.
	mediaTime = 4 * time.Second
	// listEvery is how often the portals of the cluster are looked up.
	listEvery = 3 * time.Second
)

// DefaultOfferTime is the default of Options.OfferTime.
const DefaultOfferTime = 8 * time.Second

// Options are what a portal is. Conn, Client, Key and ID are required.
type Options struct {
	// Conn carries calls and notices, and stays the caller's.
	Conn bus.Conn
	// Client asks the manager and the agents.
	Client *client.Client
	// Key checks the tokens.
	Key roomtoken.Key
	// ID names the portal: that of its worker.
	ID string
	// Listen is the address of its HTTP server.
	Listen string
	// Region is where its clients are; "" is nowhere in particular. They get an SFU
	// of that region, where there is one.
	Region string
	// OfferTime is how long an offer by HTTP waits for an SFU that serves the
	// room; 0 means DefaultOfferTime.
	OfferTime time.Duration
	// Bitrates are the most bits a second that participants of a role may send,
	// and receive; a role without one has no limit.
	Bitrates map[room.Role]int
	// StreamTo are the beginnings of what presenters may have rooms streamed to: of
	// URLs, and of files as workers of purpose streaming see them. Nil means
	// DefaultStreamTo.
	StreamTo []string
	// OnEnter and OnLeave hear of participants. They must not block.
	OnEnter, OnLeave func(participant string)
	// Logger hears of rooms and participants. Nil means none.
	Logger *slog.Logger
}

// Portal is a running portal.
type Portal struct {
	opts   Options
	log    *slog.Logger
	listen net.Listener
	server *http.Server
	mux    *http.ServeMux

	mu      sync.Mutex
	halls   map[string]*hall
	portals []string
	closed  bool

	// resources are the clients of WHIP and WHEP: each *member by its id.
	resources sync.Map

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Start opens the HTTP server of a portal.
func Start(opts Options) (*Portal, error) {
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	opts.OfferTime = cmp.Or(opts.OfferTime, DefaultOfferTime)
	if opts.StreamTo == nil {
		opts.StreamTo = DefaultStreamTo
	}
	for _, f := range []*func(string){&opts.OnEnter, &opts.OnLeave} {
		if *f == nil {
			*f = func(string) {}
		}
	}
	l, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	p := &Portal{opts: opts, log: opts.Logger.With("component", "portal"), listen: l, halls: map[string]*hall{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.mux = p.handler()
	p.server = &http.Server{
		Handler: p.mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return p.ctx },
	}
	p.running.Go(func() { _ = p.server.Serve(l) }) // it ends with Close
	p.running.Go(p.follow)
	return p, nil
}

// URL is where clients reach the portal, as far as it knows.
func (p *Portal) URL() string { return "http://" + p.listen.Addr().String() }

// Close ends the portal. Its participants go to another one: they are not
// taken out of their rooms.
func (p *Portal) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	err := p.server.Close()
	p.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

// follow keeps the list of the cluster's portals.
func (p *Portal) follow() {
	tick := time.NewTicker(listEvery)
	defer tick.Stop()
	for {
		p.list()
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// list looks the portals up. Each says in its worker's info where it is.
func (p *Portal) list() {
	ctx, cancel := context.WithTimeout(p.ctx, mediaTime)
	defer cancel()
	workers, err := p.opts.Client.Workers(ctx, room.PurposePortal)
	if err != nil {
		return // the list that is known goes on
	}
	var urls []string
	for _, w := range workers {
		var says struct {
			URL string `json:"url"`
		}
		if json.Unmarshal(w.Info.Raw, &says) == nil && says.URL != "" {
			urls = append(urls, says.URL)
		}
	}
	slices.Sort(urls)
	p.mu.Lock()
	changed := !slices.Equal(urls, p.portals)
	p.portals = urls
	halls := slices.Collect(maps.Values(p.halls))
	p.mu.Unlock()
	if changed {
		for _, h := range halls {
			h.sayState()
		}
	}
}

func (p *Portal) others() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.portals)
}

// hall finds the hall of a room, or opens it.
func (p *Portal) hall(name string) (*hall, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errEnding
	}
	h := p.halls[name]
	if h == nil {
		h = newHall(p, name)
		p.halls[name] = h
		p.running.Go(h.run)
	}
	h.users++
	return h, nil
}

// leave gives a hall back; the last one closes it.
func (p *Portal) leave(h *hall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.users--; h.users == 0 && p.halls[h.name] == h {
		delete(p.halls, h.name)
		close(h.over)
	}
}

var errEnding = errors.New("the portal is ending: go to another one")

// newID makes an id of 80 bits, which cannot be guessed.
func newID() string { return strings.ToLower(rand.Text()[:16]) }
