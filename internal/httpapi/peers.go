package httpapi

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// The servers of a cluster announce themselves to each other, so that a page whose
// server is gone goes on with another one.
const (
	announceEvery = 2 * time.Second
	peerTime      = 10 * time.Second // how long one counts that is silent
	pageTime      = 24 * time.Hour   // how long the pages that it served may ask the others
	maxPeers      = 64
)

// Peer is an HTTP server of the cluster.
type Peer struct {
	Cluster string `json:"cluster,omitempty"`
	// URL is where it is reached, Manager the manager that it is beside.
	URL     string `json:"url" example:"http://127.0.0.1:8081"`
	Manager string `json:"manager,omitempty" example:"127.0.0.1:7401"`
	// Ask asks the others to announce themselves, too.
	Ask bool `json:"ask,omitempty"`
	// Bye takes it out: it ends.
	Bye bool `json:"bye,omitempty"`
}

// peers are the servers that were heard within pageTime. A page stays open when its
// server has ended, so that an origin is known for longer than a server counts.
type peers struct {
	mu    sync.Mutex
	heard map[string]heardPeer // by URL
}

type heardPeer struct {
	Peer
	at    time.Time
	ended bool
}

func (p heardPeer) serves(now time.Time) bool { return !p.ended && now.Sub(p.at) <= peerTime }

func newPeers() *peers { return &peers{heard: map[string]heardPeer{}} }

// hear takes an announcement in. It must be the address of a web server and nothing
// more: it becomes a part of the page's content security policy.
func (p *peers) hear(peer Peer, now time.Time) {
	origin, err := originOf(peer.URL)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	_, known := p.heard[origin]
	if !known && (peer.Bye || !p.makeRoom(now)) {
		return
	}
	p.heard[origin] = heardPeer{Peer{URL: origin, Manager: peer.Manager}, now, peer.Bye}
}

func (p *peers) expire(now time.Time) {
	for origin, peer := range p.heard {
		if now.Sub(peer.at) > pageTime {
			delete(p.heard, origin)
		}
	}
}

// makeRoom forgets the server that is silent for longest where there are too many, and
// reports whether there is room for another one.
func (p *peers) makeRoom(now time.Time) bool {
	if len(p.heard) < maxPeers {
		return true
	}
	oldest, found := heardPeer{at: now}, false
	for _, peer := range p.heard {
		if !peer.serves(now) && !peer.at.After(oldest.at) {
			oldest, found = peer, true
		}
	}
	delete(p.heard, oldest.URL)
	return found
}

// list returns those that serve, by URL.
func (p *peers) list(now time.Time) []Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []Peer{}
	for _, peer := range p.heard {
		if peer.serves(now) {
			out = append(out, peer.Peer)
		}
	}
	slices.SortFunc(out, func(a, b Peer) int { return cmp.Compare(a.URL, b.URL) })
	return out
}

// knows reports whether a page of this origin is one of a server of the cluster, also of
// one that has ended since.
func (p *peers) knows(origin string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	_, ok := p.heard[origin]
	return ok
}
