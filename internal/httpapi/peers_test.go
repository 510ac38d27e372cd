package httpapi

import (
	"fmt"
	"testing"
	"time"
)

// A page stays open when its server has ended: it may ask the others, which no longer
// list that server.
func TestPagesOutliveTheirServer(t *testing.T) {
	p, now := newPeers(), time.Now()
	p.hear(Peer{URL: "http://127.0.0.1:1"}, now)
	p.hear(Peer{URL: "http://127.0.0.1:2"}, now)
	p.hear(Peer{URL: "http://127.0.0.1:2", Bye: true}, now)
	p.hear(Peer{URL: "http://127.0.0.1:3", Bye: true}, now)
	for _, it := range []struct {
		after  time.Duration
		listed int
		known  [3]bool
	}{
		{0, 1, [3]bool{true, true, false}},
		{peerTime, 1, [3]bool{true, true, false}},
		{peerTime + 1, 0, [3]bool{true, true, false}},
		{pageTime, 0, [3]bool{true, true, false}},
		{pageTime + 1, 0, [3]bool{}},
	} {
		at := now.Add(it.after)
		var known [3]bool
		for i := range known {
			known[i] = p.knows(fmt.Sprintf("http://127.0.0.1:%d", i+1), at)
		}
		if listed := p.list(at); len(listed) != it.listed || known != it.known {
			t.Errorf("after %v: %v are listed, %v known; want %d and %v", it.after, listed, known, it.listed, it.known)
		}
	}
}

// Servers that ended make room for new ones, those that are silent for longest first;
// those that serve do not.
func TestPeersAreBounded(t *testing.T) {
	p, now := newPeers(), time.Now()
	url := func(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", i+1) }
	for i := range maxPeers {
		p.hear(Peer{URL: url(i)}, now.Add(time.Duration(i)))
	}
	p.hear(Peer{URL: "http://late:1"}, now.Add(maxPeers))
	p.hear(Peer{URL: url(5), Bye: true}, now.Add(maxPeers))
	p.hear(Peer{URL: url(3), Bye: true}, now.Add(maxPeers-1))
	p.hear(Peer{URL: "http://new:1"}, now.Add(maxPeers))
	at := now.Add(maxPeers)
	if len(p.heard) != maxPeers || p.knows("http://late:1", at) || p.knows(url(3), at) || !p.knows(url(5), at) || !p.knows("http://new:1", at) {
		t.Errorf("of %d: %v", len(p.heard), p.heard)
	}
}
