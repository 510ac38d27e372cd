package roomstream

import (
	"fmt"
	"sync"
	"time"

	"github.com/pion/opus"

	"github.com/muster-fleet/muster/internal/compose"
	"github.com/muster-fleet/muster/internal/roomsub"
)

// mostPacket is how much sound a packet of Opus has at most: 120 ms.
const mostPacket = compose.SampleRate * 120 / 1000

// sounds are all that is heard.
type sounds struct {
	mu    sync.Mutex
	mixer compose.Mixer
}

func (s *sounds) mix(n int) []int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mixer.Mix(n)
}

func (s *sounds) push(id string, timestamp uint32, samples []int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mixer.Push(id, timestamp, samples)
}

func (s *sounds) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mixer.Remove(id)
}

// voice is a track that is heard.
type voice struct {
	id  string
	all *sounds

	mu      sync.Mutex
	closed  bool
	from    int64
	decoder *opus.Decoder // nil: it begins with the next packet
}

// Take is roomsub.Taker's.
func (v *voice) Take(from int64, _ roomsub.Codec, f roomsub.Frame, _ time.Time) (taken, askKey bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || from < v.from {
		return false, false
	}
	v.from = from
	samples, err := v.decode(f.Data)
	if err != nil {
		v.decoder = nil
		return true, false // a packet that is broken leaves a hole
	}
	v.all.push(v.id, f.Timestamp, samples)
	return true, false
}

// decode makes an error of a decoder that panics: what it gets comes from anywhere.
func (v *voice) decode(packet []byte) (samples []int16, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("opus: %v", broken)
		}
	}()
	if v.decoder == nil {
		d, err := opus.NewDecoderWithOutput(compose.SampleRate, compose.Channels)
		if err != nil {
			return nil, err
		}
		v.decoder = &d
	}
	out := make([]int16, mostPacket*compose.Channels)
	n, err := v.decoder.DecodeToInt16(packet, out)
	return out[:n*compose.Channels], err
}

// close has it forgotten.
func (v *voice) close() {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.all.remove(v.id)
}
