package room

// Track says what a publisher sends in a media section.
type Track struct {
	// ID names the track in its room.
	ID string `json:"id"`
	// Source is what it shows: "camera", "mic", "screen" or "sound".
	Source string `json:"source"`
}

// Sound reports whether it is a track of sound, and not of a picture.
func (t Track) Sound() bool { return t.Source == "mic" || t.Source == "sound" }

// Offer is a client's offer for a session, the first or a later one.
type Offer struct {
	// Room and Session name it. The caller chooses the name of the session; an
	// offer of a known one renegotiates it.
	Room    string `json:"room"`
	Session string `json:"session"`
	// Owner is the participant, for lists.
	Owner string `json:"owner"`
	// ReceiveOnly: the participant must not send.
	ReceiveOnly bool `json:"receiveOnly,omitempty"`
	// Link: the session is another SFU's, which serves another part of the room. It
	// gets only what is published here.
	Link bool `json:"link,omitempty"`
	// Both: the session may send and receive. It is for clients that make one
	// connection for everything.
	Both bool `json:"both,omitempty"`
	// Bitrate is the most bits a second that the session may send, and the most
	// that it may receive; 0 is no limit.
	Bitrate int `json:"bitrate,omitempty"`
	// SDP is the offer. Its candidates are not used: the client reaches the
	// server, which learns the client's address from that.
	SDP string `json:"sdp"`
	Change
}

// Change is what a session publishes and wants. What it does not mention stays
// as it is.
type Change struct {
	// Publish says by mid what the client sends there; a Track without an ID
	// is withdrawn.
	Publish map[string]Track `json:"publish,omitempty"`
	// Want says by mid which track the client is to get there, by its ID; "" is
	// none.
	Want map[string]string `json:"want,omitempty"`
	// Encoding says by mid which encoding (RID) of a track of several the client is
	// to get there; "" leaves the choice to the server.
	Encoding map[string]string `json:"encoding,omitempty"`
	// Layers says by mid which simulcast encoding is sent there, 0 the smallest,
	// whatever the line and the screen are.
	Layers map[string]int `json:"layers,omitempty"`
	// View says by track how high its picture is on the client's screen, in
	// pixels; 0 is hidden.
	View map[string]int `json:"view,omitempty"`
}
