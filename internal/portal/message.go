package portal

import "github.com/muster-fleet/muster/internal/room"

// request is a message of a client. docs/rooms.md describes it.
type request struct {
	// N is the client's number for it; the answer has it as Re.
	N    int    `json:"n"`
	Type string `json:"type"`

	// of join
	Token  string      `json:"token,omitempty"`
	Ticket string      `json:"ticket,omitempty"`
	Attach int         `json:"attach,omitempty"`
	Part   int         `json:"part,omitempty"`
	Tracks []trackSaid `json:"tracks,omitempty"`
	// of text
	Text string `json:"text,omitempty"`
	// of record and stream
	On bool `json:"on,omitempty"`
	// of stream
	room.Target
	// of offer, change and end
	Node string `json:"node,omitempty"`
	mediaSaid
}

// mediaSaid is what a client says of a session. Publish has the source of a
// track by mid; it has its name in the room from the portal.
type mediaSaid struct {
	Session string            `json:"session,omitempty"`
	SDP     string            `json:"sdp,omitempty"`
	Publish map[string]string `json:"publish,omitempty"`
	Want    map[string]string `json:"want,omitempty"`
	View    map[string]int    `json:"view,omitempty"`
}

// iceServer is a server of TURN, as RTCPeerConnection takes it.
type iceServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// trackSaid is a track that a client publishes.
type trackSaid struct {
	Source string `json:"source"`
	Muted  bool   `json:"muted"`
}

// event is a message to a client: an answer where Re is set.
type event struct {
	Type  string `json:"type"`
	Re    int    `json:"re,omitempty"`
	Error string `json:"error,omitempty"`

	// of the answer to join
	You    string `json:"you,omitempty"`
	Ticket string `json:"ticket,omitempty"`
	// of state, and of the answer to join
	State   *room.State `json:"state,omitempty"`
	Portals []string    `json:"portals,omitempty"`
	// ICE is for the client's connections to the SFU of the state.
	ICE []iceServer `json:"iceServers,omitempty"`
	// of speakers
	Tracks []string `json:"tracks,omitempty"`
	// of text
	From string `json:"from,omitempty"`
	User string `json:"user,omitempty"`
	Text string `json:"text,omitempty"`
	// To is the one participant who gets the text; "" is all.
	To string `json:"to,omitempty"`
	// Session is one that has ended; only a Seat hears of that.
	Session string `json:"-"`
	// of the answer to offer
	SDP string `json:"sdp,omitempty"`
}
