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
	Slots    []SlotStats    `json:"slots"`
	Links    []LinkStats    `json:"links"`
	// Received and Sent count RTP packets, Duplicates those that had arrived
	// before, Resent those that were sent again, KeyFrames the requests for one,
	// Malformed the packets that could not be read, Limited those of pictures that
	// were beyond a bitrate.
	Received   uint64 `json:"received"`
	Duplicates uint64 `json:"duplicates"`
	Malformed  uint64 `json:"malformed"`
	Limited    uint64 `json:"limited"`
	Sent       uint64 `json:"sent"`
	Resent     uint64 `json:"resent"`
	KeyFrames  uint64 `json:"keyFrames"`
	// Relays are those of TURN now, RelaysRefused counts refused credentials and
	// relays beyond a limit, Strayed the requests and packets of clients to peers
	// that are not the server.
	Relays        int    `json:"relays"`
	RelaysRefused uint64 `json:"relaysRefused"`
	Strayed       uint64 `json:"strayed"`
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
	// From is the node of the SFU that it comes from, "" if it is published here.
	From string `json:"from,omitempty"`
	// Slots is how many get it.
	Slots  int     `json:"slots"`
	Layers []Layer `json:"layers"`
}

// SlotStats are those of a media section of a subscriber.
type SlotStats struct {
	Session string `json:"session"`
	Mid     string `json:"mid"`
	// Track is what the subscriber wants there. Attached: the SFU has it.
	Track    string `json:"track"`
	Attached bool   `json:"attached"`
	// Sending: packets go out. Encoding and Temporal are the layer, which is 0 and
	// 0 where there is one only.
	Sending  bool `json:"sending"`
	Encoding int  `json:"encoding"`
	Temporal int  `json:"temporal"`
	// Held is why it is not the best layer that the publisher sends, "" if it is.
	Held string `json:"held"`
}

// heldForKey is why a layer is held that begins with the next key frame.
const heldForKey = "it waits for a key frame"

func (s *slot) stats(track string) SlotStats {
	waiting := s.waiting()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := SlotStats{
		Session: s.session.id, Mid: s.mid, Track: track, Attached: s.source != nil, Encoding: max(s.current, 0), Temporal: int(s.temporal), Held: s.held,
		Sending: s.source != nil && s.writer != nil && !s.paused && time.Since(s.lastSent) < liveFor,
	}
	if waiting && out.Held == "" {
		out.Held = heldForKey
	}
	return out
}

// Stats counts.
func (s *Server) Stats() Stats {
	c := &s.count
	out := Stats{
		Sessions: []SessionStats{}, Tracks: []TrackStats{}, Slots: []SlotStats{}, Links: []LinkStats{},
		Received: c.received.Load(), Duplicates: c.duplicates.Load(), Malformed: c.malformed.Load(), Limited: c.limited.Load(),
		Sent: c.sent.Load(), Resent: c.resent.Load(), KeyFrames: c.keyFrames.Load(),
	}
	if r := s.relays; r != nil {
		out.Relays, out.RelaysRefused, out.Strayed = r.count(), r.refused.Load(), r.strayed.Load()
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
			out.Tracks = append(out.Tracks, TrackStats{Room: r.name, Track: t.ID, Codec: t.mime, From: t.link, Slots: len(t.slots), Layers: layers})
			t.mu.Unlock()
		}
		for slot, track := range r.wants() {
			out.Slots = append(out.Slots, slot.stats(track))
		}
		for _, l := range r.allLinks() {
			out.Links = append(out.Links, l.stats())
		}
	}
	slices.SortFunc(out.Sessions, func(a, b SessionStats) int { return cmp.Compare(a.Session, b.Session) })
	slices.SortFunc(out.Tracks, func(a, b TrackStats) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Track, b.Track))
	})
	slices.SortFunc(out.Links, func(a, b LinkStats) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Node, b.Node))
	})
	slices.SortFunc(out.Slots, func(a, b SlotStats) int {
		return cmp.Or(cmp.Compare(a.Session, b.Session), cmp.Compare(a.Mid, b.Mid))
	})
	return out
}
