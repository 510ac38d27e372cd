package roombench

import (
	"context"
	"net"
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/room"
)

// plain is an SFU as pion's examples show one: a TrackLocalStaticRTP for each
// track, which every subscriber's connection sends, with pion's default
// interceptors and sockets.
type plain struct {
	mu     sync.Mutex
	tracks map[string]*webrtc.TrackLocalStaticRTP
	conns  []*webrtc.PeerConnection
	came   *sync.Cond
}

func newPlain() *plain {
	p := &plain{tracks: map[string]*webrtc.TrackLocalStaticRTP{}}
	p.came = sync.NewCond(&p.mu)
	return p
}

func (p *plain) connection() (*webrtc.PeerConnection, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(m, registry); err != nil {
		return nil, err
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(s))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err == nil {
		p.mu.Lock()
		p.conns = append(p.conns, pc)
		p.mu.Unlock()
	}
	return pc, err
}

// Offer answers. A subscriber waits until all that it wants is there.
func (p *plain) Offer(ctx context.Context, o room.Offer) (string, error) {
	pc, err := p.connection()
	if err != nil {
		return "", err
	}
	for _, id := range o.Want {
		sender, err := pc.AddTrack(p.await(id))
		if err != nil {
			return "", err
		}
		go func() {
			buffer := make([]byte, 1500)
			for {
				if _, _, err := sender.Read(buffer); err != nil {
					return
				}
			}
		}()
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		p.forward(remote, o.Publish[receiver.RTPTransceiver().Mid()].ID)
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.SDP}); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	return pc.LocalDescription().SDP, nil
}

func (p *plain) await(id string) *webrtc.TrackLocalStaticRTP {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.tracks[id] == nil {
		p.came.Wait()
	}
	return p.tracks[id]
}

func (p *plain) forward(remote *webrtc.TrackRemote, id string) {
	local, err := webrtc.NewTrackLocalStaticRTP(remote.Codec().RTPCodecCapability, id, "plain")
	if err != nil {
		return
	}
	p.mu.Lock()
	p.tracks[id] = local
	p.mu.Unlock()
	p.came.Broadcast()
	buffer := make([]byte, 1500)
	for {
		n, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		_, _ = local.Write(buffer[:n]) // one subscriber that is gone must not stop the others
	}
}

func (p *plain) Close() error {
	p.mu.Lock()
	conns := p.conns
	p.mu.Unlock()
	for _, pc := range conns {
		_ = pc.Close()
	}
	return nil
}
