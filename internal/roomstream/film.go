package roomstream

import (
	"encoding/binary"
	"net/http"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/compose"
	"github.com/muster-fleet/muster/internal/roomsub"
)

const (
	// mostWaiting is how many moments may wait for one who reads slowly; of those
	// behind picturesWaiting the pictures are left out.
	mostWaiting     = 100
	picturesWaiting = 8
)

// moment is what is shown at a time since the beginning. Its picture may be nil.
type moment struct {
	at      time.Duration
	picture *compose.Picture
	sound   []int16
}

// film is the picture and the sound as they come, for programs of this machine:
// Matroska, neither of them encoded.
type film struct {
	width, height, fps int
	*roomsub.Loopback

	mu      sync.Mutex
	readers map[chan moment]bool
}

func newFilm(width, height, fps int) (*film, error) {
	f := &film{width: width, height: height, fps: fps, readers: map[chan moment]bool{}}
	var err error
	f.Loopback, err = roomsub.Serve(f.serve)
	return f, err
}

// watched reports whether a program reads.
func (f *film) watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.readers) > 0
}

// show hands a moment to all who read. Neither part of it must change afterwards.
func (f *film) show(m moment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for reader := range f.readers {
		one := m
		if len(reader) >= picturesWaiting {
			one.picture = nil
		}
		select {
		case reader <- one:
		default: // its sound has a hole
		}
	}
}

func (f *film) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "video/x-matroska")
	picture, sound := f.entries()
	out, err := roomsub.Mux(roomsub.Live(w), false, time.Now(), picture, sound)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	moments := make(chan moment, mostWaiting)
	f.mu.Lock()
	f.readers[moments] = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.readers, moments)
	}()
	began := time.Duration(-1)
	for {
		select {
		case <-r.Context().Done():
			return
		case m := <-moments:
			if began < 0 {
				began = m.at
			}
			if write(out, m, (m.at-began).Milliseconds()) != nil {
				return
			}
		}
	}
}

func write(out *roomsub.Writer, m moment, at int64) error {
	if m.picture != nil {
		if err := out.WriteTo(1, true, at, m.picture.Pix); err != nil {
			return err
		}
	}
	raw := make([]byte, 0, 2*len(m.sound))
	for _, v := range m.sound {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	return out.WriteTo(2, true, at, raw)
}

// trackEntry is a track of what is not encoded: the library's own has no words for
// that.
type trackEntry struct {
	TrackNumber     uint64
	TrackUID        uint64
	TrackType       uint64
	CodecID         string
	DefaultDuration uint64       `ebml:"DefaultDuration,omitempty"`
	Video           *videoFormat `ebml:"Video,omitempty"`
	Audio           *audioFormat `ebml:"Audio,omitempty"`
}

type videoFormat struct {
	PixelWidth  uint64
	PixelHeight uint64
	ColourSpace []byte
}

type audioFormat struct {
	SamplingFrequency float64
	Channels          uint64
	BitDepth          uint64
}

func (f *film) entries() (picture, sound trackEntry) {
	picture = trackEntry{
		TrackNumber: 1, TrackUID: 1, TrackType: 1, CodecID: "V_UNCOMPRESSED", DefaultDuration: uint64(time.Second) / uint64(f.fps),
		Video: &videoFormat{uint64(f.width), uint64(f.height), []byte("I420")},
	}
	sound = trackEntry{
		TrackNumber: 2, TrackUID: 2, TrackType: 2, CodecID: "A_PCM/INT/LIT",
		Audio: &audioFormat{compose.SampleRate, compose.Channels, 16},
	}
	return picture, sound
}
