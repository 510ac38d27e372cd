package rtc

import (
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// sink is a subscriber's connection.
type sink struct {
	t      *testing.T
	number map[uint16]bool
}

func (w *sink) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if w.number[h.SequenceNumber] {
		w.t.Errorf("number %d is sent twice", h.SequenceNumber)
	}
	w.number[h.SequenceNumber] = true
	if len(payload) == 0 || h.Extension || h.Padding {
		w.t.Errorf("sent: %+v with %d bytes", h, len(payload))
	}
	if _, err := h.Marshal(); err != nil {
		w.t.Errorf("sent: %+v: %v", h, err)
	}
	return len(payload), nil
}

func (w *sink) Write([]byte) (int, error) { panic("not used") }

// Whatever a publisher sends, what goes on to a subscriber is RTP without the
// publisher's extensions and padding, and no number comes twice.
func FuzzPackets(f *testing.F) {
	for _, key := range []byte{0, 1} {
		h := rtp.Header{Version: 2, SequenceNumber: 7, Timestamp: 3000, Marker: true}
		if err := h.SetExtension(3, []byte{0x80 | 20}); err != nil {
			f.Fatal(err)
		}
		raw, err := (&rtp.Packet{Header: h, Payload: []byte{0x90, 0xa0, 0x80, 1, 0x20, key, 0, 0, 0x9d, 1, 0x2a, 0, 1, 0, 1}}).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, raw[:14], uint8(key))
	}
	mimes := []string{webrtc.MimeTypeVP8, webrtc.MimeTypeVP9, webrtc.MimeTypeH264, webrtc.MimeTypeAV1, webrtc.MimeTypeOpus}
	f.Fuzz(func(t *testing.T, first, second []byte, kind uint8) {
		mime := mimes[int(kind)%len(mimes)]
		r := &room{server: &Server{}, tracks: map[string]*track{}, wanted: map[*slot]string{}}
		from := &track{room: r, Track: Track{ID: "t"}, kind: webrtc.RTPCodecTypeVideo, mime: mime, codec: codecOf(mime)}
		if mime == webrtc.MimeTypeOpus {
			from.kind = webrtc.RTPCodecTypeAudio
		}
		l := &layer{measured: begin}
		from.layers[0] = l
		s := newSlot(&session{server: r.server, room: r}, "0", from.kind)
		s.writer = &sink{t: t, number: map[uint16]bool{}}
		s.codecs = []webrtc.RTPCodecParameters{{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000}, PayloadType: 96}}
		s.header = rtp.Header{Version: 2, SSRC: 1}
		s.begin(from)
		from.slots = []*slot{s}
		var header rtp.Header
		for i, packet := range [][]byte{first, second, first, second} {
			from.take(l, &header, append([]byte{}, packet...), 3, begin.Add(time.Duration(i)*time.Second))
		}
		from.offers(begin.Add(5 * time.Second))
	})
}
