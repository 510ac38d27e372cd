package rtcload

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/peerconn"
	"github.com/muster-fleet/muster/internal/rtc"
)

// Signal has a server answer an offer.
type Signal func(ctx context.Context, o rtc.Offer) (answer string, err error)

// Client makes connections. The zero value is a client on the loopback that
// reports nothing of what it receives.
type Client struct {
	// Feedback lets its connections ask for lost packets, and report what
	// arrived, also for transport-cc, as a browser does.
	Feedback bool
	// TCP lets it use no UDP.
	TCP bool
	// UDP is the socket of its connections, such as one in another network
	// namespace; nil opens one for each.
	UDP net.PacketConn
	// Relay has it go through these servers of TURN, and no other way.
	Relay []webrtc.ICEServer
}

// Connection is a PeerConnection of the client.
func (c Client) Connection() (*webrtc.PeerConnection, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(m); err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	if c.Feedback {
		if err := webrtc.RegisterDefaultInterceptors(m, registry); err != nil {
			return nil, err
		}
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if c.TCP {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	}
	if c.UDP != nil {
		s.SetIPFilter(func(net.IP) bool { return true })
		s.SetICEUDPMux(webrtc.NewICEUDPMux(nil, c.UDP))
	}
	s.SetRelayAcceptanceMinWait(0) // it waits for better ones where there can be none
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(s))
	if len(c.Relay) > 0 {
		return api.NewPeerConnection(webrtc.Configuration{ICEServers: c.Relay, ICETransportPolicy: webrtc.ICETransportPolicyRelay})
	}
	return api.NewPeerConnection(webrtc.Configuration{})
}

// connect offers, and waits until the connection stands. fill completes the
// offer when the sections have their mids.
func connect(ctx context.Context, pc *webrtc.PeerConnection, signal Signal, o rtc.Offer, fill func(*rtc.Offer)) error {
	connected, failed := mailbox.NewSignal(), mailbox.NewSignal()
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			connected.Raise()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			failed.Raise()
		}
	})
	if err := peerconn.Offer(ctx, pc, func(ctx context.Context, offer string) (string, error) {
		o.SDP = offer
		fill(&o)
		return signal(ctx, o)
	}); err != nil {
		return err
	}
	select {
	case <-connected:
		return nil
	case <-failed:
		return errors.New("rtcload: the connection failed")
	case <-ctx.Done():
		return fmt.Errorf("rtcload: connecting: %w", context.Cause(ctx))
	}
}

// kindOf is what a track is, by its source.
func kindOf(t rtc.Track) webrtc.RTPCodecType {
	if t.Sound() {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}
