// Package rtsptest is a server of RTSP for tests: whoever announces a path is sent on
// to all who play it.
package rtsptest

import (
	"sync"
	"testing"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtp"
)

// Server is one at an address, until Stop. Start brings it back there.
type Server struct {
	// URL is that of the one stream that it passes on.
	URL  string
	addr string

	mu      sync.Mutex
	server  *gortsplib.Server
	stream  *gortsplib.ServerStream
	sender  *gortsplib.ServerSession
	packets int
}

// New starts a server at an address, which ends with the test.
func New(t *testing.T, addr string) *Server {
	t.Helper()
	s := &Server{URL: "rtsp://" + addr + "/live", addr: addr}
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

// Start begins to listen.
func (s *Server) Start(t *testing.T) {
	t.Helper()
	server := &gortsplib.Server{Handler: s, RTSPAddress: s.addr}
	s.mu.Lock()
	s.server = server
	s.mu.Unlock()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
}

// Stop breaks all connections off.
func (s *Server) Stop() {
	s.mu.Lock()
	server := s.server
	s.server = nil
	s.mu.Unlock()
	if server != nil {
		server.Close()
	}
}

// Packets is how many have come from senders.
func (s *Server) Packets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packets
}

func answer(status base.StatusCode) *base.Response { return &base.Response{StatusCode: status} }

// current answers with the stream, if somebody sends one.
func (s *Server) current() (*base.Response, *gortsplib.ServerStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil {
		return answer(base.StatusNotFound), nil, nil
	}
	return answer(base.StatusOK), s.stream, nil
}

// OnDescribe is called by the library, as the others below.
func (s *Server) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return s.current()
}

// OnAnnounce takes the last sender.
func (s *Server) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream := &gortsplib.ServerStream{Server: s.server, Desc: ctx.Description}
	if err := stream.Initialize(); err != nil {
		return answer(base.StatusInternalServerError), err
	}
	if s.stream != nil {
		s.stream.Close()
	}
	s.stream, s.sender = stream, ctx.Session
	return answer(base.StatusOK), nil
}

// OnSetup is called for senders, which come with a stream, and for players.
func (s *Server) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return answer(base.StatusOK), nil, nil
	}
	return s.current()
}

// OnPlay lets everybody play.
func (s *Server) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return answer(base.StatusOK), nil
}

// OnRecord passes packets on.
func (s *Server) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	s.mu.Lock()
	stream := s.stream
	s.mu.Unlock()
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, p *rtp.Packet) {
		s.mu.Lock()
		s.packets++
		s.mu.Unlock()
		_ = stream.WritePacketRTP(m, p) // a player that is gone
	})
	return answer(base.StatusOK), nil
}

// OnSessionClose ends the stream of a sender.
func (s *Server) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != nil && ctx.Session == s.sender {
		s.stream.Close()
		s.stream, s.sender = nil, nil
	}
}
