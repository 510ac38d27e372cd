package room

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/muster-fleet/muster"
)

// The purposes of the workers that serve rooms.
const (
	// PurposeSFU is of the workers that forward media; a task is a part of a
	// room, as PartTask names it.
	PurposeSFU = "webrtc"
	// PurposeConference is of those that know who is in which room; a task is a
	// room.
	PurposeConference = "conference"
	// PurposePortal is of those that clients talk to; a task is a participant.
	PurposePortal = "portal"
	// PurposeRecording is of those that record; of rooms, a task is a recording as
	// RecordingTask names it.
	PurposeRecording = "recording"
	// PurposeStreaming is of those that stream; of rooms, a task is a stream as
	// StreamingTask names it.
	PurposeStreaming = "streaming"
)

// LabelSFU is the label that names a worker with SFUs, each its own, so that a
// conference can ask for another one than a worker which does not answer.
const LabelSFU = "sfu"

// Topic is the topic on which rooms are spoken of; see the Key functions.
const Topic = "musterRooms"

// Limits of what clients say.
const (
	MaxName = 128
	MaxText = 4000
	// MaxParticipants is the most people in a room.
	MaxParticipants = 300
	// MaxTracks is the most tracks that one of them publishes.
	MaxTracks = 8
)

// ErrFull is the refusal of one more participant.
var ErrFull = fmt.Errorf("room: the room is full (%d participants)", MaxParticipants)

// PartTask is the task of a part of a room. Every placement of a part has a
// number of its own, so that a new one is never answered with the worker of the
// old one.
func PartTask(room string, number int) string { return fmt.Sprintf("%s#%d", room, number) }

// OutletTask is the task of a recording or a stream of a room, of which each
// placement has a number of its own, too.
func OutletTask(room string, k OutletKind, number int) string {
	return fmt.Sprintf("%s#%s-%d", room, k, number)
}

// key is a room's name as a word of a topic's key.
func key(room string) string {
	sum := sha256.Sum256([]byte(room))
	return hex.EncodeToString(sum[:10])
}

// KeyState is the key on Topic of changes of a room's state.
func KeyState(room string) string { return "state." + key(room) }

// KeySpeakers is the key of who speaks.
func KeySpeakers(room string) string { return "speakers." + key(room) }

// KeyText is the key of messages between people.
func KeyText(room string) string { return "text." + key(room) }

// KeyEnded is the key of sessions that have ended.
func KeyEnded(room string) string { return "ended." + key(room) }

// KeyAll matches everything that concerns a room.
func KeyAll(room string) string { return "*." + key(room) }

// CheckName says what is wrong with the name of a room or of a user.
func CheckName(what, name string) error {
	switch err := muster.CheckName(name, MaxName); {
	case err != nil:
		return fmt.Errorf("room: %s %w", what, err)
	case what == "room" && strings.ContainsAny(name, "#/?"):
		return errors.New("room: the name of a room must not contain #, / or ?")
	}
	return nil
}

// Notice is what is published on Topic.
type Notice struct {
	Room string `json:"room"`
	// Version is that of the state, for KeyState.
	Version uint64 `json:"version,omitempty"`
	// Tracks are those that speak, for KeySpeakers, of those that are published at
	// the SFU Node.
	Tracks []string `json:"tracks,omitempty"`
	Node   string   `json:"node,omitempty"`
	// From, User and Text are a message, for KeyText, and To the participant
	// who gets it; "" is all participants.
	From string `json:"from,omitempty"`
	User string `json:"user,omitempty"`
	To   string `json:"to,omitempty"`
	Text string `json:"text,omitempty"`
	// Session is one that has ended, for KeyEnded.
	Session string `json:"session,omitempty"`
}
