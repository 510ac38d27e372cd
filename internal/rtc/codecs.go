package rtc

import (
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// The header extensions that we use.
const (
	transportCC = sdp.TransportCCURI
	audioLevel  = sdp.AudioLevelURI
)

// Each connection has an API of its own: senders that are made for a section
// (NewRTPSender) must know what this connection negotiated, and pion's
// connections negotiate in a copy of what the API has.

// mediaEngine knows pion's codecs (VP8, VP9, H.264, AV1, Opus and telephony's)
// with RTX, and the header extensions that are of use. Without transport-cc in
// the answer Chromium never starts its largest simulcast layer.
func mediaEngine() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		m.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}, kind)
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: transportCC}, kind); err != nil {
			return nil, err
		}
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: audioLevel}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	return m, webrtc.ConfigureSimulcastExtensionHeaders(m)
}

// publisherAPI makes a connection of a publisher: lost packets are asked for
// again, and what arrives is reported, also for transport-cc.
func publisherAPI(settings webrtc.SettingEngine) (*webrtc.API, error) {
	nacks, err := nack.NewGeneratorInterceptor()
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, err
	}
	feedback, err := twcc.NewSenderInterceptor()
	if err != nil {
		return nil, err
	}
	return newAPI(settings, nacks, reports, feedback)
}

// subscriberAPI makes a connection of a subscriber. It has no interceptors: slots
// answer NACKs from the ring of the source, number packets for transport-cc and send
// reports themselves, once a packet and without locks of others.
func subscriberAPI(settings webrtc.SettingEngine) (*webrtc.API, error) { return newAPI(settings) }

func newAPI(settings webrtc.SettingEngine, interceptors ...interceptor.Factory) (*webrtc.API, error) {
	m, err := mediaEngine()
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	for _, i := range interceptors {
		registry.Add(i)
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)), nil
}
