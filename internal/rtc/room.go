package rtc

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// room is the tracks and slots that belong together.
type room struct {
	server *Server
	name   string

	mu       sync.Mutex
	tracks   map[string]*track
	wanted   map[*slot]string
	sessions int
	// successors are the tracks that take a name with their first key frame, by that
	// name, and with what they will be called.
	successors map[string]successor
	// links are the links to other SFUs by node, demands what is to come by each.
	links   map[string]*link
	demands demands

	hearing  sync.Mutex
	speakers Speakers

	metering sync.Mutex
	meter    Meter
}

// passes reports whether a packet of a publisher is within what all of them may
// send.
func (r *room) passes(bytes int, now time.Time) bool {
	r.metering.Lock()
	defer r.metering.Unlock()
	return r.meter.Take(now, bytes, r.server.limits.RoomBitrate)
}

// publish names a section. Who had the name before loses it, with its
// subscribers: a publisher that comes again is newer than what is left of it.
func (r *room) publish(t *track, as Track) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if as.ID == "" {
		r.unname(t)
		return nil
	}
	old := r.tracks[as.ID]
	if old == t {
		t.name(as)
		return nil
	}
	if old != nil && old.link != "" && old.live(time.Now()) { // the same picture, by a link
		r.unname(t)
		t.successor.Store(true)
		r.successors[as.ID] = successor{t, as}
		return nil
	}
	if old == nil && len(r.tracks) >= r.server.limits.Tracks {
		return fmt.Errorf("rtc: room %s has %d tracks, which is the limit", r.name, len(r.tracks))
	}
	if old != nil {
		r.unname(old)
	}
	r.unname(t)
	r.put(t, as)
	return nil
}

// put publishes a track under a name that no other has. The caller has locked r.
func (r *room) put(t *track, as Track) {
	if r.successors[as.ID].track == t {
		delete(r.successors, as.ID)
	}
	t.successor.Store(false)
	t.name(as)
	r.tracks[as.ID] = t
	for s, id := range r.wanted {
		if id == as.ID && s.kind == t.kind {
			t.attach(s)
		}
	}
}

// successor is a track that is to be published as something.
type successor struct {
	track *track
	as    Track
}

// promote has a track take the place of the one before it.
func (r *room) promote(t *track) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.successors {
		if s.track == t {
			if old := r.tracks[id]; old != nil {
				r.unname(old)
			}
			r.put(t, s.as)
		}
	}
}

// succeed promotes the tracks whose predecessors send nothing any more, and asks the
// others for the key frame with which they begin.
func (r *room) succeed(now time.Time) {
	r.mu.Lock()
	var due, waiting []*track
	for id, s := range r.successors {
		if old := r.tracks[id]; old == nil || !old.live(now) {
			due = append(due, s.track)
		} else {
			waiting = append(waiting, s.track)
		}
	}
	r.mu.Unlock()
	for _, t := range due {
		r.promote(t)
	}
	for _, t := range waiting {
		t.mu.Lock()
		t.askKeyFrame(now)
		t.mu.Unlock()
	}
}

// unname takes a track out of the room. The caller has locked r.
func (r *room) unname(t *track) {
	for id, s := range r.successors {
		if s.track == t {
			delete(r.successors, id)
			t.successor.Store(false)
		}
	}
	had := t.name(Track{})
	if had.ID == "" || r.tracks[had.ID] != t {
		return
	}
	delete(r.tracks, had.ID)
	for s, id := range r.wanted {
		if id == had.ID {
			t.detach(s)
			s.leave()
		}
	}
	r.hearing.Lock()
	defer r.hearing.Unlock()
	r.speakers.Forget(had.ID)
}

func (r *room) withdraw(t *track) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unname(t)
}

// want points a slot to a track, which may not be there yet; "" is none.
func (r *room) want(s *slot, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wanted[s] == id && id != "" {
		return
	}
	if old := s.leave(); old != nil {
		old.detach(s)
	}
	delete(r.wanted, s)
	if id == "" {
		return
	}
	r.wanted[s] = id
	if t := r.tracks[id]; t != nil && t.kind == s.kind {
		t.attach(s)
	}
}

// wants are the slots that are pointed to a track, which may not be there.
func (r *room) wants() map[*slot]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.wanted)
}

// hear takes the level of a packet.
func (r *room) hear(track string, level uint8, now time.Time) {
	r.hearing.Lock()
	defer r.hearing.Unlock()
	r.speakers.Hear(track, level, now)
}

// speaking are the tracks that speak, and whether that has changed.
func (r *room) speaking(now time.Time) ([]string, bool) {
	r.hearing.Lock()
	defer r.hearing.Unlock()
	return r.speakers.Tick(now)
}

// list are the tracks at present.
func (r *room) list() []*track {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.tracks))
}
