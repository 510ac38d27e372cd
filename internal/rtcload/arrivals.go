package rtcload

import (
	"sync"
	"time"
)

// Stream is what a person got of a track, whichever connections it came by.
type Stream struct {
	// Frames counts the frames, each once; Last is the highest number.
	Frames int
	Last   uint32
	// Missing is the longest run of frames that did not arrive, between the
	// first, or the last one before ResetGaps, and the last one that did.
	Missing int
	// Gap is the longest time between two arrivals since the last ResetGaps.
	Gap time.Duration
}

// arrivals are the frames of the tracks that a person gets.
type arrivals struct {
	mu      sync.Mutex
	streams map[string]*stream
}

type stream struct {
	first, last uint32
	got         map[uint32]struct{}
	at          time.Time
	gap         time.Duration
}

// arrive records a frame, and reports whether it is the first of its track.
func (a *arrivals) arrive(track string, number uint32, now time.Time) (first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.streams[track]
	if s == nil {
		s = &stream{first: number, got: map[uint32]struct{}{}, at: now}
		a.streams[track] = s
		first = true
	}
	s.got[number] = struct{}{}
	s.last = max(s.last, number)
	s.gap = max(s.gap, now.Sub(s.at))
	s.at = now
	return first
}

func (a *arrivals) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.streams {
		s.gap, s.first = 0, s.last
	}
}

// list is the streams. One that has not arrived for long has a gap that long.
func (a *arrivals) list(now time.Time) map[string]Stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]Stream{}
	for track, s := range a.streams {
		out[track] = Stream{Frames: len(s.got), Last: s.last, Missing: s.missing(), Gap: max(s.gap, now.Sub(s.at))}
	}
	return out
}

func (s *stream) missing() int {
	longest, run := 0, 0
	for n := s.first; n <= s.last; n++ {
		if _, ok := s.got[n]; ok {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
