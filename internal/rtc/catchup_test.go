package rtc

import (
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// A subscriber begins with a key frame that came while it was connecting, and
// gets all that has come since; an old one does not count.
func TestSubscriberCatchesUp(t *testing.T) {
	for name, c := range map[string]struct {
		age  time.Duration
		want int
	}{
		"a moment ago": {KeyFrameGap / 2, 6},
		"long ago":     {2 * KeyFrameGap, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := &room{server: &Server{}, tracks: map[string]*track{}, wanted: map[*slot]string{}}
			from := &track{
				room: r, from: &session{server: r.server}, Track: Track{ID: "t"}, kind: webrtc.RTPCodecTypeVideo, mime: webrtc.MimeTypeVP8, codec: vp8Codec,
				ranks: map[string]int{"q": 0, "f": 1}, throttle: Throttle{last: begin.Add(c.age)},
			}
			s := newSlot(&session{server: r.server, room: r}, "0", from.kind)
			out := &sink{t: t, number: map[uint16]bool{}}
			s.codecs = []webrtc.RTPCodecParameters{{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: from.mime, ClockRate: 90000}, PayloadType: 96}}
			s.header = rtp.Header{Version: 2, SSRC: 1}
			s.target = 1
			s.begin(from)
			from.slots = []*slot{s}
			arrive := func(layer *layer, number uint16, key byte, at time.Time) {
				h := rtp.Header{Version: 2, SequenceNumber: number, Timestamp: 3000 * uint32(number), Marker: true}
				from.arrive(layer, &h, []byte{0x90, 0xa0, 0x80, byte(number), 0x20, 1 - key, 0, 0, 0x9d, 1, 0x2a, 0, 1, 0, 1}, noLevel, at)
			}
			small, large := &layer{measured: begin}, &layer{index: 1, measured: begin}
			from.layers[0], from.layers[1] = small, large
			for n := range uint16(4) { // not connected yet: nothing goes out
				arrive(small, 100+n, boolByte(n == 0), begin)
				arrive(large, 200+n, boolByte(n == 0), begin)
			}
			s.writer = deaf{}
			arrive(large, 204, 0, begin.Add(c.age))
			s.writer = out
			arrive(small, 104, 0, begin.Add(c.age)) // the larger one is wanted
			if len(out.number) != 0 {
				t.Fatalf("%d packets of the smaller layer", len(out.number))
			}
			arrive(large, 205, 0, begin.Add(c.age))
			if len(out.number) != c.want {
				t.Errorf("%d packets; want %d", len(out.number), c.want)
			}
			if c.want > 0 {
				arrive(large, 206, 0, begin.Add(c.age))
				if len(out.number) != c.want+1 {
					t.Error("it does not go on")
				}
			}
		})
	}
}

// deaf is a connection that takes no packets yet.
type deaf struct{}

func (deaf) WriteRTP(*rtp.Header, []byte) (int, error) { return 0, nil }

func (deaf) Write([]byte) (int, error) { panic("not used") }

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
