package owtportal

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/muster-fleet/muster/internal/owtsdp"
	"github.com/muster-fleet/muster/internal/room"
)

// about is what this package writes into the About of a track.
type about struct {
	// Stream is the publication that the track belongs to.
	Stream string `json:"stream"`
	// Source is OWT's name of what it shows.
	Source string `json:"source"`
	// Format is how it is encoded, as far as that is known.
	Format *owtsdp.Format `json:"format,omitempty"`
	// MID is its section at the publisher.
	MID string `json:"mid,omitempty"`
	// Attributes are what the application says of the stream; of its first track.
	Attributes json.RawMessage `json:"attributes,omitempty"`
}

// owtSources are what a source of ours is called; an unknown name would make the
// SDK's join hang.
var owtSources = map[string]string{"mic": "mic", "camera": "camera", "screen": "screen-cast", "sound": "screen-cast"}

// kindOf is the kind of a source of ours.
func kindOf(source string) string {
	if source == "mic" || source == "sound" {
		return audio
	}
	return video
}

// stream is a stream of the room: a publication of OWT's clients, or what
// belongs together of another participant.
type stream struct {
	streamInfo
	// byKind are the tracks' names in the room, by their kind.
	byKind map[string]string
}

// streamsOf are the streams of a room.
func streamsOf(s room.State) []stream {
	var out []stream
	for _, p := range s.Participants {
		out = append(out, streamsOfOne(p)...)
	}
	return out
}

func streamsOfOne(p room.Participant) []stream {
	var out []stream
	for _, t := range p.Tracks {
		a := aboutOf(p, t)
		i := slices.IndexFunc(out, func(s stream) bool { return s.ID == a.Stream })
		if i < 0 {
			s := stream{byKind: map[string]string{}}
			s.ID, s.Type = a.Stream, "forward"
			s.Info = ownerInfo{Owner: p.ID, Type: "webrtc", InViews: []string{}, Attributes: json.RawMessage("{}")}
			i, out = len(out), append(out, s)
		}
		s := &out[i]
		kind := kindOf(t.Source)
		if s.byKind[kind] != "" {
			continue // a stream has one track of a kind
		}
		s.byKind[kind] = t.ID
		if len(a.Attributes) > 0 {
			s.Info.Attributes = a.Attributes
		}
		status := "active"
		if t.Muted {
			status = "inactive"
		}
		s.Media.Tracks = append(s.Media.Tracks, trackInfo{ID: t.ID, Type: kind, Source: a.Source, Format: a.Format, Status: status, MID: a.MID})
	}
	return out
}

// aboutOf is what is known of a track. Those of other clients than OWT's have
// it from their source.
func aboutOf(p room.Participant, t room.PublishedTrack) about {
	var a about
	_ = json.Unmarshal([]byte(t.About), &a) // what it is not said to be, it is not
	if a.Stream == "" {
		a.Stream = p.ID + "-camera"
		if t.Source == "screen" || t.Source == "sound" {
			a.Stream = p.ID + "-screen"
		}
	}
	if a.Source == "" {
		if a.Source = owtSources[t.Source]; a.Source == "" {
			a.Source = "raw-file"
		}
	}
	if a.Format == nil && kindOf(t.Source) == audio {
		a.Format = &owtsdp.Opus
	}
	return a
}

// emission is an event for a client.
type emission struct {
	event string
	data  any
}

// view is a room as a client knows it.
type view struct {
	version      uint64
	participants []participantInfo
	streams      []stream
}

func newView(s room.State) *view {
	return &view{version: s.Version, participants: participantsOf(s), streams: streamsOf(s)}
}

func participantsOf(s room.State) []participantInfo {
	out := []participantInfo{}
	for _, p := range s.Participants {
		out = append(out, participantInfo{p.ID, p.User, string(p.Role)})
	}
	return out
}

// room is the view as a client gets it when it joins.
func (v *view) room(name string) roomInfo {
	r := roomInfo{ID: name, Views: []string{}, Participants: v.participants, Streams: []streamInfo{}}
	for _, s := range v.streams {
		r.Streams = append(r.Streams, s.streamInfo)
	}
	return r
}

func (v *view) stream(id string) *stream {
	for i := range v.streams {
		if v.streams[i].ID == id {
			return &v.streams[i]
		}
	}
	return nil
}

// find is the track of a kind that a client means with the id of a stream or of
// a track.
func (v *view) find(from, kind string) (track string, found bool) {
	for _, s := range v.streams {
		if s.ID == from || s.byKind[kind] == from {
			return s.byKind[kind], true
		}
	}
	return "", false
}

// has reports whether a track is there.
func (v *view) has(track string) bool {
	return slices.ContainsFunc(v.streams, func(s stream) bool { return s.byKind[audio] == track || s.byKind[video] == track })
}

func (v *view) participant(id string) bool {
	return slices.ContainsFunc(v.participants, func(p participantInfo) bool { return p.ID == id })
}

// update takes a newer state, and returns the notices for the client.
func (v *view) update(s room.State) (out []emission) {
	if s.Version < v.version {
		return nil
	}
	before := *v
	v.version, v.participants, v.streams = s.Version, participantsOf(s), streamsOf(s)
	for _, p := range v.participants {
		if !before.participant(p.ID) {
			out = append(out, emission{"participant", participantNotice{"join", p}})
		}
	}
	for _, p := range before.participants {
		if !v.participant(p.ID) {
			out = append(out, emission{"participant", participantNotice{"leave", p.ID}})
		}
	}
	for _, old := range before.streams {
		if v.stream(old.ID) == nil {
			out = append(out, emission{"stream", streamNotice{ID: old.ID, Status: "remove"}})
		}
	}
	for _, s := range v.streams {
		if old := before.stream(s.ID); old == nil {
			out = append(out, emission{"stream", streamNotice{s.ID, "add", s.streamInfo}})
		} else {
			out = append(out, s.changes(old)...)
		}
	}
	return out
}

// changes are what has changed of a stream: who is muted, or more.
func (s stream) changes(old *stream) (out []emission) {
	if reflect.DeepEqual(s.streamInfo, old.streamInfo) {
		return nil
	}
	reported := *old
	reported.Media.Tracks = slices.Clone(reported.Media.Tracks)
	for i := range reported.Media.Tracks {
		t := &reported.Media.Tracks[i]
		j := slices.IndexFunc(s.Media.Tracks, func(other trackInfo) bool { return other.ID == t.ID })
		if j >= 0 && s.Media.Tracks[j].Status != t.Status {
			t.Status = s.Media.Tracks[j].Status
			out = append(out, emission{"stream", streamNotice{s.ID, "update", fieldValue{t.Type + ".status", t.Status}}})
		}
	}
	if !reflect.DeepEqual(s.streamInfo, reported.streamInfo) {
		out = append(out, emission{"stream", streamNotice{s.ID, "update", fieldValue{".", s.streamInfo}}})
	}
	return out
}
