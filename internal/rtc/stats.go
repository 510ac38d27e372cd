package rtc

import (
	"cmp"
	"slices"
	"time"
)

// Stats are what a server does.
type Stats struct {
	Sessions []SessionStats `json:"sessions"`
	Tracks   []TrackStats   `json:"tracks"`
	// Received and Sent count RTP packets, Duplicates those that had arrived
	// before, Resent those that were sent again, KeyFrames the requests for one,
	// Malformed the packets that could not be read.
	Received   uint64 `json:"received"`
	Duplicates uint64 `json:"duplicates"`
	Malformed  uint64 `json:"malformed"`
	Sent       uint64 `json:"sent"`
	Resent     uint64 `json:"resent"`
	KeyFrames  uint64 `json:"keyFrames"`
}

// SessionStats are those of a session.
type SessionStats struct {
	Room    string `json:"room"`
	Session string `json:"session"`
	Owner   string `json:"owner"`
	// State is that of its connection, such as "connected".
	State string `json:"state"`
	// Estimate is what the client's line carries, in bits per second; 0: not
	// known.
	Estimate int `json:"estimate"`
}

// TrackStats are those of a track.
type TrackStats struct {
	Room  string `json:"room"`
	Track string `json:"track"`
	Codec string `json:"codec"`
	// Slots is how many get it.
	Slots  int     `json:"slots"`
	Layers []Layer `json:"layers"`
}

// Stats counts.
func (s *Server) Stats() Stats {
	c := &s.count
	out := Stats{
		Sessions: []SessionStats{}, Tracks: []TrackStats{},
		Received: c.received.Load(), Duplicates: c.duplicates.Load(), Malformed: c.malformed.Load(),
		Sent: c.sent.Load(), Resent: c.resent.Load(), KeyFrames: c.keyFrames.Load(),
	}
	for _, n := range s.all() {
		out.Sessions = append(out.Sessions, SessionStats{
			Room: n.room.name, Session: n.id, Owner: n.owner, State: n.pc.ConnectionState().String(), Estimate: n.estimate(),
		})
	}
	now := time.Now()
	for _, r := range s.allRooms() {
		for _, t := range r.list() {
			layers := t.offers(now)
			t.mu.Lock()
			out.Tracks = append(out.Tracks, TrackStats{Room: r.name, Track: t.ID, Codec: t.mime, Slots: len(t.slots), Layers: layers})
			t.mu.Unlock()
		}
	}
	slices.SortFunc(out.Sessions, func(a, b SessionStats) int { return cmp.Compare(a.Session, b.Session) })
	slices.SortFunc(out.Tracks, func(a, b TrackStats) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Track, b.Track))
	})
	return out
}
