package rtcload

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/peerconn"
	"github.com/muster-fleet/muster/internal/rtc"
)

// Subscriber receives tracks.
type Subscriber struct {
	pc       *webrtc.PeerConnection
	received atomic.Uint64
	tracks   atomic.Int64
	byMid    map[string]string
	onPacket func(track string, p *rtp.Packet, a interceptor.Attributes)
}

// Subscribe connects a subscriber of these tracks. onPacket gets each packet,
// on the goroutine of its track; nil only counts.
func (c Client) Subscribe(ctx context.Context, signal Signal, room, session string,
	onPacket func(track string, p *rtp.Packet, a interceptor.Attributes), tracks ...rtc.Track,
) (*Subscriber, error) {
	pc, err := c.Connection()
	if err != nil {
		return nil, err
	}
	s := &Subscriber{pc: pc, byMid: map[string]string{}, onPacket: onPacket}
	var sections []*webrtc.RTPTransceiver
	for _, t := range tracks {
		section, err := pc.AddTransceiverFromKind(kindOf(t), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return nil, closing(pc, err)
		}
		sections = append(sections, section)
	}
	pc.OnTrack(s.read)
	err = connect(ctx, pc, signal, rtc.Offer{Room: room, Session: session, Owner: session}, func(o *rtc.Offer) {
		o.Want = map[string]string{}
		for i, section := range sections {
			o.Want[section.Mid()] = tracks[i].ID
			s.byMid[section.Mid()] = tracks[i].ID
		}
	})
	if err != nil {
		return nil, closing(pc, fmt.Errorf("rtcload: subscribing: %w", err))
	}
	return s, nil
}

// Accept makes a subscriber whose server offers: it gets what Answer is given,
// and counts.
func (c Client) Accept() (*Subscriber, error) {
	pc, err := c.Connection()
	if err != nil {
		return nil, err
	}
	s := &Subscriber{pc: pc}
	pc.OnTrack(s.read)
	return s, nil
}

// Answer answers an offer of the server, the first or a later one.
func (s *Subscriber) Answer(ctx context.Context, offer string) (answer string, err error) {
	return peerconn.Answer(ctx, s.pc, offer)
}

func (s *Subscriber) read(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	s.tracks.Add(1)
	track := s.byMid[receiver.RTPTransceiver().Mid()]
	if s.onPacket == nil {
		buffer := make([]byte, 1600)
		for {
			if _, _, err := remote.Read(buffer); err != nil {
				return
			}
			s.received.Add(1)
		}
	}
	for {
		p, a, err := remote.ReadRTP()
		if err != nil {
			return
		}
		s.received.Add(1)
		s.onPacket(track, p, a)
	}
}

// AskKeyFrame asks for a key frame, as browsers do when they cannot decode.
func (s *Subscriber) AskKeyFrame(ssrc uint32) {
	_ = s.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}) // a connection that is gone has no pictures
}

// Received counts the packets that arrived.
func (s *Subscriber) Received() uint64 { return s.received.Load() }

// Tracks counts the tracks of which a packet has arrived.
func (s *Subscriber) Tracks() int { return int(s.tracks.Load()) }

// Connection is the client's end, for what this package does not do.
func (s *Subscriber) Connection() *webrtc.PeerConnection { return s.pc }

// Close ends it.
func (s *Subscriber) Close() error { return s.pc.Close() }
