package rtcload

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/rtc"
)

// Publisher sends made-up tracks: VP8 for pictures, Opus for sound.
type Publisher struct {
	pc     *webrtc.PeerConnection
	tracks map[string]*sending
	sent   atomic.Uint64
}

type sending struct {
	section   *webrtc.RTPTransceiver
	local     []*webrtc.TrackLocalStaticRTP
	kind      webrtc.RTPCodecType
	number    []uint16
	timestamp uint32
	picture   uint16
}

// Publish connects a publisher of these tracks. rids are the encodings of its
// pictures, none for a single one.
func (c Client) Publish(ctx context.Context, signal Signal, room, session string, rids []string, tracks ...rtc.Track) (*Publisher, error) {
	pc, err := c.connection()
	if err != nil {
		return nil, err
	}
	p := &Publisher{pc: pc, tracks: map[string]*sending{}}
	byTrack := map[string]*webrtc.RTPTransceiver{}
	for _, t := range tracks {
		if byTrack[t.ID], err = p.add(t, rids); err != nil {
			return nil, closing(pc, err)
		}
	}
	err = connect(ctx, pc, signal, rtc.Offer{Room: room, Session: session, Owner: session}, func(o *rtc.Offer) {
		o.Publish = map[string]rtc.Track{}
		for _, t := range tracks {
			o.Publish[byTrack[t.ID].Mid()] = t
		}
	})
	if err != nil {
		return nil, closing(pc, fmt.Errorf("rtcload: publishing: %w", err))
	}
	return p, nil
}

func closing(pc *webrtc.PeerConnection, err error) error {
	_ = pc.Close()
	return err
}

func (p *Publisher) add(t rtc.Track, rids []string) (*webrtc.RTPTransceiver, error) {
	s := &sending{kind: kindOf(t)}
	capability := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	if s.kind == webrtc.RTPCodecTypeAudio {
		capability = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
		rids = nil
	}
	var options [][]func(*webrtc.TrackLocalStaticRTP)
	for _, rid := range rids {
		options = append(options, []func(*webrtc.TrackLocalStaticRTP){webrtc.WithRTPStreamID(rid)})
	}
	if len(options) == 0 {
		options = append(options, nil)
	}
	var transceiver *webrtc.RTPTransceiver
	for i, o := range options {
		local, err := webrtc.NewTrackLocalStaticRTP(capability, t.ID, "load", o...)
		if err != nil {
			return nil, err
		}
		s.local = append(s.local, local)
		s.number = append(s.number, uint16(1000*i+1))
		if i > 0 {
			if err := transceiver.Sender().AddEncoding(local); err != nil {
				return nil, err
			}
			continue
		}
		if transceiver, err = p.pc.AddTransceiverFromTrack(local, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			return nil, err
		}
	}
	s.section = transceiver
	p.tracks[t.ID] = s
	return transceiver, nil
}

// Frame sends a frame of a track in each of its encodings: packets of size
// bytes. A picture's first packet has a VP8 header, for a key frame or not;
// height is what a key frame says. Sound is a packet.
func (p *Publisher) Frame(track string, packets, size int, key bool, height int) error {
	s := p.tracks[track]
	s.picture = (s.picture + 1) & 0x7fff
	if s.kind == webrtc.RTPCodecTypeAudio {
		s.timestamp += 960
	} else {
		s.timestamp += 3000
	}
	for layer, local := range s.local {
		for i := range packets {
			h := rtp.Header{
				Version: 2, SequenceNumber: s.number[layer], Timestamp: s.timestamp + uint32(layer)*777, Marker: i == packets-1,
			}
			s.number[layer]++
			if err := s.name(&h, local.RID()); err != nil {
				return err
			}
			payload := make([]byte, max(size, 20))
			if s.kind == webrtc.RTPCodecTypeVideo {
				vp8(payload, i == 0, key, s.picture, height>>(len(s.local)-1-layer))
			}
			if err := local.WriteRTP(&rtp.Packet{Header: h, Payload: payload}); err != nil {
				return fmt.Errorf("rtcload: sending %s: %w", track, err)
			}
			p.sent.Add(1)
		}
	}
	return nil
}

// name says in a packet which encoding it is of, as browsers do with the first
// ones.
func (s *sending) name(h *rtp.Header, rid string) error {
	if rid == "" {
		return nil
	}
	for _, e := range s.section.Sender().GetParameters().HeaderExtensions {
		value := map[string]string{sdp.SDESMidURI: s.section.Mid(), sdp.SDESRTPStreamIDURI: rid}[e.URI]
		if value == "" {
			continue
		}
		if err := h.SetExtension(uint8(e.ID), []byte(value)); err != nil {
			return err
		}
	}
	return nil
}

// vp8 writes a payload descriptor with a picture number, and the beginning of a
// frame.
func vp8(payload []byte, start, key bool, picture uint16, height int) {
	payload[0] = 0x80
	if start {
		payload[0] |= 0x10
	}
	payload[1] = 0x80 | 0x20
	binary.BigEndian.PutUint16(payload[2:], 0x8000|picture)
	payload[4] = 0x20
	payload[5] = 1
	if start && key {
		payload[5] = 0
		copy(payload[8:], []byte{0x9d, 0x01, 0x2a})
		binary.LittleEndian.PutUint16(payload[11:], uint16(height*16/9))
		binary.LittleEndian.PutUint16(payload[13:], uint16(height))
	}
}

// Run sends a track steadily until ctx ends: rate frames a second of that many
// packets of size bytes. Each 30th is a key frame.
func (p *Publisher) Run(ctx context.Context, track string, rate, packets, size int) error {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := p.Frame(track, packets, size, i%30 == 0, 720); err != nil {
			return err
		}
	}
}

// Sent counts the packets that went out.
func (p *Publisher) Sent() uint64 { return p.sent.Load() }

// Connection is the client's end, for what this package does not do.
func (p *Publisher) Connection() *webrtc.PeerConnection { return p.pc }

// Close ends it.
func (p *Publisher) Close() error { return p.pc.Close() }
