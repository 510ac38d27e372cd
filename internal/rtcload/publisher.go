package rtcload

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
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
	pc, err := c.Connection()
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
	if len(rids) == 0 {
		rids = []string{""} // the only encoding, which has no name
	}
	var transceiver *webrtc.RTPTransceiver
	for i, rid := range rids {
		local, err := webrtc.NewTrackLocalStaticRTP(capability, t.ID, "load", webrtc.WithRTPStreamID(rid))
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

// Frame is what is sent at one moment of a track: packets of Size bytes. Of
// several encodings each has half the height of the next and a quarter of its
// packets, and the largest is the frame as it is.
type Frame struct {
	Packets, Size int
	// Key makes a picture a key frame, of that Height.
	Key    bool
	Height int
	// Number is carried in each packet; NumberOf reads it.
	Number uint32
	// Data is a real frame, of VP8 or Opus, in place of all of that but Key.
	Data []byte
	// Rate is how many frames there are in a second, for their timestamps; 0 is 30
	// for pictures and 50 for sound.
	Rate int
}

// packets are the payloads of a frame. A picture is of that number.
func (f Frame) packets(kind webrtc.RTPCodecType, picture uint16) (payloads [][]byte) {
	if len(f.Data) > 0 {
		return realPackets(f.Data, kind, picture)
	}
	for i := range f.Packets {
		payload := make([]byte, max(f.Size, leastSize))
		if kind == webrtc.RTPCodecTypeVideo {
			vp8(payload, i == 0, f.Key, picture, f.Height)
		}
		binary.BigEndian.PutUint32(payload[markAt:], mark)
		binary.BigEndian.PutUint32(payload[markAt+4:], f.Number)
		payloads = append(payloads, payload)
	}
	return payloads
}

// realPackets cuts a frame of VP8 into packets; one of Opus fits into one.
func realPackets(data []byte, kind webrtc.RTPCodecType, picture uint16) (payloads [][]byte) {
	if kind == webrtc.RTPCodecTypeAudio {
		return [][]byte{data}
	}
	for first := true; len(data) > 0; first = false {
		size := min(len(data), realSize)
		var head [descriptorSize + 16]byte
		vp8(head[:], first, false, picture, 0)
		payloads = append(payloads, append(head[:descriptorSize:descriptorSize], data[:size]...))
		data = data[size:]
	}
	return payloads
}

// realSize is how much of a picture goes into a packet; descriptorSize is that
// of the header before it.
const (
	realSize       = 1100
	descriptorSize = 5
)

// markAt is where a payload has a mark and its frame's number: behind the
// headers of VP8. The mark tells it from what browsers send.
const markAt = 16

const mark = 0x6d757374

// leastSize is the smallest payload, in bytes.
const leastSize = markAt + 8

// NumberOf is the number of the frame to which a received payload belongs; 0 if
// it was not sent by a Publisher.
func NumberOf(payload []byte) uint32 {
	if len(payload) < leastSize || binary.BigEndian.Uint32(payload[markAt:]) != mark {
		return 0
	}
	return binary.BigEndian.Uint32(payload[markAt+4:])
}

// BeginsKeyFrame reports whether a payload of a picture is the first of a key
// frame.
func BeginsKeyFrame(payload []byte) bool {
	return len(payload) >= leastSize && payload[0]&0x10 != 0 && payload[5]&1 == 0
}

// The rates of made-up tracks, in frames a second.
const (
	pictureRate = 30
	soundRate   = 50
)

// Send sends a frame of a track in each of its encodings. A picture's first
// packet has a VP8 header. Sound is a packet.
func (p *Publisher) Send(track string, f Frame) error {
	s := p.tracks[track]
	s.picture = (s.picture + 1) & 0x7fff
	if s.kind == webrtc.RTPCodecTypeAudio {
		s.timestamp += 48000 / uint32(cmp.Or(f.Rate, soundRate))
	} else {
		s.timestamp += 90000 / uint32(cmp.Or(f.Rate, pictureRate))
	}
	for layer, local := range s.local {
		smaller := len(s.local) - 1 - layer
		own := f
		own.Height, own.Packets = f.Height>>smaller, max(1, f.Packets>>(2*smaller))
		payloads := own.packets(s.kind, s.picture)
		for i, payload := range payloads {
			h := rtp.Header{
				Version: 2, SequenceNumber: s.number[layer], Timestamp: s.timestamp + uint32(layer)*777, Marker: i == len(payloads)-1,
			}
			s.number[layer]++
			if err := s.name(&h, local.RID()); err != nil {
				return err
			}
			if err := local.WriteRTP(&rtp.Packet{Header: h, Payload: payload}); err != nil {
				return fmt.Errorf("rtcload: sending %s: %w", track, err)
			}
			if layer == len(s.local)-1 {
				p.sent.Add(1)
			}
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
		if err := p.Send(track, Frame{Packets: packets, Size: size, Key: i%30 == 0, Height: 720, Number: uint32(i) + 1, Rate: rate}); err != nil {
			return err
		}
	}
}

// Sent counts the packets that went out, of several encodings those of the
// largest.
func (p *Publisher) Sent() uint64 { return p.sent.Load() }

// AwaitKeyRequest waits until the server asks for a key frame of a track. It
// must be called again and again, since what the server says is read here.
func (p *Publisher) AwaitKeyRequest(track string) error {
	for {
		packets, _, err := p.tracks[track].section.Sender().ReadRTCP()
		if err != nil {
			return err
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				return nil
			}
		}
	}
}

// Connection is the client's end, for what this package does not do.
func (p *Publisher) Connection() *webrtc.PeerConnection { return p.pc }

// Close ends it.
func (p *Publisher) Close() error { return p.pc.Close() }
