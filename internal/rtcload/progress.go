package rtcload

import "sync"

// progress is how far a connection has come with each of its tracks.
type progress struct {
	mu     sync.Mutex
	tracks []string
	// first is the number of the first frame that could be shown, last the
	// highest of all.
	first, last map[string]uint32
}

func newProgress(tracks []string) *progress {
	return &progress{tracks: tracks, first: map[string]uint32{}, last: map[string]uint32{}}
}

// saw takes a packet, which may be the beginning of what can be shown, and
// reports whether the track has begun.
func (p *progress) saw(track string, number uint32, begins bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[track] = max(p.last[track], number)
	if _, ok := p.first[track]; !ok && begins {
		p.first[track] = number
	}
	_, ok := p.first[track]
	return ok
}

// replaces reports whether everything that came by another connection comes by
// this one, without a frame between them that came by none.
func (p *progress) replaces(old *progress) bool {
	old.mu.Lock()
	defer old.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, track := range p.tracks {
		first, ok := p.first[track]
		if last, had := old.last[track]; had && (!ok || last < first) {
			return false
		}
	}
	return true
}
