package rtc

import "time"

// KeyFrameGap is the least time between two requests for a key frame of one
// track. Chromium makes one in 300 ms at most, and a request for one simulcast
// layer makes it send a key frame on all of them.
const KeyFrameGap = 300 * time.Millisecond

// Throttle spaces the requests for key frames of one track. The zero value is
// ready.
type Throttle struct {
	last   time.Time
	wanted bool
}

// Ask says whether a request may go out now. One that may not is remembered
// for Due.
func (t *Throttle) Ask(now time.Time) bool {
	if !t.last.IsZero() && now.Sub(t.last) < KeyFrameGap {
		t.wanted = true
		return false
	}
	t.last, t.wanted = now, false
	return true
}

// Due says whether a request that was held back may go out now.
func (t *Throttle) Due(now time.Time) bool { return t.wanted && t.Ask(now) }
