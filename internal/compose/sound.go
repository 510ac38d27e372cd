package compose

// The form of sound: stereo, interleaved.
const (
	SampleRate = 48000
	Channels   = 2
)

const (
	// startAt is how much of a source must be there before it is played: what
	// comes late by less is not missed. In samples of each channel.
	startAt = SampleRate * 80 / 1000
	// mostAhead is how much may wait; more is thrown away down to startAt. A
	// publisher's clock may be faster than ours.
	mostAhead = SampleRate * 300 / 1000
	// mostHole is the longest run of lost packets that is filled with silence.
	mostHole = SampleRate * 200 / 1000
)

// Mixer adds sounds up. Each source has a buffer, which evens out when its packets
// come. The zero value is ready.
type Mixer struct {
	sources map[string]*sound
}

// sound is a source.
type sound struct {
	samples []int16
	playing bool
	// next is the timestamp that should come next.
	next  uint32
	known bool
}

// Push adds sound of a source: whole samples of all channels, with a timestamp in
// samples.
func (m *Mixer) Push(id string, timestamp uint32, samples []int16) {
	if m.sources == nil {
		m.sources = map[string]*sound{}
	}
	s := m.sources[id]
	if s == nil {
		s = &sound{}
		m.sources[id] = s
	}
	if hole := int32(timestamp - s.next); s.known && hole > 0 && hole <= mostHole {
		s.samples = append(s.samples, make([]int16, int(hole)*Channels)...)
	}
	s.next, s.known = timestamp+uint32(len(samples)/Channels), true
	s.samples = append(s.samples, samples...)
	if len(s.samples) > mostAhead*Channels {
		s.samples = append([]int16(nil), s.samples[len(s.samples)-startAt*Channels:]...)
	}
	s.playing = s.playing || len(s.samples) >= startAt*Channels
}

// Remove forgets a source.
func (m *Mixer) Remove(id string) { delete(m.sources, id) }

// Mix returns the next n samples of each channel. A source that has run dry is
// silent until enough of it is there again.
func (m *Mixer) Mix(n int) []int16 {
	sum := make([]int32, n*Channels)
	for _, s := range m.sources {
		if !s.playing {
			continue
		}
		take := min(len(s.samples), len(sum))
		for i, v := range s.samples[:take] {
			sum[i] += int32(v)
		}
		s.samples = s.samples[take:]
		s.playing = take == len(sum)
	}
	out := make([]int16, len(sum))
	for i, v := range sum {
		out[i] = int16(max(-1<<15, min(1<<15-1, v)))
	}
	return out
}
