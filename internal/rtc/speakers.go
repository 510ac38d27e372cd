package rtc

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Levels of sound, in -dBov: 0 is the loudest, 127 silence (RFC 6464).
const (
	// speechLevel is the level from which a track counts as speech.
	speechLevel = 45
	// quietLevel is the level from which one that spoke counts as quiet.
	quietLevel = 55
	// quietTime is how long it must be quiet to be no speaker any more: the
	// pauses between words are shorter.
	quietTime = 800 * time.Millisecond
	// smoothing is the share of a new level in the average of 20 ms frames.
	smoothing = 0.2
)

// Speakers finds who speaks in a room, from the levels that publishers send
// with their audio packets. The zero value is ready.
type Speakers struct {
	tracks map[string]*voice
	active []string
}

type voice struct {
	level    float64 // smoothed, in -dBov
	speaking bool
	loudAt   time.Time
	seen     time.Time
}

// Hear takes the level of a packet of a track, in -dBov.
func (s *Speakers) Hear(track string, level uint8, now time.Time) {
	v := s.tracks[track]
	if v == nil {
		if s.tracks == nil {
			s.tracks = map[string]*voice{}
		}
		v = &voice{level: 127}
		s.tracks[track] = v
	}
	v.level += smoothing * (float64(level&0x7f) - v.level)
	v.seen = now
	if v.level <= speechLevel {
		v.speaking = true
	}
	if v.level <= quietLevel {
		v.loudAt = now
	}
}

// Forget drops a track.
func (s *Speakers) Forget(track string) { delete(s.tracks, track) }

// Tick returns the tracks that speak, the loudest first, and whether that
// differs from the last time. Who speaks already keeps the place that it has,
// so that two who speak at once do not change places all the time.
func (s *Speakers) Tick(now time.Time) (active []string, changed bool) {
	var next []string
	for _, name := range slices.Sorted(maps.Keys(s.tracks)) {
		v := s.tracks[name]
		if now.Sub(v.loudAt) > quietTime {
			v.speaking = false
		}
		if v.speaking {
			next = append(next, name)
		}
	}
	place := func(name string) int {
		if i := slices.Index(s.active, name); i >= 0 {
			return i
		}
		return len(s.active)
	}
	slices.SortStableFunc(next, func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(s.tracks[a].level, s.tracks[b].level))
	})
	changed = !slices.Equal(next, s.active)
	s.active = next
	return next, changed
}
