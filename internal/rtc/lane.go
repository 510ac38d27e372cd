package rtc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/peerconn"
)

// laneSections is the most media sections of one connection of a link: each makes
// its offers larger.
const laneSections = 32

// lane is a connection of a link, on which this SFU is the client.
type lane struct {
	link    *link
	session string
	packets atomic.Uint64
	// dead: the connection failed.
	dead atomic.Bool

	// what only the link's own goroutine uses
	sections []*section
	changed  bool

	mu sync.Mutex
	pc *webrtc.PeerConnection
}

// section is a media section of a lane: a layer of a track, another one later.
type section struct {
	lane        *lane
	kind, codec string
	transceiver *webrtc.RTPTransceiver
	// wants and layer are what is to come, while it is busy; freed is since when it
	// has not been.
	wants string
	layer int
	busy  bool
	freed time.Time
	// into is where what arrives goes, ssrc what it is called there.
	into atomic.Pointer[feed]
	ssrc atomic.Uint32
}

// feed is a layer of a track that comes by a link.
type feed struct {
	track *track
	layer *layer
}

// add adds a section, which the next offer has.
func (ln *lane) add(s *section) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.sections = append(ln.sections, s)
}

// open makes the connection.
func (ln *lane) open() error {
	server := ln.link.room.server
	settings := server.net.clientSettings()
	api, err := publisherAPI(settings)
	if err != nil {
		return err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{server.certificate}})
	if err != nil {
		return err
	}
	pc.OnTrack(ln.onTrack)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateFailed || s == webrtc.PeerConnectionStateClosed {
			ln.dead.Store(true)
		}
	})
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.pc = pc
	return nil
}

// negotiate says what is to come in each section.
func (ln *lane) negotiate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upstreamTime)
	defer cancel()
	if ln.pc == nil {
		if err := ln.open(); err != nil {
			return err
		}
	}
	fresh := false
	for _, s := range ln.sections {
		if s.transceiver != nil {
			continue
		}
		t, err := ln.pc.AddTransceiverFromKind(webrtc.NewRTPCodecType(s.kind), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return err
		}
		ln.mu.Lock()
		s.transceiver, fresh = t, true
		ln.mu.Unlock()
	}
	if !fresh {
		return ln.link.room.server.opts.Upstream.Change(ctx, ln.link.node, ln.session, ln.change())
	}
	return ln.offer(ctx)
}

// change is what is to come, by mid.
func (ln *lane) change() Change {
	c := Change{Want: map[string]string{}, Layers: map[string]int{}}
	for _, s := range ln.sections {
		c.Want[s.transceiver.Mid()] = s.wants
		if s.busy {
			c.Layers[s.transceiver.Mid()] = s.layer
		}
	}
	return c
}

// offer has the other SFU answer.
func (ln *lane) offer(ctx context.Context) error {
	l := ln.link
	return peerconn.Offer(ctx, ln.pc, func(ctx context.Context, offer string) (string, error) {
		return l.room.server.opts.Upstream.Offer(ctx, l.node, Offer{
			Room: l.room.name, Session: ln.session, Owner: "link to " + l.self, ReceiveOnly: true, Link: true, SDP: offer, Change: ln.change(),
		})
	})
}

// onTrack reads what begins to arrive.
func (ln *lane) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	ln.mu.Lock()
	i := slices.IndexFunc(ln.sections, func(s *section) bool { return s.transceiver == receiver.RTPTransceiver() })
	var s *section
	if i >= 0 {
		s = ln.sections[i]
	}
	ln.mu.Unlock()
	if s != nil {
		s.read(remote)
	}
}

// read hands on what arrives, until the connection ends.
func (s *section) read(remote *webrtc.TrackRemote) {
	s.ssrc.Store(uint32(remote.SSRC()))
	buffer := make([]byte, maxPacket)
	var header rtp.Header
	for {
		n, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		s.lane.packets.Add(1)
		if to := s.into.Load(); to != nil && !to.track.take(to.layer, &header, buffer[:n], 0, time.Now()) {
			to.track.room.server.count.malformed.Add(1)
		}
	}
}

// send sends RTCP to the other SFU. One that is gone does not get it.
func (ln *lane) send(p rtcp.Packet) {
	ln.mu.Lock()
	pc := ln.pc
	ln.mu.Unlock()
	if pc != nil {
		_ = pc.WriteRTCP([]rtcp.Packet{p})
	}
}

func (ln *lane) state() string {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.pc == nil {
		return webrtc.PeerConnectionStateNew.String()
	}
	return ln.pc.ConnectionState().String()
}

// close ends the connection, here and there.
func (ln *lane) close() {
	ln.dead.Store(true)
	ln.mu.Lock()
	pc := ln.pc
	ln.mu.Unlock()
	if pc == nil {
		return
	}
	_ = pc.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), upstreamTime, errors.New("rtc: ending a link"))
	defer cancel()
	ln.link.room.server.opts.Upstream.End(ctx, ln.link.node, ln.link.room.name, ln.session)
}
