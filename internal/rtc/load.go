package rtc

import (
	"sync"
	"time"
)

// sessionsOfPerson is how many sessions a participant has: one sends, one receives.
const sessionsOfPerson = 2

// rateTime is over how long packets are counted.
const rateTime = time.Second

// packetRate is how many packets there are in a second.
type packetRate struct {
	mu     sync.Mutex
	since  time.Time
	before uint64
	rate   float64
}

// measure takes how many packets there have been so far.
func (p *packetRate) measure(now time.Time, count uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := now.Sub(p.since)
	if !p.since.IsZero() && elapsed < rateTime {
		return
	}
	if !p.since.IsZero() {
		p.rate = float64(count-p.before) / elapsed.Seconds()
	}
	p.since, p.before = now, count
}

func (p *packetRate) perSecond() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rate
}

// Load is the share of its limits that the server uses, 1 for all of them: of its
// sessions without those of other SFUs, or of its packets, whichever is more. One
// person more takes at least that share.
func (s *Server) Load() (share, person float64) {
	sessions := 0
	for _, n := range s.all() {
		if !n.link {
			sessions++
		}
	}
	most := float64(s.limits.Sessions)
	return max(float64(sessions)/most, s.rate.perSecond()/float64(s.limits.Packets)), sessionsOfPerson / most
}
